// Numbers as people read them. Money is integer micros, sizes bytes, times milliseconds; nothing here reads a clock.

const MICROS = 1_000_000;

/** Micros as currency units: two digits after the point, more only where they say something. */
export function money(micros: number | null | undefined): string {
  if (micros === null || micros === undefined) return "–";
  const sign = micros < 0 ? "-" : "";
  const whole = Math.floor(Math.abs(micros) / MICROS);
  const part = String(Math.abs(micros) % MICROS).padStart(6, "0").replace(/0+$/, "").padEnd(2, "0");
  return `${sign}${whole.toLocaleString("en-US")}.${part}`;
}

/** What was typed, in micros; null where it is no amount with at most six digits after the point. */
export function microsOf(text: string): number | null {
  const found = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text.trim());
  return found ? Number(found[1]) * MICROS + Number((found[2] ?? "").padEnd(6, "0")) : null;
}

export function moneyRange(low: number, high: number | null): string {
  if (high === null) return `≥ ${money(low)}`;
  return low === high ? money(low) : `${money(low)} – ${money(high)}`;
}

export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}

/** A duration in its two largest units: 950 ms, 12.4 s, 3 min 20 s, 2 h 5 min, 4 d 3 h. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export function timeOf(ms: number | null | undefined, language: string): string {
  if (ms === null || ms === undefined) return "–";
  return new Date(ms).toLocaleString(language, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** How long ago, as a sentence part in the reader's language. */
export function ago(ms: number, nowMs: number, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const s = Math.round((ms - nowMs) / 1000);
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3600], ["minute", 60]];
  for (const [unit, length] of steps) if (Math.abs(s) >= length) return format.format(Math.trunc(s / length), unit);
  return format.format(s, "second");
}

export function cores(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : (millis / 1000).toFixed(1);
}

/** Text from elsewhere made harmless to read: controls and direction marks are shown, not obeyed. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\u00b7");
}
