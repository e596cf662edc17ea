// What a run's steps left: final ones first, each with its files, a preview and a download.

import { Anchor, Badge, Button, Group, Loader, Paper, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Loaded, More } from "@/components/parts";
import type { GraphNode } from "@/features/graph/layout";
import { plain, size } from "@/lib/format";
import { useRest } from "@/queries/rest";
import { artifactsAfter, resultsKey, stepKey, useArtifactFiles, useRunResults } from "@/queries/run";

const FileTable = lazy(async () => ({ default: (await import("@/features/artifacts/FileTable")).FileTable }));
const Preview = lazy(async () => ({ default: (await import("@/features/artifacts/Preview")).Preview }));

type Listing = { path: string; size: number }[];

export function Artifacts({ run, names }: { run: string; names: GraphNode[] }) {
  const results = useRunResults(run);
  return <Loaded query={results}>{(data) => <Left run={run} names={names} data={data} />}</Loaded>;
}

function Left({ run, names, data }: { run: string; names: GraphNode[]; data: Schemas["RunResultsOut"] }) {
  const { t } = useTranslation();
  const all = useRest(resultsKey(run), data.artifacts, artifactsAfter(run), (row) => row.key);
  const nameOf = new Map(names.map((n) => [n.id, n.name]));
  const { final } = data;
  return (
    <Stack>
      {all.rows.length > 0 && <Suspense><DownloadAll run={run} /></Suspense>}
      {final.parameters.length > 0 && (
        <Card title={t("run.outputs")}>
          {final.parameters.map((p) => (
            <Text key={p.name} size="sm" style={{ overflowWrap: "anywhere" }}>
              <b>{plain(p.name)}</b> {plain(p.value ?? "")}
            </Text>
          ))}
        </Card>
      )}
      {final.artifacts.map((a) => (
        <One key={a.key} storeKey={a.key} name={a.name} bytes={a.size_bytes} from={a.display_name} open={a.listing.length > 0} listing={a.listing.length === a.files ? a.listing : undefined} />
      ))}
      <Card title={t("run.artifacts")}>
        {all.rows.length === 0 && <Text size="sm">{t("artifacts.none")}</Text>}
        <Stack gap="xs">
          {all.rows.map((row) => (
            <One key={row.key} storeKey={row.key} name={row.name} bytes={row.size_bytes} from={nameOf.get(row.node_id) ?? row.node_id} />
          ))}
          <More query={all} />
        </Stack>
      </Card>
    </Stack>
  );
}

/** One tar, streamed: of the final outputs, or of everything. */
function DownloadAll({ run }: { run: string }) {
  const { t } = useTranslation("files");
  const address = `/api/v1/artifacts/${run}/archive`;
  return (
    <Group gap="xs">
      <Button component="a" href={address} download size="compact-sm" variant="light">{t("archive.final")}</Button>
      <Button component="a" href={`${address}?all=true`} download size="compact-sm" variant="subtle">{t("archive.all")}</Button>
    </Group>
  );
}

export function NodeArtifacts({ run, node, first }: { run: string; node: string; first: Schemas["ArtifactsPage"] }) {
  const { t } = useTranslation();
  const found = useRest(stepKey(run, node), first, artifactsAfter(run, node), (row) => row.key);
  const { rows } = found;
  if (rows.length === 0) return null;
  return (
    <div>
      <Text size="sm" fw={600}>{t("run.artifacts")}</Text>
      <Stack gap="xs">
        {rows.map((row) => <One key={row.key} storeKey={row.key} name={row.name} bytes={row.size_bytes} />)}
        <More query={found} />
      </Stack>
    </div>
  );
}

/** The address of an artifact's route below `/api/v1/artifacts/`. */
function addressOf(key: string): string {
  return `/api/v1/artifacts/${key.split("/").map(encodeURIComponent).join("/")}`;
}

const contentOf = (key: string, path: string): string => `${addressOf(key)}/content?path=${encodeURIComponent(path)}`;

function One({ storeKey, name, bytes, from, open = false, listing }: { storeKey: string; name: string; bytes: number; from?: string; open?: boolean; listing?: Listing }) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(open);
  return (
    <Paper withBorder p="xs">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{plain(name)}</Text>
          <Text size="xs" c="dimmed">{size(bytes)}{from ? `, ${t("artifacts.from", { step: plain(from) })}` : ""}</Text>
        </Group>
        <Group gap="xs">
          <Anchor component={Link} size="xs" to={`/runs/${storeKey.split("/")[0]}/origin?of=${encodeURIComponent(storeKey)}`}>{t("run.origin")}</Anchor>
          <Button size="compact-xs" variant="default" aria-expanded={shown} onClick={() => setShown(!shown)}>{t("artifacts.preview")}</Button>
        </Group>
      </Group>
      {shown && (listing ? <Chosen storeKey={storeKey} name={name} entries={listing} /> : <Files storeKey={storeKey} name={name} />)}
    </Paper>
  );
}

const CHOICES_MAX = 60;

function Files({ storeKey, name }: { storeKey: string; name: string }) {
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text, 250);
  const files = useArtifactFiles(storeKey, search);
  const [first] = files.data?.pages ?? [];
  if (!first) return files.isError ? <ErrorNote error={files.error} again={() => void files.refetch()} /> : <Loader size="sm" />;
  if (first.files <= CHOICES_MAX) return <Chosen storeKey={storeKey} name={name} entries={first.entries} />;
  return (
    <Suspense fallback={<Loader size="sm" />}>
      <FileTable files={files} search={text} onSearch={setText} address={(path) => contentOf(storeKey, path)} name={name} />
    </Suspense>
  );
}

/** One of an artifact's files, and a way to the others. */
function Chosen({ storeKey, name, entries }: { storeKey: string; name: string; entries: Listing }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState("");
  const entry = entries.find((e) => e.path === chosen) ?? entries[0];
  if (!entry) return <Text size="sm">{t("app.none")}</Text>;
  const fileName = entry.path === "" ? name : entry.path.split("/").pop()!;
  const url = contentOf(storeKey, entry.path);
  return (
    <Stack gap="xs" mt="xs">
      {entries.length > 1 && (
        <Group gap={4}>
          {entries.map((e) => (
            <Badge key={e.path} component="button" variant={e === entry ? "filled" : "outline"} tt="none" style={{ cursor: "pointer" }} onClick={() => setChosen(e.path)}>
              {plain(e.path)}
            </Badge>
          ))}
        </Group>
      )}
      <Suspense fallback={<Loader size="sm" />}>
        <Preview url={url} name={fileName} bytes={entry.size} />
      </Suspense>
      <Anchor href={url} download={fileName} size="xs">{t("artifacts.download")}</Anchor>
    </Stack>
  );
}
