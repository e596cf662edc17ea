// Where most of a late run's time went. Pure.

import type { Schemas } from "@/api/client";

export function lostIn(spent: Schemas["SpentOut"] | null): { what: "waiting" | "staging" | "running"; ms: number } | null {
  if (spent === null) return null;
  const parts = [
    { what: "waiting" as const, ms: spent.waiting_ms },
    { what: "staging" as const, ms: spent.staging_ms },
    { what: "running" as const, ms: spent.running_ms },
  ];
  const most = parts.reduce((a, b) => (b.ms > a.ms ? b : a));
  return most.ms > 0 ? most : null;
}
