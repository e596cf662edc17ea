import { describe, expect, it } from "vitest";
import { diffLines } from "./diff";

const show = (a: string, b: string) => diffLines(a, b).map((l) => `${l.kind === "same" ? " " : l.kind === "added" ? "+" : "-"}${l.text}`);

describe("the difference of two versions", () => {
  it("keeps what is the same and names the rest", () => {
    expect(show("a\nb\nc", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]);
    expect(show("a", "a")).toEqual([" a"]);
    expect(show("a\nc", "a\nb\nc")).toEqual([" a", "+b", " c"]);
  });
  it("rebuilds both texts", () => {
    const [a, b] = ["1\n2\n3\n4\n5\n6", "0\n2\n3\n5\n6\n7"];
    const found = diffLines(a, b);
    expect(found.filter((l) => l.kind !== "added").map((l) => l.text).join("\n")).toBe(a);
    expect(found.filter((l) => l.kind !== "removed").map((l) => l.text).join("\n")).toBe(b);
  });
});
