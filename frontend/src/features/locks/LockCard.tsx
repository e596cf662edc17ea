// One mutex or semaphore: who has it, who is next, since when; taken from its holder only after a word of warning.

import { Anchor, Badge, Button, Group, NumberInput, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Took } from "@/components/parts";
import { plain } from "@/lib/format";
import { useLockBreak, useSemaphoreSize } from "@/queries/locks";

type Lock = Schemas["LockDetail"];
type Party = Schemas["PartyOut"];

export function LockCard({ project, lock, mayBreak, maySize }: { project: string; lock: Lock; mayBreak: boolean; maySize: boolean }) {
  const { t } = useTranslation(["locks", "base"]);
  const [taking, setTaking] = useState<Party | null>(null);
  const title = plain(t(lock.semaphore ? "semaphore" : "mutex", { name: (lock.name ?? "").replace(/^(mutex|semaphore) /, "") }));
  const rest = { holders: lock.held - lock.holders.length, waiters: lock.waiting - lock.waiters.length };
  return (
    <Card title={title} aside={<Badge variant="light" color={lock.waiting > 0 ? "orange" : "gray"} tt="none" c={`var(--mantine-color-${lock.waiting > 0 ? "orange" : "gray"}-light-color)`}>{t("counts", { held: lock.held, size: lock.size ?? "?", waiting: lock.waiting })}</Badge>}>
      <Stack gap="sm">
        {lock.holders.length + lock.waiters.length > 0 ? (
          <Table fz="sm">
            <Table.Thead><Table.Tr><Table.Th>{t("what")}</Table.Th><Table.Th>{t("who")}</Table.Th><Table.Th>{t("since")}</Table.Th><Table.Th aria-label={t("take")} /></Table.Tr></Table.Thead>
            <Table.Tbody>
              {lock.holders.map((party) => <Row key={`h${party.run_id}${party.node_id}`} party={party} take={mayBreak ? () => setTaking(party) : undefined} />)}
              {lock.waiters.map((party) => <Row key={`w${party.run_id}${party.node_id}`} party={party} take={undefined} />)}
            </Table.Tbody>
          </Table>
        ) : (
          <Text size="sm" c="dimmed">{t("free")}</Text>
        )}
        {(rest.holders > 0 || rest.waiters > 0) && <Text size="xs" c="dimmed">{t("rest", rest)}</Text>}
        {maySize && lock.kind === "Database" && <Size project={project} lock={lock} />}
      </Stack>
      <Dialog opened={taking !== null} onClose={() => setTaking(null)} title={t("takeNamed", { name: title })}>
        {taking && <Take project={project} lock={lock} party={taking} done={() => setTaking(null)} />}
      </Dialog>
    </Card>
  );
}

function Row({ party, take }: { party: Party; take: (() => void) | undefined }) {
  const { t } = useTranslation("locks");
  const holds = party.held_at_ms !== null;
  const who = plain(party.node_id ? party.node_name : t("wholeRun"));
  return (
    <Table.Tr>
      <Table.Td><Badge size="sm" variant="light" color={holds ? "blue" : "orange"} tt="none" c={`var(--mantine-color-${holds ? "blue" : "orange"}-light-color)`}>{t(holds ? "holds" : "waits")}</Badge></Table.Td>
      <Table.Td style={{ overflowWrap: "anywhere" }}>
        <Anchor component={Link} size="sm" to={party.node_id ? `/runs/${party.run_id}/steps?step=${encodeURIComponent(party.node_id)}` : `/runs/${party.run_id}`}>{plain(party.run_name)}</Anchor>
        <Text size="xs" c="dimmed">{who}</Text>
      </Table.Td>
      <Table.Td><Took from={party.held_at_ms ?? party.asked_at_ms} to={null} /></Table.Td>
      <Table.Td ta="right">{take && <Button size="compact-xs" variant="light" color="red" aria-label={t("takeFrom", { name: plain(party.run_name) })} onClick={take}>{t("take")}</Button>}</Table.Td>
    </Table.Tr>
  );
}

function Take({ project, lock, party, done }: { project: string; lock: Lock; party: Party; done: () => void }) {
  const { t } = useTranslation(["locks", "base"]);
  const take = useLockBreak(project);
  return (
    <Stack>
      <Text size="sm">{t("takeHint", { who: plain(party.run_name) })}</Text>
      <Text size="sm">{t("takeInstead")} <Anchor component={Link} size="sm" to={`/runs/${party.run_id}`}>{plain(party.run_name)}</Anchor></Text>
      {take.isError && <ErrorNote error={take.error} />}
      <Group justify="flex-end">
        <Button variant="default" onClick={done}>{t("base:app.close")}</Button>
        <Button color="red" loading={take.isPending} onClick={() => take.mutate({ lock: lock.id, run: party.run_id, node: party.node_id }, { onSuccess: done })}>{t("takeAnyway")}</Button>
      </Group>
    </Stack>
  );
}

function Size({ project, lock }: { project: string; lock: Lock }) {
  const { t } = useTranslation("locks");
  const change = useSemaphoreSize(project);
  const [size, setSize] = useState<number | string>(lock.size ?? 1);
  return (
    <form onSubmit={(e) => { e.preventDefault(); change.mutate({ name: lock.resource, size: Number(size) }); }}>
      <Group align="flex-end" gap="xs">
        <NumberInput size="xs" w={140} label={t("size")} min={1} max={1_000_000} value={size} onChange={setSize} />
        <Button size="xs" variant="default" type="submit" loading={change.isPending} disabled={Number(size) < 1 || Number(size) === lock.size}>{t("sizeSet")}</Button>
      </Group>
      {change.isError && <ErrorNote error={change.error} />}
    </form>
  );
}
