// Amounts for charts and estimates. Pure; micros in, text or lengths out.

import { microsOf } from "@/lib/format";

/** Micros to two digits after the point: an estimate's further digits say nothing. What is more than nothing never shows as 0. */
export function about(micros: number): string {
  if (micros !== 0 && Math.abs(micros) < 5000) return micros < 0 ? "> -0.01" : "< 0.01";
  return (micros / 1_000_000).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

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

/** What was typed for a limit, in the server's unit: people write cores, GB and currency units. Null: not such a number. */
export function limitOf(limit: Limit, text: string): number | null {
  if (limit === "month_micros") return microsOf(text);
  const parts = limit === "cpu_millis" || limit === "storage_bytes";
  if (!(parts ? /^\d{1,9}(\.\d{1,3})?$/ : /^\d{1,9}$/).test(text.trim())) return null;
  const unit = limit === "cpu_millis" ? 1000 : limit === "storage_bytes" ? 1e9 : 1;
  return Math.round(Number(text) * unit);
}
