// Rates as they are typed and shown: currency units in, micros out. Pure.

import { amount, microsOf } from "@/lib/format";

export const SCALARS = ["core_hour_micros", "memory_gib_hour_micros", "start_micros", "egress_gib_micros"] as const;
export type Scalar = (typeof SCALARS)[number];
export type Rates = Record<Scalar, number> & { device_hour_micros: Record<string, number> };
export type Typed = Record<Scalar | "devices", string>;

const plainMoney = (micros: number) => amount(micros).replace(/,/g, "");

/** A version's rates as a person would type them. */
export function typedOf(rates: Rates | null): Typed {
  const typed = Object.fromEntries(SCALARS.map((name) => [name, plainMoney(rates?.[name] ?? 0)])) as Record<Scalar, string>;
  return { ...typed, devices: Object.entries(rates?.device_hour_micros ?? {}).map(([name, micros]) => `${name}=${plainMoney(micros)}`).join("; ") };
}

/** Devices as they are typed, ``NAME=AMOUNT; ...``; null: something of it is not such a thing. */
export function devicesOf(text: string): Record<string, number> | null {
  const found: Record<string, number> = {};
  for (const part of text.split(/[;；]/).map((one) => one.trim())) {
    if (part === "") continue;
    const parts = /^([A-Za-z0-9][A-Za-z0-9./_-]{0,79})\s*=\s*(\S+)$/.exec(part);
    const amount = parts ? microsOf(parts[2]!) : null;
    if (!parts || amount === null || parts[1]! in found) return null;
    found[parts[1]!] = amount;
  }
  return found;
}

/** What was typed, as the API takes it, and the fields that are no amounts. */
export function ratesOf(typed: Typed): { rates: Rates; wrong: (Scalar | "devices")[] } {
  const wrong: (Scalar | "devices")[] = [];
  const scalars = Object.fromEntries(
    SCALARS.map((name) => {
      const micros = typed[name].trim() === "" ? 0 : microsOf(typed[name]);
      if (micros === null) wrong.push(name);
      return [name, micros ?? 0];
    }),
  ) as Record<Scalar, number>;
  const devices = devicesOf(typed.devices);
  if (devices === null) wrong.push("devices");
  return { rates: { ...scalars, device_hour_micros: devices ?? {} }, wrong };
}

/** A change in percent, as people read it. */
export function percent(permille: number | null): string {
  return permille === null ? "–" : `${permille > 0 ? "+" : ""}${(permille / 10).toLocaleString("en-US", { maximumFractionDigits: 1 })} %`;
}

/** How much more the same use costs, in thousandths; null where it cost nothing. */
export const dearer = (before: number, after: number): number | null => (before === 0 ? null : Math.round(((after - before) * 1000) / before));
