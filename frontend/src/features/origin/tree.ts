// The graph of an answer as an indented list, from the start outwards. Pure.

import type { Schemas } from "@/api/client";

export type Side = "behind" | "ahead";
export type Place = Schemas["OriginPlaceOut"];
export type How = Schemas["OriginLinkOut"]["how"];

export interface Row {
  depth: number;
  how: How;
  /** The input's or the output's name at the link; may be empty. */
  name: string;
  place: Place;
  /** It was told above: only named here. */
  again: boolean;
}

/** What lies on one side, each thing told where it is first met. */
export function rowsOf(found: Pick<Schemas["OriginOut"], "start" | "places" | "links">, side: Side): Row[] {
  const places = new Map(found.places.map((p) => [p.id, p]));
  const next = new Map<string, { how: How; name: string; to: string }[]>();
  for (const link of found.links) {
    const [near, far] = side === "behind" ? [link.after, link.before] : [link.before, link.after];
    const from = places.get(near);
    if (!from || places.get(far)?.side !== side || (from.side !== side && from.side !== "start")) continue;
    next.set(near, [...(next.get(near) ?? []), { how: link.how, name: link.name, to: far }]);
  }
  const rows: Row[] = [];
  const told = new Set([found.start]);
  const todo = (next.get(found.start) ?? []).map((link) => ({ depth: 0, ...link })).reverse();
  for (let link = todo.pop(); link; link = todo.pop()) {
    const { depth, how, name, to } = link;
    const again = told.has(to);
    rows.push({ depth, how, name, place: places.get(to)!, again });
    if (again) continue;
    told.add(to);
    todo.push(...(next.get(to) ?? []).map((following) => ({ depth: depth + 1, ...following })).reverse());
  }
  return rows;
}

/** Where a thing is shown; null where there is no page of it (any more). */
export function addressOf(place: Place, run: Schemas["OriginRunOut"] | undefined): string | null {
  if (place.kind === "dataset") return place.content ? `/data/${place.content.dataset}?version=${place.content.number}` : null;
  if (!run || run.deleted) return null;
  if (place.kind === "artifact") return place.content?.gone ? null : `/runs/${run.id}/origin?of=${encodeURIComponent(place.content?.key ?? "")}`;
  if (place.kind === "step") return `/runs/${run.id}/graph?step=${encodeURIComponent(place.step?.node ?? "")}`;
  return `/runs/${run.id}`;
}
