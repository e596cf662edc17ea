import { describe, expect, it } from "vitest";
import { clean, cleanText } from "./clean";
import { LINES_MAX, withPart, type LogState } from "./useLog";

const start = (): LogState => ({ lines: [], cut: 0, open: "", streams: [], stream: "", sizeBytes: 0, gaps: 0, eof: false, problem: null });

describe("a log in parts", () => {
  it("joins a line that came in two parts", () => {
    const first = withPart(start(), "one\ntw");
    const second = withPart({ ...start(), ...first }, "o\nthree");
    expect(second.lines).toEqual(["one", "two"]);
    expect(second.open).toBe("three");
  });
  it("keeps line numbers true when it drops what is old", () => {
    const found = withPart(start(), "x\n".repeat(LINES_MAX + 5));
    expect(found.lines).toHaveLength(LINES_MAX);
    expect(found.cut).toBe(5);
  });
  it("takes out colours, links and cursor moves and shows progress bars' last state", () => {
    expect(clean("\u001b[31mred\u001b[0m")).toBe("red");
    expect(clean("\u001b]8;;http://evil\u0007click\u001b]8;;\u0007")).toBe("click");
    expect(clean("10%\r50%\r100%\r")).toBe("100%");
    expect(cleanText("\u001b[1mred\u001b[0m\n10%\r20%\nend")).toBe("red\n20%\nend");
    expect(cleanText("old\rinstrument\r\n")).toBe("old\ninstrument\n");
    expect(clean("<script>alert(1)</script>")).toBe("<script>alert(1)</script>");
  });
});
