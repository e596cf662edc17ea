import { describe, expect, it } from "vitest";
import { scale } from "./scale";

describe("an axis", () => {
  it("covers what is there with round ticks", () => {
    const { at, ticks } = scale([0.13, 0.87], 0, 100);
    expect(ticks[0]).toBe(0);
    expect(ticks.at(-1)).toBe(1);
    expect(at(0)).toBe(0);
    expect(at(1)).toBe(100);
  });
  it("stands for one value alone, zero included", () => {
    for (const value of [0, 7, -3e9]) {
      const { at, ticks } = scale([value], 0, 100);
      expect(ticks.length).toBeGreaterThan(1);
      expect(at(value)).toBeGreaterThanOrEqual(0);
      expect(at(value)).toBeLessThanOrEqual(100);
    }
  });
  it("may go upwards", () => {
    const { at } = scale([0, 10], 200, 0);
    expect(at(10)).toBeLessThan(at(0));
  });
});
