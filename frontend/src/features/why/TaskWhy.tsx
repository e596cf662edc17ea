// Why a step waits: the sentence, the evidence per pool, what would start it.

import { Alert, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ago, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { useTaskWhy } from "@/queries";

interface Reason {
  code?: string;
  pool?: string | null;
  site?: string | null;
  sentence?: string;
}

export function TaskWhy({ run, task }: { run: string; task: string }) {
  const { t, i18n } = useTranslation();
  const why = useTaskWhy(run, task);
  const now = useNow(true);
  if (!why.data) return null;
  const { data } = why;
  const reasons = (data.reasons as Reason[]).filter((r) => r.pool);
  return (
    <Alert color="yellow" title={t("why.waits")} p="xs">
      <Text size="sm">{plain(data.sentence)}</Text>
      {data.since_ms !== null && <Text size="xs" c="dimmed">{t("why.since", { when: ago(data.since_ms, now, i18n.language) })}</Text>}
      {data.next_step !== "" && <Text size="sm" mt={4}><b>{t("why.next")}:</b> {plain(data.next_step)}</Text>}
      {reasons.length > 0 && (
        <Table fz="xs" mt={4} captionSide="top">
          <Table.Caption>{t("why.perPool")}</Table.Caption>
          <Table.Tbody>
            {reasons.map((reason, i) => (
              <Table.Tr key={i}>
                <Table.Td>{plain(reason.pool ?? "")}</Table.Td>
                <Table.Td>{t(`reason.${reason.code}`, { defaultValue: reason.code })}</Table.Td>
                <Table.Td>{plain(reason.sentence ?? "")}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Alert>
  );
}
