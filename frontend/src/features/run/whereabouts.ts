// Where in the tree a step stands that shares its name with another: the names around it that tell them apart. Pure.

import type { GraphNode } from "@/features/graph/layout";

const DEPTH = 50; // of a loop that calls itself; what is deeper is told apart by its inner names

/** For a node whose name another has: its enclosing templates' names, outermost first, without those all of them share; else "". */
export function whereabouts(nodes: readonly GraphNode[]): (node: GraphNode) => string {
  const byId = new Map(nodes.map((n) => [n.id, n]));
  const alike = new Map<string, GraphNode[]>();
  for (const node of nodes) alike.set(node.name, [...(alike.get(node.name) ?? []), node]);
  const around = (node: GraphNode): string[] => {
    const names: string[] = [];
    for (let at = byId.get(node.boundary); at && at.boundary !== "" && names.length < DEPTH; at = byId.get(at.boundary)) names.unshift(at.name);
    return names;
  };
  const known = new Map<string, string>();
  return (node) => {
    const found = known.get(node.id);
    if (found !== undefined) return found;
    const same = alike.get(node.name) ?? [];
    const paths = same.length > 1 && same.length <= 1000 ? same.map(around) : [];
    const shared = paths.length > 0 ? paths[0]!.findIndex((name, i) => paths.some((path) => path[i] !== name)) : 0;
    for (const [i, one] of same.entries()) known.set(one.id, paths.length === 0 ? "" : (paths[i]!.slice(shared < 0 ? paths[0]!.length : shared).join(" / ")));
    return known.get(node.id) ?? "";
  };
}
