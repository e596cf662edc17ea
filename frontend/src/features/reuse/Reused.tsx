// What of a run, or of a step, is another run's result: the figure at its head and the line at the step.

import { Anchor, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Figure } from "@/components/parts";
import { money, plain } from "@/lib/format";

export function Reused({ run, steps, micros }: { run: string; steps: number; micros: number }) {
  const { t } = useTranslation("reuse");
  return <Figure label={t("steps")} value={<Anchor component={Link} inherit to={`/runs/${run}/origin`}>{steps}</Anchor>} hint={t("savedHint", { money: money(micros) })} />;
}

export function CameFrom({ from }: { from: Schemas["ReusedOut"] }) {
  const { t } = useTranslation("reuse");
  return (
    <Text size="sm">
      {t("cameFrom", { step: plain(from.node_name || from.node) })}{" "}
      <Anchor component={Link} size="sm" to={`/runs/${from.run}/graph?step=${encodeURIComponent(from.node)}`}>{t("job", { number: from.job_number })} {plain(from.run_name)}</Anchor>
    </Text>
  );
}
