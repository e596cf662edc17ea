// Bars of a timeline from a run's leaves. Pure: `nowMs` is passed in. One lane a site, rows packed so that steps that
// did not overlap share one; the critical path is the chain of leaves that ended last, traced back by edges and time.
// A bar has at least one segment, and none ends before it begins: clocks of sites and of this browser differ.

import type { GraphNode } from "@/features/graph/layout";

export type Segment = "waiting" | "staging" | "running";

export interface Bar {
  node: GraphNode;
  row: number;
  segments: { kind: Segment; fromMs: number; toMs: number }[];
  critical: boolean;
}

export interface Lane {
  site: string;
  firstRow: number;
  rows: number;
}

export interface Timeline {
  fromMs: number;
  toMs: number;
  lanes: Lane[];
  bars: Bar[];
  rows: number;
}

/** Up to so many steps each has its whole wait drawn; above, rows would be as many as steps that waited together. */
export const WHOLE_STEPS = 200;

/** `whole`: steps that waited at the same time stand on rows of their own. Otherwise only as much of a wait is drawn as its row was free. */
export function timeline(nodes: readonly GraphNode[], nowMs: number, whole?: boolean): Timeline {
  const leaves = nodes.filter((n) => n.queued_at_ms !== null);
  if (leaves.length === 0) return { fromMs: nowMs, toMs: nowMs, lanes: [], bars: [], rows: 0 };
  const end = (n: GraphNode) => n.ended_at_ms ?? n.finished_at_ms ?? nowMs;
  const fromMs = Math.min(...chunked(leaves.map((n) => n.queued_at_ms!), Math.min));
  const toMs = Math.max(...chunked(leaves.map(end), Math.max));
  const critical = criticalPath(nodes, end);
  const bySite = new Map<string, GraphNode[]>();
  for (const leaf of leaves) {
    const found = bySite.get(leaf.site);
    if (found) found.push(leaf);
    else bySite.set(leaf.site, [leaf]);
  }
  const lanes: Lane[] = [];
  const bars: Bar[] = [];
  let firstRow = 0;
  for (const [site, found] of [...bySite].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b)))) {
    const free: number[] = []; // by row: when it is free again
    const begin = (n: GraphNode) => ((whole ?? leaves.length <= WHOLE_STEPS) ? n.queued_at_ms! : (n.leased_at_ms ?? n.queued_at_ms!));
    for (const node of [...found].sort((a, b) => begin(a) - begin(b) || a.id.localeCompare(b.id))) {
      let row = free.findIndex((until) => until <= begin(node));
      if (row < 0) row = free.push(-Infinity) - 1;
      const parts = segments(node, end(node), Math.max(node.queued_at_ms!, free[row]!));
      free[row] = parts.at(-1)!.toMs;
      bars.push({ node, row: firstRow + row, segments: parts, critical: critical.has(node.id) });
    }
    lanes.push({ site, firstRow, rows: free.length });
    firstRow += free.length;
  }
  return { fromMs, toMs: Math.max(toMs, fromMs + 1), lanes, bars, rows: firstRow };
}

function segments(node: GraphNode, endMs: number, waitsFromMs: number): Bar["segments"] {
  const found: Bar["segments"] = [];
  let at = waitsFromMs;
  const until = (kind: Segment, toMs: number) => {
    if (toMs > at) found.push({ kind, fromMs: at, toMs });
    at = Math.max(at, toMs);
  };
  const { leased_at_ms: leased, running_at_ms: ran } = node;
  until("waiting", leased ?? endMs);
  if (leased !== null) until("staging", ran ?? endMs);
  if (ran !== null) until("running", endMs);
  // What took no time at all is still there to be seen and chosen.
  return found.length > 0 ? found : [{ kind: ran !== null ? "running" : leased !== null ? "staging" : "waiting", fromMs: at, toMs: at }];
}

/** Ids of the leaves on the chain that decided when the run ended. */
function criticalPath(nodes: readonly GraphNode[], end: (n: GraphNode) => number): Set<string> {
  const leaves = nodes.filter((n) => n.queued_at_ms !== null).sort((a, b) => end(a) - end(b));
  const path = new Set<string>();
  let at = leaves.at(-1);
  let index = leaves.length - 1;
  while (at) {
    path.add(at.id);
    // What ended last before this became ready is what it waited for: a step becomes ready the moment its last
    // dependency ends, so times tell the edge even through groups that run nothing.
    const ready = at.queued_at_ms!;
    index -= 1; // one that seems to end before it was queued, by clocks that differ, is not its own cause
    while (index >= 0 && end(leaves[index]!) > ready) index -= 1;
    at = index >= 0 ? leaves[index] : undefined;
  }
  return path;
}

function chunked(values: number[], pick: (...all: number[]) => number): number[] {
  const found: number[] = [];
  for (let i = 0; i < values.length; i += 10_000) found.push(pick(...values.slice(i, i + 10_000)));
  return found;
}
