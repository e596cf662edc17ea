import { Stack, Table } from "@mantine/core";
import { ErrorNote } from "@/components/ErrorNote";
import { More, When } from "@/components/parts";
import { plain } from "@/lib/format";
import { useRunEvents } from "@/queries";

export function Events({ run }: { run: string }) {
  const events = useRunEvents(run);
  const rows = events.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack>
      {events.isError && <ErrorNote error={events.error} again={() => void events.refetch()} />}
      <Table.ScrollContainer minWidth={560}>
        <Table fz="xs">
          <Table.Tbody>
            {rows.map((event) => (
              <Table.Tr key={event.id}>
                <Table.Td style={{ whiteSpace: "nowrap" }}><When ms={event.at_ms} /></Table.Td>
                <Table.Td>{event.topic}</Table.Td>
                <Table.Td>{event.kind}</Table.Td>
                <Table.Td>{event.from_state !== "" ? `${event.from_state} → ${event.to_state}` : event.to_state}</Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(event.entity_id)}</Table.Td>
                <Table.Td>{plain(event.actor)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <More query={events} />
    </Stack>
  );
}
