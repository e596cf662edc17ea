import { describe, expect, it } from "vitest";
import { distinct, own } from "./named";

describe("own", () => {
  it("finds what was put in and nothing that objects inherit", () => {
    expect(own({ count: "2" }, "count")).toBe("2");
    expect(own({}, "toString")).toBeUndefined();
    expect(own<string>({ ["__proto__"]: "x" }, "__proto__")).toBe("x");
  });
});

describe("distinct", () => {
  it("keeps the first of each value, of texts and of options", () => {
    expect(distinct(["a", "b", "a"])).toEqual(["a", "b"]);
    expect(distinct([{ value: "x-v2", label: "newest" }, { value: "x-v2", label: "x, version 2" }])).toEqual([{ value: "x-v2", label: "newest" }]);
  });
});
