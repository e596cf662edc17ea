import { describe, expect, it } from "vitest";
import { node } from "@/test/nodes";
import { whereabouts } from "./whereabouts";

const tree = [
  node("root"),
  node("held", [], { name: "held-out", boundary: "root" }),
  node("train", [], { name: "training", boundary: "root" }),
  node("h0", [], { name: "label-0", boundary: "held" }),
  node("t0", [], { name: "label-0", boundary: "train" }),
  node("m", [], { name: "merge", boundary: "train" }),
];

describe("whereabouts", () => {
  it("two steps of one name are told apart by what is around them, and a name of its own needs nothing", () => {
    const within = whereabouts(tree);
    expect(tree.map(within)).toEqual(["", "", "", "held-out", "training", ""]);
  });
  it("rounds of a loop that calls itself are told apart by their depth", () => {
    const loop = [node("r"), node("a", [], { name: "learn", boundary: "r" }), node("b", [], { name: "learn", boundary: "a" }), node("x", [], { name: "fit", boundary: "a" }), node("y", [], { name: "fit", boundary: "b" })];
    expect([loop[3]!, loop[4]!].map(whereabouts(loop))).toEqual(["", "learn"]);
  });
  it("a tree that was cut, or goes in circles, ends", () => {
    const odd = [node("a", [], { name: "n", boundary: "b" }), node("b", [], { name: "n", boundary: "a" }), node("c", [], { name: "n", boundary: "gone" })];
    expect(odd.map(whereabouts(odd)).every((text) => text.length < 200)).toBe(true);
  });
});
