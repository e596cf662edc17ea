// A project's webhooks: made and tried here, their secret shown once, and what became of the last messages.

import { Alert, Badge, Button, Checkbox, Code, CopyButton, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { More, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { noticesKey, useHookDeed, useMessages, webhooksAfter } from "@/queries/notices";
import { useRest } from "@/queries/rest";

const KINDS = ["run_succeeded", "run_failed", "step_waiting", "step_suspended", "budget"] as const;
const COLOUR = { waiting: "yellow", delivered: "green", failed: "red" } as const;

export function Webhooks({ project, first }: { project: string; first: Schemas["WebhooksPage"] }) {
  const { t } = useTranslation(["notices", "base"]);
  const found = useRest([...noticesKey(project), "webhooks"], first, webhooksAfter(project), (hook) => hook.id);
  const deed = useHookDeed(project);
  const [secret, setSecret] = useState("");
  const [shown, setShown] = useState("");
  const act = (what: Parameters<typeof deed.mutate>[0]) => deed.mutate(what, { onSuccess: (made) => made !== null && setSecret(made) });
  return (
    <Stack gap="sm">
      {deed.isError && <ErrorNote error={deed.error} />}
      {secret !== "" && (
        <Alert color="yellow" title={t("hooks.secret")} withCloseButton closeButtonLabel={t("base:app.close")} onClose={() => setSecret("")}>
          <Group>
            <Code style={{ overflowWrap: "anywhere" }}>{secret}</Code>
            <CopyButton value={secret}>{({ copied, copy }) => <Button size="compact-xs" onClick={copy}>{copied ? t("base:app.copied") : t("base:app.copy")}</Button>}</CopyButton>
          </Group>
        </Alert>
      )}
      {found.rows.length === 0 && <Text size="sm">{t("hooks.none")}</Text>}
      {found.rows.map((hook) => (
        <Stack key={hook.id} gap={4}>
          <Group justify="space-between">
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              <b>{plain(hook.name)}</b> {plain(hook.url)}
            </Text>
            <Group gap={6}>
              <Button size="compact-xs" variant="default" onClick={() => act({ do: "test", id: hook.id })}>{t("hooks.test")}</Button>
              <Button size="compact-xs" variant="default" onClick={() => act({ do: "rotate", id: hook.id })}>{t("hooks.rotate")}</Button>
              <Button size="compact-xs" variant="default" onClick={() => act({ do: "switch", id: hook.id, active: !hook.active })}>{t(hook.active ? "hooks.off" : "hooks.on")}</Button>
              <Button size="compact-xs" variant="default" color="red" onClick={() => act({ do: "remove", id: hook.id })}>{t("hooks.remove")}</Button>
              <Button size="compact-xs" variant="subtle" aria-expanded={shown === hook.id} onClick={() => setShown(shown === hook.id ? "" : hook.id)}>{t("hooks.messages")}</Button>
            </Group>
          </Group>
          {!hook.active && <Text size="xs" c="red">{t("hooks.inactive")} {plain(hook.why_inactive)}</Text>}
          <Text size="xs" c="dimmed">{hook.kinds.map((kind) => t(`name.${kind}`)).join(", ")}</Text>
          {shown === hook.id && <Messages project={project} id={hook.id} resend={(message) => act({ do: "resend", id: hook.id, message })} />}
        </Stack>
      ))}
      <More query={found} />
      <NewHook busy={deed.isPending} onMake={(body) => act({ do: "create", body })} />
    </Stack>
  );
}

function Messages({ project, id, resend }: { project: string; id: string; resend: (message: string) => void }) {
  const { t } = useTranslation("notices");
  const found = useMessages(project, id);
  if (found.data?.results.length === 0) return <Text size="xs">{t("hooks.noMessages")}</Text>;
  return (
    <WideTable minWidth={420}>
      <Table fz="xs">
        <Table.Tbody>
          {found.data?.results.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td style={{ whiteSpace: "nowrap" }}><When ms={row.created_at_ms} /></Table.Td>
              <Table.Td>{t(`name.${row.kind}`)}</Table.Td>
              <Table.Td><Badge size="xs" tt="none" variant="light" color={COLOUR[row.state]} c={`var(--mantine-color-${COLOUR[row.state]}-light-color)`}>{t(`hooks.${row.state}`)}</Badge></Table.Td>
              <Table.Td>{t("hooks.tries", { count: row.tries })}</Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{[row.last_status, plain(row.last_answer)].filter(Boolean).join(" ")}</Table.Td>
              <Table.Td><Button size="compact-xs" variant="default" onClick={() => resend(row.id)}>{t("hooks.resend")}</Button></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}

function NewHook({ busy, onMake }: { busy: boolean; onMake: (body: Schemas["WebhookCreateRequest"]) => void }) {
  const { t } = useTranslation("notices");
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [kinds, setKinds] = useState<string[]>(["run_failed", "budget"]);
  return (
    <details>
      <summary style={{ cursor: "pointer", fontSize: "var(--mantine-font-size-sm)" }}>{t("hooks.new")}</summary>
      <Stack gap="xs" mt="xs" component="form" onSubmit={(event: React.FormEvent) => { event.preventDefault(); onMake({ name, url, kinds }); }}>
        <Group grow>
          <TextInput size="xs" required label={t("hooks.name")} value={name} maxLength={60} onChange={(e) => setName(e.currentTarget.value)} />
          <TextInput size="xs" required type="url" label={t("hooks.url")} value={url} maxLength={500} placeholder="https://" onChange={(e) => setUrl(e.currentTarget.value)} />
        </Group>
        <Checkbox.Group value={kinds} onChange={setKinds} label={t("hooks.kinds")} size="xs">
          <Group gap="sm" mt={4}>{KINDS.map((kind) => <Checkbox key={kind} size="xs" value={kind} label={t(`name.${kind}`)} />)}</Group>
        </Checkbox.Group>
        <Text size="xs" c="dimmed">{t("hooks.signed")}</Text>
        <Button type="submit" size="xs" w="fit-content" loading={busy} disabled={name === "" || url === "" || kinds.length === 0}>{t("hooks.make")}</Button>
      </Stack>
    </details>
  );
}
