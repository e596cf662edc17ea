// What happened to a run and its steps, in the order it happened; ids and actors as they are.

import { Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { More, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { useRunEvents } from "@/queries";

export function Events({ run }: { run: string }) {
  const { t } = useTranslation(["events", "base"]);
  const events = useRunEvents(run);
  const rows = events.data?.pages.flatMap((page) => page.results) ?? [];
  const what = (kind: string) => t(`what.${kind.split(".")[1] ?? kind}`, { defaultValue: kind });
  const state = (name: string) => t(`base:state.${name.toLowerCase()}`, { defaultValue: t(`what.${name}`, { defaultValue: name }) });
  return (
    <Stack>
      {events.isError && <ErrorNote error={events.error} again={() => void events.refetch()} />}
      <WideTable minWidth={560}>
        <Table fz="xs">
          <Table.Thead>
            <Table.Tr>{(["at", "topic", "kind", "id", "by"] as const).map((name) => <Table.Th key={name}>{t(`column.${name}`)}</Table.Th>)}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((event) => (
              <Table.Tr key={event.id}>
                <Table.Td style={{ whiteSpace: "nowrap" }}><When ms={event.at_ms} /></Table.Td>
                <Table.Td>{t(`topic.${event.topic}`, { defaultValue: event.topic })}</Table.Td>
                <Table.Td>
                  {event.to_state === "" ? what(event.kind) : event.from_state === "" ? state(event.to_state) : `${state(event.from_state)} → ${state(event.to_state)}`}
                </Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}><Text span fz="xs" ff="monospace">{plain(event.entity_id)}</Text></Table.Td>
                <Table.Td>{plain(event.actor.replace(/^user:/, ""))}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <More query={events} />
    </Stack>
  );
}
