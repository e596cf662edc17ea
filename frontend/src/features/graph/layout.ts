// Where each node of a tree stands in the picture. Pure: nodes in, boxes and lines out; no DOM, no clock.
//
// Ranks by longest path from the roots, order inside a rank by the mean place of the parents (two sweeps), ranks wider
// than WRAP wrapped into rows, so that a fan-out of thousands stays a block and not a line. Equal steps (same template,
// same parents, same children) above FOLD_FROM may be folded into one counted node. Work is O((nodes + edges) log nodes).

import type { Schemas } from "@/api/client";
import type { Phase } from "@/lib/states";

export type GraphNode = Schemas["GraphNodeOut"];

export interface Box {
  id: string;
  /** What the box shows: one node, or as many equal ones. */
  nodes: GraphNode[];
  label: string;
  phase: Phase;
  x: number;
  y: number;
}

export interface Line {
  from: number; // indexes of boxes
  to: number;
}

export interface Layout {
  boxes: Box[];
  lines: Line[];
  width: number;
  height: number;
  /** Node id -> index of its box. */
  boxOf: Map<string, number>;
}

export const BOX_WIDTH = 168;
export const BOX_HEIGHT = 40;
const GAP_X = 18;
const GAP_Y = 30;
const WRAP = 24;
const FOLD_FROM = 6;

const WORST: Phase[] = ["Error", "Failed", "Running", "Pending", "Succeeded", "Skipped", "Omitted"];

/** The phase a group shows: the one that wants a person's eye most. */
export function worstPhase(nodes: readonly GraphNode[]): Phase {
  const seen = new Set(nodes.map((n) => n.phase));
  return WORST.find((phase) => seen.has(phase)) ?? "Pending";
}

interface Group {
  nodes: GraphNode[];
  parents: Set<number>;
}

/** Boxes of one or more nodes each, and which boxes are above each. */
function groups(nodes: readonly GraphNode[], fold: boolean): { list: Group[]; boxOf: Map<string, number> } {
  const alike = new Map<string, GraphNode[]>();
  const below = new Map<string, string[]>();
  for (const node of nodes)
    for (const parent of node.parents) {
      const list = below.get(parent);
      if (list) list.push(node.id);
      else below.set(parent, [node.id]);
    }
  for (const node of nodes) {
    // A node with children of its own is a place in the graph, not one of a kind; those it shares with its like are not
    // its own: a fan-out whose items all lead to the next step folds.
    const key = fold ? [node.template, node.type, [...node.parents].sort().join(), below.get(node.id)?.join() ?? ""].join("\u0000") : node.id;
    const found = alike.get(key);
    if (found) found.push(node);
    else alike.set(key, [node]);
  }
  const list: Group[] = [];
  const boxOf = new Map<string, number>();
  for (const found of alike.values()) {
    const parts = found.length > FOLD_FROM ? [found] : found.map((node) => [node]);
    for (const part of parts) {
      for (const node of part) boxOf.set(node.id, list.length);
      list.push({ nodes: part, parents: new Set() });
    }
  }
  list.forEach((group, index) => {
    for (const node of group.nodes)
      for (const parent of node.parents) {
        const at = boxOf.get(parent);
        if (at !== undefined && at !== index) group.parents.add(at);
      }
  });
  return { list, boxOf };
}

/** Longest path from a root; a box in a cycle (which a tree has not) would stay at the rank it got first. */
function ranks(list: readonly Group[]): number[] {
  const below: number[][] = list.map(() => []);
  const open = list.map((group) => group.parents.size);
  list.forEach((group, index) => group.parents.forEach((parent) => below[parent]!.push(index)));
  const rank = list.map(() => 0);
  const ready = open.flatMap((n, index) => (n === 0 ? [index] : []));
  for (let at = 0; at < ready.length; at += 1) {
    const index = ready[at]!;
    for (const child of below[index]!) {
      rank[child] = Math.max(rank[child]!, rank[index]! + 1);
      open[child]! -= 1;
      if (open[child] === 0) ready.push(child);
    }
  }
  return rank;
}

export function layout(nodes: readonly GraphNode[], options: { fold: boolean; onlyOpen?: boolean }): Layout {
  const shown = options.onlyOpen ? nodes.filter((n) => n.phase !== "Succeeded" && n.phase !== "Skipped" && n.phase !== "Omitted") : nodes;
  const { list, boxOf } = groups(shown, options.fold);
  const rank = ranks(list);
  const rows: number[][] = [];
  list.forEach((_, index) => (rows[rank[index]!] ??= []).push(index));
  const place = list.map(() => 0);
  for (const row of rows) row?.forEach((index, i) => (place[index] = i));
  for (let sweep = 0; sweep < 2; sweep += 1)
    for (const row of rows.slice(1)) {
      if (!row) continue;
      const mean = new Map(
        row.map((index) => {
          const above = [...list[index]!.parents];
          return [index, above.length ? above.reduce((sum, p) => sum + place[p]!, 0) / above.length : place[index]!] as const;
        }),
      );
      row.sort((a, b) => mean.get(a)! - mean.get(b)! || a - b);
      row.forEach((index, i) => (place[index] = i));
    }
  const widest = Math.min(WRAP, Math.max(1, ...rows.map((row) => row?.length ?? 0)));
  const width = widest * (BOX_WIDTH + GAP_X) - GAP_X;
  const boxes: Box[] = new Array<Box>(list.length);
  let y = 0;
  for (const row of rows) {
    if (!row) continue;
    for (let start = 0; start < row.length; start += WRAP) {
      const part = row.slice(start, start + WRAP);
      const across = part.length * (BOX_WIDTH + GAP_X) - GAP_X;
      part.forEach((index, i) => {
        const found = list[index]!.nodes;
        const first = found[0]!;
        boxes[index] = {
          id: first.id,
          nodes: found,
          label: found.length === 1 ? first.name : first.template || first.type,
          phase: worstPhase(found),
          x: (width - across) / 2 + i * (BOX_WIDTH + GAP_X),
          y,
        };
      });
      y += BOX_HEIGHT + (start + WRAP < row.length ? 8 : GAP_Y);
    }
  }
  const lines: Line[] = [];
  list.forEach((group, to) => group.parents.forEach((from) => lines.push({ from, to })));
  return { boxes, lines, width, height: Math.max(BOX_HEIGHT, y - GAP_Y), boxOf };
}

/** The box nearest to box `from` in a direction, for the arrow keys; `from` itself where there is none. */
export function neighbour(found: Layout, from: number, key: "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight"): number {
  const here = found.boxes[from];
  if (!here) return found.boxes.length > 0 ? 0 : -1;
  let best = from;
  let least = Infinity;
  found.boxes.forEach((box, index) => {
    const dx = box.x - here.x;
    const dy = box.y - here.y;
    const ahead = key === "ArrowUp" ? -dy : key === "ArrowDown" ? dy : key === "ArrowLeft" ? -dx : dx;
    const aside = Math.abs(key === "ArrowUp" || key === "ArrowDown" ? dx : dy);
    if (ahead <= 0 || index === from) return;
    const far = ahead + 3 * aside;
    if (far < least) [least, best] = [far, index];
  });
  return best;
}
