// Reasons and changes as sentences of the reader's language, from the server's codes and figures.

import type { TFunction } from "i18next";
import { cores, duration, money, plain, size } from "@/lib/format";
import type { Change } from "@/queries/explain";

export interface Reason {
  code?: string;
  pool?: string | null;
  site?: string | null;
  sentence?: string;
  [figure: string]: unknown;
}

/** Each figure under its own name, and once more as money, cores and size: the sentence takes the form it needs. */
function figures(reason: Reason): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(reason)) {
    if (typeof value === "number") {
      found[name] = String(value);
      found[`${name}Money`] = money(value);
      found[`${name}Cores`] = cores(value);
      found[`${name}Size`] = size(value);
      found[`${name}Time`] = duration(value * 1000);
    } else if (typeof value === "string") found[name] = plain(value);
  }
  return found;
}

export function reasonText(t: TFunction, reason: Reason): string {
  const fallback = plain(reason.sentence ?? reason.code ?? "");
  return t(`why:say.${reason.code}`, { ...figures(reason), defaultValue: fallback });
}

const AMOUNTS: Partial<Record<Change["kind"], (amount: number) => string>> = {
  budget: money,
  run_limit: money,
  cpu: cores,
  quota_cpu: cores,
  memory: size,
  disk: size,
  walltime: (s) => duration(s * 1000),
};

export function changeText(t: TFunction, change: Change): string {
  if (change.kind === "retry") {
    const shown = change.word === "memory_bytes" ? size : (s: number) => duration(s * 1000);
    return change.word === ""
      ? t("why:change.retry")
      : t(`why:change.retry_${change.word}`, { amount: shown(change.amount ?? 0), before: change.before === null ? "–" : shown(change.before) });
  }
  const shown = AMOUNTS[change.kind] ?? String;
  return t(`why:change.${change.kind}`, {
    amount: change.amount === null ? "" : shown(change.amount),
    before: change.before === null ? "–" : shown(change.before),
    word: change.word === "" ? "" : t(`why:word.${change.word}`),
    pool: plain(change.pool),
    site: plain(change.site),
  });
}
