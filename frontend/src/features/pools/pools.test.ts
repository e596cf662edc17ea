import { expect, it } from "vitest";
import { lineWidth } from "./Links";

it("draws a faster link thicker, within bounds, and an unknown one thin", () => {
  const widths = [null, 1_000, 1e6, 8e6, 1e9, 1e15].map(lineWidth);
  expect(widths).toEqual([1, 2, 2, 5, 10, 10]);
});
