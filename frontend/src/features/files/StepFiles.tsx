// The working directory of a step that runs, or that failed a while ago: a listing, and text files as they grow.

import { Accordion, Alert, Anchor, Breadcrumbs, Button, Group, ScrollArea, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Loaded } from "@/components/parts";
import { plain, size, timeOf } from "@/lib/format";
import { useLook, type Look } from "@/queries/files";

/** A part of the step's panel; the site is asked only while it is open. */
export function FilesItem({ task, open }: { task: string; open: boolean }) {
  const { t } = useTranslation("files");
  return (
    <Accordion.Item value="files">
      <Accordion.Control>{t("title")}</Accordion.Control>
      <Accordion.Panel>{open && <StepFiles task={task} />}</Accordion.Panel>
    </Accordion.Item>
  );
}

function StepFiles({ task }: { task: string }) {
  const { t, i18n } = useTranslation("files");
  const [path, setPath] = useState("");
  const [follow, setFollow] = useState(true);
  const look = useLook(task, path, follow);
  return (
    <Stack gap="xs">
      <Loaded query={look}>
        {(found) => (
          <>
            <Group justify="space-between">
              <Trail path={found.path} onOpen={setPath} />
              <Group gap="xs">
                {found.live && <Switch size="xs" label={t("follow")} checked={follow} onChange={(event) => setFollow(event.currentTarget.checked)} />}
                <Button size="compact-xs" variant="subtle" leftSection={<IconRefresh size={14} />} loading={look.isFetching && !follow} onClick={() => void look.refetch()}>
                  {t("again")}
                </Button>
              </Group>
            </Group>
            {found.kept_until_ms !== null && <Text size="xs" c="dimmed">{t("kept", { time: timeOf(found.kept_until_ms, i18n.language) })}</Text>}
            {found.kind === "directory" ? <Listing found={found} onOpen={setPath} /> : <TextFile found={found} />}
          </>
        )}
      </Loaded>
      {look.isError && path !== "" && <Button size="compact-xs" variant="light" w="fit-content" onClick={() => setPath("")}>{t("back")}</Button>}
    </Stack>
  );
}

function Trail({ path, onOpen }: { path: string; onOpen: (path: string) => void }) {
  const { t } = useTranslation("files");
  const parts = path.split("/").filter((part) => part !== "");
  return (
    <Breadcrumbs aria-label={t("where")} style={{ flexWrap: "wrap" }}>
      <Anchor component="button" size="sm" onClick={() => onOpen("/")}>/</Anchor>
      {parts.map((part, index) => {
        const to = `/${parts.slice(0, index + 1).join("/")}`;
        return <Anchor key={to} component="button" size="sm" onClick={() => onOpen(to)}>{plain(part)}</Anchor>;
      })}
    </Breadcrumbs>
  );
}

function Listing({ found, onOpen }: { found: Look; onOpen: (path: string) => void }) {
  const { t, i18n } = useTranslation("files");
  const base = found.path.replace(/\/$/, "");
  if (found.entries.length === 0) return <Text size="sm" c="dimmed">{t("empty")}</Text>;
  return (
    <ScrollArea.Autosize mah={380} tabIndex={0}>
      <Table fz="sm" verticalSpacing={2}>
        <Table.Thead>
          <Table.Tr><Table.Th>{t("name")}</Table.Th><Table.Th ta="right">{t("size")}</Table.Th><Table.Th>{t("changed")}</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {found.entries.map((entry) => {
            const opens = entry.kind === "file" || entry.kind === "directory" || entry.kind === "link";
            const shown = plain(entry.name) + (entry.kind === "directory" ? "/" : "");
            return (
              <Table.Tr key={entry.name}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>
                  {opens ? <Anchor component="button" size="sm" ta="left" onClick={() => onOpen(`${base}/${entry.name}`)}>{shown}</Anchor> : <Text size="sm" span>{shown}</Text>}
                  {entry.kind !== "file" && entry.kind !== "directory" && <Text size="xs" c="dimmed" span> {t(`kind.${entry.kind}`)}</Text>}
                </Table.Td>
                <Table.Td ta="right">{entry.kind === "file" ? size(entry.size_bytes) : ""}</Table.Td>
                <Table.Td>{entry.modified_ms > 0 ? timeOf(entry.modified_ms, i18n.language) : ""}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
      {found.truncated && <ByName listed={found.entries.length} onOpen={(name) => onOpen(`${base}/${name}`)} />}
    </ScrollArea.Autosize>
  );
}

/** The way to a name that is not among those listed. */
function ByName({ listed, onOpen }: { listed: number; onOpen: (name: string) => void }) {
  const { t } = useTranslation("files");
  const [name, setName] = useState("");
  return (
    <form onSubmit={(event) => (event.preventDefault(), name !== "" && onOpen(name))}>
      <Group gap="xs" align="end">
        <TextInput size="xs" label={t("more", { count: listed })} placeholder={t("name")} value={name} maxLength={1000} onChange={(event) => setName(event.currentTarget.value)} />
        <Button size="xs" type="submit" variant="default" disabled={name === ""}>{t("open")}</Button>
      </Group>
    </form>
  );
}

function TextFile({ found }: { found: Look }) {
  const { t } = useTranslation("files");
  if (found.binary) return <Alert color="gray" p="xs">{t("binary", { size: size(found.size_bytes) })}</Alert>;
  return (
    <>
      <Text size="xs" c="dimmed">{found.offset > 0 ? t("tail", { size: size(found.size_bytes) }) : size(found.size_bytes)}</Text>
      <ScrollArea.Autosize mah={380} tabIndex={0} role="region" aria-label={plain(found.path)}>
        <pre style={{ margin: 0, fontSize: 12, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{plain(found.text)}</pre>
      </ScrollArea.Autosize>
    </>
  );
}
