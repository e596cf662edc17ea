import { describe, expect, it } from "vitest";
import { cell, csvOf } from "./csv";

describe("a table as CSV", () => {
  it("keeps numbers and guards formulas", () => {
    expect(cell("-2.5e-3")).toBe("-2.5e-3");
    expect(cell("=1+1")).toBe("'=1+1");
    expect(cell("-rm")).toBe("'-rm");
    expect(cell("@x")).toBe("'@x");
  });
  it("quotes what separates", () => {
    expect(csvOf(["a", "b"], [['x "y"', "1,2"], [null, 3]])).toBe('a,b\r\n"x ""y""","1,2"\r\n,3\r\n');
  });
});
