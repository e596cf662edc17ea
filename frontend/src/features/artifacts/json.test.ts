import { describe, expect, it } from "vitest";
import { laidOut } from "./json";

describe("JSON for reading", () => {
  it("means the same and keeps short lists on a line", () => {
    const value = { a: [1, 2, 3], b: { c: "x, {y}: [z]" }, d: [{ e: null }, "q\\"], f: [], g: "long".repeat(40) };
    const shown = laidOut(JSON.stringify(value));
    expect(JSON.parse(shown)).toEqual(value);
    expect(shown).toContain('"a": [1, 2, 3],\n');
  });
  it("keeps what no parser takes, digit by digit", () => {
    expect(laidOut('{"x": NaN, "y": [-Infinity, 12345678901234567890]}')).toBe('{\n  "x": NaN,\n  "y": [-Infinity, 12345678901234567890]\n}');
    expect(laidOut('{"a": {"b": 1}, "c": "cut o')).toBe('{\n  "a": {"b": 1},\n  "c": "cut o');
  });
  it("leaves one value a line", () => {
    expect(laidOut('{"a":1}\n{"a":2}\n').trim()).toBe('{"a": 1}\n{"a": 2}');
  });
});
