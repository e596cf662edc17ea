// Numbers as people read them, here and nowhere else (`tests/contract/test_figures_are_shown_one_way.py`). Money is integer
// micros, sizes bytes, times milliseconds; nothing here reads a clock. A sum that stands alone says the installation's
// currency (`money`, `moneyRange`, `inCurrency`); in a table the column's head says it once (`priced`), its cells do not
// (`amount`, `amountRange`). Sizes are binary and named so, as requests for memory and disks are.

const MICROS = 1_000_000;

let currency = "";

/** What the server's answers say in their head; kept, for one installation has one currency. */
export function currencyFrom(header: string | null): void {
  if (!header) return;
  try {
    currency = plain(decodeURIComponent(header));
  } catch {
    // not ours: a proxy's answer
  }
}

/** An amount that stands alone. */
export function inCurrency(text: string): string {
  return currency === "" || text === "–" ? text : `${text}\u00a0${currency}`;
}

/** A column's head whose cells are amounts. */
export function priced(head: string): string {
  if (currency === "") return head;
  return /[\u3400-\u9fff]/.test(head) ? `${head}（${currency}）` : `${head} (${currency})`;
}

/** A sum that stands alone. */
export function money(micros: number | null | undefined): string {
  return inCurrency(amount(micros));
}

/** Micros as a number of currency units, for charts and CSV. */
export function units(micros: number): number {
  return micros / MICROS;
}

/** Micros as currency units: two digits after the point, more only where they say something. */
export function amount(micros: number | null | undefined): string {
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

/** An estimate to two digits after the point: further ones say nothing. What is more than nothing never shows as 0. */
export function about(micros: number): string {
  if (micros !== 0 && Math.abs(micros) < MICROS / 200) return micros < 0 ? "> -0.01" : "< 0.01";
  return units(micros).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

export function amountRange(low: number, high: number | null): string {
  if (high === null) return `≥ ${amount(low)}`;
  return low === high ? amount(low) : `${amount(low)} – ${amount(high)}`;
}

export function moneyRange(low: number, high: number | null): string {
  return inCurrency(amountRange(low, high));
}

/** Bytes in the largest binary unit they fill, with four digits at most. */
export function size(bytes: number): string {
  const names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < names.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 1000 ? Number(value.toPrecision(4)) : value.toFixed(0)} ${names[unit]}`;
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

/** The same with the zone that the reader's clock is in, which a time alone does not say. */
export function timeInZone(ms: number | null | undefined, language: string): string | undefined {
  if (ms === null || ms === undefined) return undefined;
  return new Date(ms).toLocaleString(language, { dateStyle: "full", timeStyle: "long" });
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
