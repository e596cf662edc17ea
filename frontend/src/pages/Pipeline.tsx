import { Alert, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";
import { Entry } from "@/components/ErrorNote";
import { Loaded, Page, When } from "@/components/parts";
import { DiffView } from "@/features/pipelines/DiffView";
import { plain } from "@/lib/format";
import { usePipeline, usePipelineVersion, usePipelineVersions } from "@/queries";

export function Pipeline() {
  const { id = "" } = useParams();
  const { t } = useTranslation();
  const pipeline = usePipeline(id);
  const versions = usePipelineVersions(id);
  const [number, setNumber] = useState<number | null>(null);
  const [against, setAgainst] = useState<number | null>(null);
  return (
    <Loaded query={pipeline}>
      {(data) => {
        const shown = number ?? data.version;
        const numbers = versions.data?.results.map((v) => v.number) ?? [data.version];
        return (
          <Page title={data.title || data.name} actions={<Button size="xs" component={Link} to={`/launch?pipeline=${data.name}`}>{t("pipelines.launch")}</Button>}>
            <Text size="sm">{plain(data.description)}</Text>
            <Group>
              <Select size="xs" label={t("pipelines.versions")} data={numbers.map((n) => ({ value: String(n), label: t("pipelines.version", { n }) }))} value={String(shown)} allowDeselect={false} onChange={(v) => setNumber(Number(v))} />
              {numbers.length > 1 && (
                <Select size="xs" label={t("pipelines.changed")} clearable data={numbers.filter((n) => n !== shown).map((n) => ({ value: String(n), label: t("pipelines.diff", { n }) }))} value={against ? String(against) : null} onChange={(v) => setAgainst(v ? Number(v) : null)} />
              )}
            </Group>
            <VersionText id={id} number={shown} against={against} />
          </Page>
        );
      }}
    </Loaded>
  );
}

function VersionText({ id, number, against }: { id: string; number: number; against: number | null }) {
  const version = usePipelineVersion(id, number);
  const other = usePipelineVersion(id, against ?? 0);
  return (
    <Loaded query={version}>
      {(data) => {
        const text = (data as { text?: string }).text ?? "";
        const before = against ? ((other.data as { text?: string } | undefined)?.text ?? text) : text;
        return (
          <Stack gap="xs">
            <Text size="xs" c="dimmed">
              {data.digest.slice(0, 12)} · <When ms={Date.parse(data.created_at)} /> · {plain(data.created_by)}
            </Text>
            {data.warnings.map((f, i) => (
              <Alert key={i} color="yellow" p={6}>
                <Entry entry={{ path: f.path, line: f.line, detail: f.detail }} />
              </Alert>
            ))}
            <DiffView before={before} after={text} signs={against !== null} />
          </Stack>
        );
      }}
    </Loaded>
  );
}
