// What waits for a person: which step, for how long, and the way to its form.

import { Anchor, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { duration, plain } from "@/lib/format";

export function AskNote({ run, answer, now }: { run: string; answer: Schemas["AnswerOut"]; now: number }) {
  const { t } = useTranslation("late");
  const told = t("answer.waits", { step: plain(answer.step), time: duration(Math.max(0, now - answer.since_ms)) });
  return (
    <Text size="sm">
      <Text span inherit fw={600}>{told}</Text>
      {answer.more > 0 && ` ${t("answer.more", { count: answer.more })}`}{" "}
      <Anchor component={Link} to={`/runs/${run}/graph?step=${encodeURIComponent(answer.node_id)}`} fz="sm">{t(answer.may ? "answer.give" : "answer.look")}</Anchor>
    </Text>
  );
}
