import { describe, expect, it } from "vitest";
import { node } from "@/test/nodes";
import { BOX_HEIGHT, BOX_WIDTH, layout, neighbour, worstPhase } from "./layout";

const fan = (n: number) => [node("root", [], { type: "Steps", template: "main" }), ...Array.from({ length: n }, (_, i) => node(`leaf-${i}`, ["root"]))];

function overlaps(found: ReturnType<typeof layout>): number {
  const cells = new Set<string>();
  let n = 0;
  for (const box of found.boxes) {
    const key = `${Math.round(box.x / (BOX_WIDTH / 2))}:${Math.round(box.y / (BOX_HEIGHT / 2))}`;
    if (cells.has(key)) n += 1;
    cells.add(key);
  }
  return n;
}

describe("layout", () => {
  it("puts children below their parents", () => {
    const found = layout([node("a"), node("b", ["a"]), node("c", ["a", "b"])], { fold: false });
    const y = (id: string) => found.boxes[found.boxOf.get(id)!]!.y;
    expect(y("a")).toBeLessThan(y("b"));
    expect(y("b")).toBeLessThan(y("c"));
    expect(found.lines).toHaveLength(3);
  });
  it("folds equal ends of the tree into one counted box, and only those", () => {
    const nodes = [...fan(100), node("after", ["leaf-0"])];
    const found = layout(nodes, { fold: true });
    expect(found.boxes).toHaveLength(4); // root, leaf-0 (it has a child), 99 leaves, after
    expect(found.boxes.map((b) => b.nodes.length).sort((a, b) => a - b)).toEqual([1, 1, 1, 99]);
    expect(found.boxOf.get("leaf-7")).toBe(found.boxOf.get("leaf-8"));
  });
  it("folds a fan-out whose items all lead to the same next step", () => {
    const leaves = Array.from({ length: 100 }, (_, i) => `leaf-${i}`);
    const found = layout([...fan(100), node("after", leaves, { template: "u" })], { fold: true });
    expect(found.boxes.map((b) => b.nodes.length)).toEqual([1, 100, 1]);
    expect(found.lines).toHaveLength(2);
    expect(found.height).toBeGreaterThan(2 * BOX_HEIGHT); // the next step stays below
  });
  it("shows of a group the phase that wants an eye most", () => {
    expect(worstPhase([node("a"), node("b", [], { phase: "Failed" }), node("c", [], { phase: "Running" })])).toBe("Failed");
  });
  it("wraps a fan-out of thousands into a block without boxes over one another", () => {
    const found = layout(fan(2000), { fold: false });
    expect(found.boxes).toHaveLength(2001);
    expect(found.width).toBeLessThan(25 * (BOX_WIDTH + 20));
    expect(overlaps(found)).toBe(0);
  });
  it("leaves out what is done when asked", () => {
    const found = layout([node("a"), node("b", ["a"], { phase: "Running" })], { fold: false, onlyOpen: true });
    expect(found.boxes.map((b) => b.id)).toEqual(["b"]);
    expect(found.lines).toEqual([]);
  });
  it("has an answer for no nodes, for unknown parents and for a cycle", () => {
    expect(layout([], { fold: true }).boxes).toEqual([]);
    expect(layout([node("a", ["gone"])], { fold: true }).lines).toEqual([]);
    expect(layout([node("a", ["b"]), node("b", ["a"])], { fold: false }).boxes).toHaveLength(2);
  });
  it("moves by arrow keys to the nearest box that way", () => {
    const found = layout([node("a"), node("b", ["a"]), node("c", ["a"])], { fold: false });
    const a = found.boxOf.get("a")!;
    const down = neighbour(found, a, "ArrowDown");
    expect(["b", "c"]).toContain(found.boxes[down]!.id);
    expect(neighbour(found, down, "ArrowUp")).toBe(a);
    expect(neighbour(found, a, "ArrowUp")).toBe(a);
  });
});
