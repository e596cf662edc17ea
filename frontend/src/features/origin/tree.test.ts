import { describe, expect, it } from "vitest";
import { addressOf, rowsOf, type Place } from "./tree";

const place = (id: string, side: Place["side"], more: Partial<Place> = {}): Place => ({
  id, side, kind: "artifact", depth: 0, name: id, run: "r", at_ms: null, more: false, content: null, step: null, ...more,
});
const link = (before: string, after: string) => ({ before, after, how: "read" as const, name: "" });

// a -> b -> d, a -> c -> d, d -> x
const found = {
  start: "d",
  places: [place("d", "start"), place("b", "behind"), place("c", "behind"), place("a", "behind"), place("x", "ahead")],
  links: [link("a", "b"), link("a", "c"), link("b", "d"), link("c", "d"), link("d", "x")],
};

describe("an answer as a list", () => {
  it("tells each thing once, nearest first, and names it where it is met again", () => {
    expect(rowsOf(found, "behind").map((r) => [r.depth, r.place.id, r.again])).toEqual([[0, "b", false], [1, "a", false], [0, "c", false], [1, "a", true]]);
    expect(rowsOf(found, "ahead").map((r) => r.place.id)).toEqual(["x"]);
  });

  it("ends on a circle", () => {
    const ring = { start: "a", places: [place("a", "start"), place("b", "behind")], links: [link("a", "b"), link("b", "a")] };
    expect(rowsOf(ring, "behind").map((r) => [r.place.id, r.again])).toEqual([["b", false]]);
  });

  it("has no address of what was deleted", () => {
    const run = { id: "r", deleted: true } as never;
    expect(addressOf(place("a", "behind"), run)).toBeNull();
    expect(addressOf(place("a", "behind", { kind: "run" }), { id: "r", deleted: false } as never)).toBe("/runs/r");
  });
});
