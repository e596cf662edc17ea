// Where something comes from and what was made of it, as two indented lists with links, and the same for other tools.

import { Anchor, Alert, Badge, Button, Code, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Loaded, RunMark, Simulated, When } from "@/components/parts";
import { plain, size } from "@/lib/format";
import { useKeep, useRunOrigin, useVersionOrigin, type Origin } from "@/queries/origin";
import { addressOf, rowsOf, type Place, type Row, type Side } from "./tree";

type Run = Schemas["OriginRunOut"];
const INDENT = 18;
const DEEPEST = 8; // further steps are not indented more: a phone has no room

/** Of a run as a whole, or of one of its artifacts (`artifact` is its key). */
export function RunOrigin({ run, artifact }: { run: string; artifact: string }) {
  const { t } = useTranslation(["origin", "base"]);
  const origin = useRunOrigin(run, artifact);
  return (
    <Stack gap="sm">
      {artifact === "" ? (
        <Text size="sm" c="dimmed">{t("runHint")}</Text>
      ) : (
        <Anchor component={Link} to={`/runs/${run}/origin`} size="sm">{t("wholeRun")}</Anchor>
      )}
      <Loaded query={origin}>{(found) => <Both found={found} />}</Loaded>
    </Stack>
  );
}

/** Of a dataset version, asked for when it is opened. */
export function VersionOrigin({ id, number, open, onOpen }: { id: string; number: number; open: boolean; onOpen: () => void }) {
  const { t } = useTranslation(["origin", "base"]);
  const origin = useVersionOrigin(id, number, open);
  if (!open) return <Group><Button size="xs" variant="default" onClick={onOpen} aria-expanded={false}>{t("show")}</Button></Group>;
  return <Loaded query={origin}>{(found) => <Both found={found} />}</Loaded>;
}

function Both({ found }: { found: Origin }) {
  const { t } = useTranslation(["origin", "base"]);
  const start = found.places[0]!;
  const runs = new Map(found.runs.map((r) => [r.id, r]));
  return (
    <Stack gap="sm">
      <Start place={start} run={runs.get(start.run)} />
      {found.incomplete && <Alert color="yellow" p="xs">{t("incomplete")}</Alert>}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        {(["behind", "ahead"] as const).map((side) => (
          <Card key={side} title={t(side)}>
            <Rows rows={rowsOf(found, side)} side={side} runs={runs} more={start.more} />
          </Card>
        ))}
      </SimpleGrid>
    </Stack>
  );
}

function Start({ place, run }: { place: Place; run: Run | undefined }) {
  const { t } = useTranslation(["origin", "base"]);
  const data = place.content;
  const crate = data && !data.gone ? crateOf(data) : null;
  return (
    <Stack gap={6}>
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>{t(`kind.${place.kind}`)} {plain(place.name)}</Text>
          <Facts place={place} run={run} />
        </Group>
        {crate && <Button component="a" href={crate} download="ro-crate-metadata.json" size="compact-sm" variant="default" title={t("crateHint")}>{t("crate")}</Button>}
      </Group>
      {place.kind === "artifact" && data && !data.gone && <Keep artifact={data.key} />}
    </Stack>
  );
}

function Keep({ artifact }: { artifact: string }) {
  const { t } = useTranslation(["origin", "base"]);
  const project = useProject();
  const keep = useKeep(project);
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState("");
  if (keep.isSuccess)
    return (
      <Text size="sm" role="status">
        {t("kept")} <Anchor component={Link} size="sm" to={`/data/${keep.data.id}?version=${keep.data.version}`}>{plain(keep.data.name)}@{keep.data.version}</Anchor>
      </Text>
    );
  return (
    <Group gap="xs" align="flex-end">
      {asking ? (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            keep.mutate({ artifact, name: name.trim() });
          }}
        >
          <Group gap="xs" align="flex-end">
            <TextInput size="xs" label={t("keepName")} description={t("keepHint")} value={name} maxLength={63} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
            <Button size="xs" type="submit" loading={keep.isPending} disabled={name.trim() === ""}>{t("keepDo")}</Button>
          </Group>
        </form>
      ) : (
        <Button size="compact-sm" variant="subtle" onClick={() => setAsking(true)}>{t("keep")}</Button>
      )}
      {keep.isError && <ErrorNote error={keep.error} />}
    </Group>
  );
}

function Rows({ rows, side, runs, more }: { rows: Row[]; side: Side; runs: Map<string, Run>; more: boolean }) {
  const { t } = useTranslation(["origin", "base"]);
  if (rows.length === 0) return <Text size="sm" c="dimmed">{t(side === "behind" ? "nothingBehind" : "nothingAhead")}{more && ` ${t("more")}`}</Text>;
  return (
    <Stack component="ul" gap={8} m={0} p={0} style={{ listStyle: "none" }}>
      {rows.map((row, i) => {
        const run = runs.get(row.place.run);
        const address = addressOf(row.place, run);
        const name = plain(row.place.name) || t("unnamed");
        return (
          <li key={i} style={{ paddingInlineStart: Math.min(row.depth, DEEPEST) * INDENT, minWidth: 0 }}>
            <Group gap={6} align="baseline">
              <Text size="xs" c="dimmed">{t(`how.${side}.${row.how}`, { name: plain(row.name) })}</Text>
              <Text size="sm" component="span">{t(`kind.${row.place.kind}`)}</Text>
              {address ? (
                <Anchor component={Link} to={address} size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{name}</Anchor>
              ) : (
                <Text size="sm" fw={600} component="span" style={{ overflowWrap: "anywhere" }}>{name}</Text>
              )}
              {row.again ? <Text size="xs" c="dimmed">{t("again")}</Text> : <Facts place={row.place} run={run} />}
            </Group>
            {!row.again && row.place.step && <StepFacts place={row.place} run={run} />}
            {row.place.more && !row.again && <Text size="xs" c="dimmed">{t("more")}</Text>}
          </li>
        );
      })}
    </Stack>
  );
}

/** What tells one thing from others: bytes and digest, or the run it is of. */
function Facts({ place, run }: { place: Place; run: Run | undefined }) {
  const { t } = useTranslation(["origin", "base"]);
  const data = place.content;
  return (
    <>
      {data?.gone && <Badge size="sm" color="gray" variant="light" tt="none">{t("gone")}</Badge>}
      {data && !data.gone && (
        <Text size="xs" c="dimmed" component="span">
          {size(data.size_bytes)}
          {data.files > 1 && `, ${t("files", { count: data.files })}`} · {data.file ? "sha256" : t("digest")} <Code>{(data.file?.sha256 ?? data.digest).slice(0, 12)}</Code>
        </Text>
      )}
      {data?.fetched != null && <Text size="xs" c="dimmed" component="span">{t("fetched", { where: plain(String((data.fetched as { address?: string }).address ?? "")) })}</Text>}
      {place.kind === "run" && run && <RunMark state={run.state} />}
      {run && place.kind !== "step" && (
        <Text size="xs" c="dimmed" component="span">{t("job", { number: run.job_number })}{place.kind === "run" && ` · ${by(t, run.submitted_by)} · ${sourceOf(t, run)}`}</Text>
      )}
      {data?.made_by && <Text size="xs" c="dimmed" component="span">{by(t, data.made_by)}</Text>}
      {run?.deleted && <Badge size="sm" color="gray" variant="light" tt="none">{t("deleted")}</Badge>}
    </>
  );
}

function StepFacts({ place, run }: { place: Place; run: Run | undefined }) {
  const { t } = useTranslation(["origin", "base"]);
  const step = place.step!;
  const attempt = step.attempt;
  const values = Object.entries(step.parameters).slice(0, 8);
  return (
    <Stack gap={0}>
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {run && <>{t("job", { number: run.job_number })} · {sourceOf(t, run)} · {by(t, run.submitted_by)}</>}
        {place.at_ms !== null && <> · <When ms={place.at_ms} /></>}
      </Text>
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {step.image !== "" && <>{t("image")} <Code>{plain(step.image)}</Code></>}
        {attempt && <> · {plain(attempt.site)}/{plain(attempt.pool)}</>} {attempt?.simulated && <Simulated />}
        {attempt && attempt.fingerprint !== "" && <> · {t("environment")} <Code title={plain(attempt.fingerprint)}>{plain(attempt.fingerprint.replace(/^sha256:/, "").slice(0, 12))}</Code></>}
      </Text>
      {values.length > 0 && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>{values.map(([name, value]) => `${plain(name)}=${plain(value).slice(0, 80)}`).join(", ")}</Text>
      )}
    </Stack>
  );
}

type T = (key: string, values?: Record<string, unknown>) => string;
const by = (t: unknown, actor: string) => (t as T)("by", { who: plain(actor.replace(/^user:/, "")) });
const sourceOf = (t: unknown, run: Run) =>
  run.pipeline !== "" ? (t as T)("pipeline", { name: plain(run.pipeline), n: run.pipeline_version }) : (t as T)("manifest", { digest: run.manifest_sha256.slice(0, 12) });

function crateOf(data: NonNullable<Place["content"]>): string {
  if (data.number !== null) return `/api/v1/datasets/${data.dataset}/versions/${data.number}/ro-crate-metadata.json`;
  return `/api/v1/artifacts/${data.key.split("/").map(encodeURIComponent).join("/")}/ro-crate-metadata.json`;
}
