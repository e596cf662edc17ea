// What a run was quoted at before it was launched, beside what it has come to.

import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { duration, money, moneyRange } from "@/lib/format";
import { useNow } from "@/lib/useNow";

export function Quoted({ run }: { run: Schemas["RunDetail"] }) {
  const { t } = useTranslation(["late", "base"]);
  const nowMs = useNow(run.started_at_ms !== null && run.finished_at_ms === null);
  const quote = run.quote;
  if (!quote || run.generation > 0) return null;
  const took = run.started_at_ms === null ? null : (run.finished_at_ms ?? nowMs) - run.started_at_ms;
  const time = quote.time_low_s === null || quote.time_high_s === null ? "" : `${duration(quote.time_low_s * 1000)} – ${quote.bounded ? duration(quote.time_high_s * 1000) : "…"}`;
  const figures = {
    objective: t(`base:launch.${quote.objective}`),
    money: moneyRange(quote.money_low_micros, quote.bounded ? quote.money_high_micros : null),
    time,
    nowMoney: money(run.settled_micros),
    nowTime: duration(took ?? 0),
  };
  return <Text size="sm">{t(took === null ? "quoted" : run.finished_at_ms === null ? "quotedNow" : "quotedWas", figures)}</Text>;
}
