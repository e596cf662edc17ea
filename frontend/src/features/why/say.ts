// Changes on offer as sentences of the reader's language, from the server's kinds and figures. Why a step waits, the
// server says itself in that language.

import type { TFunction } from "i18next";
import { cores, duration, money, plain, size } from "@/lib/format";
import type { Change } from "@/queries/explain";

/** Whose quota it is: a member's, or the project's own. */
const whoseQuota = (t: TFunction, member: string) => (member === "" ? t("why:theProject") : plain(member));

const QUOTAS: Record<string, (amount: number) => string> = { cores, money };

const AMOUNTS: Partial<Record<Change["kind"], (amount: number) => string>> = {
  budget: money,
  run_limit: money,
  cpu: cores,
  quota_cpu: cores,
  memory: size,
  disk: size,
  walltime: (s) => duration(s * 1000),
};

/** Who may make a change, with the names of those the reader can see. */
export function whoText(t: TFunction, change: Change): string {
  const who = t(`why:who.${change.kind === "quota" && change.member !== "" ? "quota_member" : change.kind}`);
  return change.people.length === 0 ? who : t("why:people", { who, names: change.people.map(plain).join(", ") });
}

export function changeText(t: TFunction, change: Change): string {
  if (change.kind === "retry") {
    const shown = change.word === "memory_bytes" ? size : (s: number) => duration(s * 1000);
    return change.word === ""
      ? t("why:change.retry")
      : t(`why:change.retry_${change.word}`, { amount: shown(change.amount ?? 0), before: change.before === null ? "–" : shown(change.before) });
  }
  if (change.kind === "quota") {
    const limit = QUOTAS[change.word] ?? ((amount: number) => amount.toLocaleString("en-US"));
    return t(`why:change.quota_${change.word}`, {
      amount: limit(change.amount ?? 0),
      before: change.before === null ? "–" : limit(change.before),
      whose: whoseQuota(t, change.member),
      defaultValue: plain(change.sentence),
    });
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
