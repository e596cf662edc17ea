// The smallest changes that start a step, or mend it; each with a button for who may make it.

import { Alert, Button, Checkbox, Group, Paper, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { ago, money, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { type Change, type TaskStart, useApplyOption, useAsk } from "@/queries/explain";

const OF_STEP = new Set(["objective", "priority", "forgive", "walltime", "cpu", "memory", "disk", "devices", "place"]);

export function Options({ run, start }: { run: string; start: TaskStart }) {
  const { t, i18n } = useTranslation(["why", "base"]);
  const now = useNow(start.asked_ms !== null);
  const ask = useAsk(start.task_id);
  const apply = useApplyOption(run, start.task_id);
  const [like, setLike] = useState(true);
  const several = start.like > 1 && start.options.some((o) => o.changes.some((c) => OF_STEP.has(c.kind)));
  /** Who may make a change, with the names of those the reader can see. */
  const who = ({ who, people }: Change) => (people.length === 0 ? plain(who) : t("people", { who: plain(who), names: people.map(plain).join(", ") }));
  if (apply.isSuccess)
    return (
      <Alert color="green" p="xs" role="status" title={t("applied")}>
        <Text size="sm">{apply.data.tasks > 1 ? t("appliedTo", { count: apply.data.tasks }) : t("appliedNext")}</Text>
      </Alert>
    );
  return (
    <Stack gap="xs">
      {start.options.map((option, i) => (
        <Paper key={i} withBorder p="xs" component="section" aria-label={t("option", { n: i + 1 })}>
          <Group justify="space-between" gap="xs" align="flex-start">
            <Stack gap={2} style={{ flex: "1 1 14rem" }}>
              {option.changes.map((change) => (
                <Text size="sm" fw={600} key={`${change.kind} ${change.pool_id} ${change.member} ${change.word}`}>{plain(change.sentence)}</Text>
              ))}
              {option.pool !== "" && (
                <Text size="xs" c="dimmed">
                  {t("thenIn", { pool: plain(option.pool), site: plain(option.site), price: option.price_micros ? money(option.price_micros) : t("free") })}
                </Text>
              )}
              {!option.allowed && (
                <Text size="xs">
                  {t("needs", { who: [...new Set(option.changes.filter((c) => !c.allowed).map(who))].join(", ") })}
                </Text>
              )}
            </Stack>
            {!option.allowed && start.asked_ms === null && !ask.isSuccess && (
              <Button size="xs" variant="default" loading={ask.isPending} onClick={() => ask.mutate(option)}>{t("ask")}</Button>
            )}
            {option.allowed && (
              <Button size="xs" variant={i === 0 ? "filled" : "default"} loading={apply.isPending} onClick={() => apply.mutate({ option, like })}>
                {option.changes[0]?.kind === "retry" ? t("retry") : t("apply")}
              </Button>
            )}
          </Group>
        </Paper>
      ))}
      {several && <Checkbox size="xs" checked={like} onChange={(e) => setLike(e.currentTarget.checked)} label={t("forLike", { count: start.like })} />}
      {!start.complete && <Text size="xs" c="dimmed">{t("incomplete")}</Text>}
      {ask.isSuccess && <Text size="sm" role="status">{t("askedNow", { count: ask.data.people })}</Text>}
      {!ask.isSuccess && start.asked_ms !== null && <Text size="sm" c="dimmed">{t("asked", { when: ago(start.asked_ms, now, i18n.language) })}</Text>}
      {ask.isError && <ErrorNote error={ask.error} />}
      {apply.isError && <ErrorNote error={apply.error} />}
    </Stack>
  );
}
