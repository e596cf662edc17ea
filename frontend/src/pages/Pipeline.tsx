// A stored pipeline: its versions, the text of one, and what changed against another. One request.

import { Alert, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import type { Schemas } from "@/api/client";
import { Entry } from "@/components/ErrorNote";
import { Loaded, More, Page, When } from "@/components/parts";
import { EMPTY, OWN, saveDraft } from "@/features/launch/draft";
import { DiffView } from "@/features/pipelines/DiffView";
import { ScheduleLink } from "@/features/schedules/ScheduleLink";
import { useAddress } from "@/lib/address";
import { plain } from "@/lib/format";
import { pipelineKey, usePipelinePage, versionsAfter } from "@/queries/pipelines";
import { useRest } from "@/queries/rest";

/** A version's number in an address; null for none, or for what is none. */
const versionOf = (text: string) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : null);

export function Pipeline() {
  const { id = "" } = useParams();
  const { t } = useTranslation(["base", "save"]);
  const navigate = useNavigate();
  const [chosen, choose] = useAddress({ version: "", against: "" });
  const number = versionOf(chosen.version);
  const against = versionOf(chosen.against);
  const page = usePipelinePage(id, number, against);
  return (
    <Loaded query={page}>
      {({ pipeline, versions, version, against: other }) => (
        <Page title={pipeline.title || pipeline.name} actions={<><ScheduleLink pipeline={pipeline.id} name={pipeline.name} project={pipeline.project} /><Button size="xs" variant="default" onClick={() => { saveDraft(pipeline.project, { ...EMPTY, pipeline: OWN, manifest: version.text, edits: pipeline.name }); void navigate("/launch?source=own"); }}>{t("save:edit")}</Button><Button size="xs" component={Link} to={`/launch?pipeline=${pipeline.name}`}>{t("pipelines.launch")}</Button></>}>
          <Text size="sm">{plain(pipeline.description)}</Text>
          <Pick id={id} first={versions} shown={number ?? pipeline.version} against={against} onShown={(n) => choose({ version: String(n) })} onAgainst={(n) => choose({ against: n === null ? "" : String(n) })} />
          <VersionText version={version} other={other} />
        </Page>
      )}
    </Loaded>
  );
}

function Pick({ id, first, shown, against, onShown, onAgainst }: { id: string; first: Schemas["VersionsPage"]; shown: number; against: number | null; onShown: (n: number) => void; onAgainst: (n: number | null) => void }) {
  const { t } = useTranslation();
  const versions = useRest([...pipelineKey(id), "versions"], first, versionsAfter(id), (v) => v.number);
  const numbers = versions.rows.map((v) => v.number);
  return (
    <Group align="flex-end">
      <Select size="xs" label={t("pipelines.versions")} data={numbers.map((n) => ({ value: String(n), label: t("pipelines.version", { n }) }))} value={String(shown)} allowDeselect={false} onChange={(v) => onShown(Number(v))} />
      {numbers.length > 1 && (
        <Select size="xs" label={t("pipelines.changed")} clearable data={numbers.filter((n) => n !== shown).map((n) => ({ value: String(n), label: t("pipelines.diff", { n }) }))} value={against ? String(against) : null} onChange={(v) => onAgainst(v ? Number(v) : null)} />
      )}
      <More query={versions} />
    </Group>
  );
}

function VersionText({ version, other }: { version: Schemas["VersionText"]; other: Schemas["VersionText"] | null }) {
  return (
    <Stack gap="xs">
      <Text size="xs" c="dimmed">
        {version.digest.slice(0, 12)} · <When ms={Date.parse(version.created_at)} /> · {plain(version.created_by)}
      </Text>
      {version.warnings.map((f, i) => (
        <Alert key={i} color="yellow" p={6}>
          <Entry entry={{ path: f.path, line: f.line, detail: f.detail }} />
        </Alert>
      ))}
      <DiffView before={other?.text ?? version.text} after={version.text} signs={other !== null} />
    </Stack>
  );
}
