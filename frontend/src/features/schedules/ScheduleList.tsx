// The schedules of a project: when each comes next, what became of it last, and the switches.

import { Anchor, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { More } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { useRest } from "@/queries/rest";
import { schedulesAfter, schedulesKey, useScheduleRun, useScheduleSwitch } from "@/queries/schedules";
import { Moment, nextOf, StateMark, TickMark, wordsOf, zoneOf } from "./parts";

export function ScheduleList({ project, page }: { project: string; page: Schemas["SchedulesOut"] }) {
  const { t, i18n } = useTranslation(["schedules", "base"]);
  const list = useRest(schedulesKey(project), page.schedules, schedulesAfter(project), (row) => row.id);
  const run = useScheduleRun(project);
  const turn = useScheduleSwitch(project);
  const failed = [run, turn].find((deed) => deed.isError);
  return (
    <Stack gap="sm">
      {failed && <ErrorNote error={failed.error} />}
      <WideTable minWidth={760}>
        <Table fz="sm" verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>{(["name", "when", "next", "last"] as const).map((key) => <Table.Th key={key}>{t(`column.${key}`)}</Table.Th>)}<Table.Th aria-label={t("column.deeds")} /></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.rows.map((row) => (
              <Table.Tr key={row.id}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>
                  <Anchor component={Link} size="sm" to={`/project/schedules/${row.id}`}>{plain(row.name)}</Anchor> <StateMark row={row} />
                  {row.condition !== "" && <Text size="xs" c="red">{plain(row.condition)}</Text>}
                </Table.Td>
                <Table.Td>
                  {wordsOf(row, i18n.language).map((words, i) => <Text key={i} size="sm">{words}</Text>)}
                  <Text size="xs" c="dimmed">{plain(zoneOf(row))}</Text>
                </Table.Td>
                <Table.Td>{nextOf(row)[0] ? <Moment ms={nextOf(row)[0]!} zone={zoneOf(row)} /> : "–"}</Table.Td>
                <Table.Td>{row.last_tick ? <TickMark tick={row.last_tick} /> : <Text size="sm" c="dimmed">{t("noTick")}</Text>}</Table.Td>
                <Table.Td ta="right">
                  {page.may_write && (
                    <Group gap={4} justify="flex-end" wrap="nowrap">
                      <Button size="compact-xs" variant="light" aria-label={t("runNowNamed", { name: plain(row.name) })} loading={run.isPending && run.variables === row.id} onClick={() => run.mutate(row.id)}>{t("runNow")}</Button>
                      <Button size="compact-xs" variant="default" aria-label={t(row.suspended ? "resumeNamed" : "suspendNamed", { name: plain(row.name) })} loading={turn.isPending && turn.variables?.id === row.id} onClick={() => turn.mutate({ id: row.id, on: row.suspended })}>{t(row.suspended ? "resume" : "suspend")}</Button>
                    </Group>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <More query={list} />
      {run.isSuccess && <Text size="sm" role="status">{t("started")} <Anchor component={Link} size="sm" to={`/runs/${run.data.run_id}`}>{plain(run.data.run_name)}</Anchor></Text>}
    </Stack>
  );
}
