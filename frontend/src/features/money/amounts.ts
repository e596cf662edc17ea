// Amounts of charts, estimates and limits. Pure; micros in, text or lengths out.

import { about, microsOf } from "@/lib/format";

/** A round number at or above the largest, for an axis; at least one micro. */
export function roundUp(most: number): number {
  if (most <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 2.5, 5, 10].find((s) => s * power >= most) ?? 10;
  return step * power;
}

/** The first day of a period that ends with today, as the API takes it. */
export function daysAgo(today: string, days: number): string {
  const at = new Date(`${today}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() - days + 1);
  return at.toISOString().slice(0, 10);
}

/** The range an estimate may come to. */
export function rangeText(range: { low: number; expected: number; high: number }): string {
  return range.low === range.high ? about(range.expected) : `${about(range.low)} – ${about(range.high)}`;
}

export const LIMITS = ["cpu_millis", "accelerators", "runs", "storage_bytes", "month_micros"] as const;
export type Limit = (typeof LIMITS)[number];

/** What was typed for a limit, in the server's unit: people write cores, GiB and currency units. Null: not such a number. */
export function limitOf(limit: Limit, text: string): number | null {
  if (limit === "month_micros") return microsOf(text);
  const parts = limit === "cpu_millis" || limit === "storage_bytes";
  if (!(parts ? /^\d{1,9}(\.\d{1,3})?$/ : /^\d{1,9}$/).test(text.trim())) return null;
  const unit = limit === "cpu_millis" ? 1000 : limit === "storage_bytes" ? 1024 ** 3 : 1;
  return Math.round(Number(text) * unit);
}
