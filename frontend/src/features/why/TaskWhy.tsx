// Why a step waits: the sentence, the evidence per pool, when it starts by itself, and what would start it now.

import { Stack, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Loaded } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { ago, duration, plain, timeOf } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { type TaskStart, useTaskStart } from "@/queries/explain";
import { Framed } from "./Framed";
import { Options } from "./Options";

interface Reason {
  pool?: string | null;
  site?: string | null;
  sentence?: string;
}

export function TaskWhy({ run, why: data }: { run: string; why: Schemas["WhyOut"] }) {
  const { t, i18n } = useTranslation(["why", "base"]);
  const start = useTaskStart(data.task_id, true);
  const now = useNow(true);
  const perPool = (data.reasons as Reason[]).filter((r) => r.pool);
  return (
    <Framed color="yellow" title={t("waits")}>
      <Stack gap="xs">
        <div>
          <Text size="sm" fw={600}>{plain(data.sentence)}</Text>
          {data.since_ms !== null && <Text size="xs" c="dimmed">{t("since", { when: ago(data.since_ms, now, i18n.language) })}</Text>}
        </div>
        <Loaded query={start}>{(found) => <Start run={run} start={found} now={now} next={data.next_step} />}</Loaded>
        {perPool.length > 0 && (
          <WideTable minWidth={300}>
            <Table fz="xs" captionSide="top">
              <Table.Caption>{t("perPool")}</Table.Caption>
              <Table.Tbody>
                {perPool.map((reason, i) => (
                  <Table.Tr key={i}>
                    <Table.Th scope="row">{plain(reason.pool ?? "")}</Table.Th>
                    <Table.Td>{plain(reason.site ?? "")}</Table.Td>
                    <Table.Td>{plain(reason.sentence ?? "")}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </WideTable>
        )}
      </Stack>
    </Framed>
  );
}

function Start({ run, start, now, next }: { run: string; start: TaskStart; now: number; next: string }) {
  const { t, i18n } = useTranslation(["why", "base"]);
  const { expected } = start;
  const until = (ms: number) => duration(Math.max(0, ms - now));
  const basis = expected && [
    t(expected.whole ? "basis.simulated" : "basis.estimated", { queued: expected.queued, running: expected.running }),
    t(expected.samples > 0 ? "basis.measured" : "basis.unmeasured"),
    expected.low_ms !== null ? t("basis.checked", { count: expected.checked }) : t("basis.unchecked", { count: expected.checked }),
  ];
  return (
    <>
      {start.starts_now && <Text size="sm">{t("startsNow")}</Text>}
      {expected && !start.starts_now && (
        <div>
          <Text size="sm">
            <b>{t("expected")}:</b>{" "}
            {expected.at_ms === null ? t("noStart") : <time dateTime={new Date(expected.at_ms).toISOString()} title={timeOf(expected.at_ms, i18n.language)}>{t("inAbout", { time: until(expected.at_ms) })}</time>}
            {expected.low_ms !== null && expected.high_ms !== null && ` (${t("range", { low: until(expected.low_ms), high: until(expected.high_ms) })})`}
            {expected.pool !== "" && `, ${plain(expected.pool)} · ${plain(expected.site)}`}
          </Text>
          {expected.at_ms !== null && basis && <Text size="xs" c="dimmed">{basis.join(t("basis.join"))}</Text>}
        </div>
      )}
      {!start.starts_now && (
        <div>
          <Title order={5} size="sm" mb={4}>{t("next")}</Title>
          {start.options.length === 0 ? <Text size="sm">{t("nothing")} {plain(next)}</Text> : <Options run={run} start={start} />}
        </div>
      )}
    </>
  );
}
