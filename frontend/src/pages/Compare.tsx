// Two runs beside each other: what went in, what came out, and which steps fared differently. Both are in the address.

import { Anchor, Badge, Button, Group, Select, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import type { Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page, PhaseMark, RunMark, Took } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { ShareButton } from "@/features/links/ShareButton";
import { DiffView } from "@/features/pipelines/DiffView";
import { useAddressSetter } from "@/lib/address";
import { amount, duration, money, plain, priced } from "@/lib/format";
import { useRuns } from "@/queries";
import { useComparison } from "@/queries/many";

type Comparison = Schemas["ComparisonOut"];

export function Compare() {
  const { t } = useTranslation(["many", "base"]);
  const project = useProject();
  const [params] = useSearchParams();
  const [a, b] = [params.get("a") ?? "", params.get("b") ?? ""];
  const found = useComparison(project, a, b);
  return (
    <Page title={t("compare")} actions={<><ShareButton /><Button component={Link} to="/runs" size="xs" variant="default">{t("base:runs.title")}</Button></>}>
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <Which side="a" run={found.data?.a} />
        <Which side="b" run={found.data?.b} />
      </SimpleGrid>
      {a === "" || b === "" ? <Empty title={t("pickTwo")} /> : <Loaded query={found}>{(data) => <Shown data={data} />}</Loaded>}
    </Page>
  );
}

function Which({ side, run }: { side: "a" | "b"; run: Schemas["RunOut"] | undefined }) {
  const { t } = useTranslation(["many", "base"]);
  const project = useProject();
  const [params] = useSearchParams();
  const put = useAddressSetter();
  const id = params.get(side) ?? "";
  const [choosing, setChoosing] = useState(false);
  const recent = useRuns(project, {}, choosing || id === "");
  const listed = recent.data?.pages.flatMap((page) => page.results) ?? [];
  const choices = [...(run && !listed.some((r) => r.id === run.id) ? [run] : []), ...listed].map((r) => ({ value: r.id, label: `${r.job_number} · ${plain(r.name)}` }));
  return (
    <Card title={side.toUpperCase()}>
      <Stack gap="xs">
        <Select
          aria-label={t("runOf", { side: side.toUpperCase() })}
          data={choices}
          value={choices.some((c) => c.value === id) ? id : null}
          searchable
          allowDeselect={false}
          onDropdownOpen={() => setChoosing(true)}
          onChange={(value) => put({ [side]: value ?? "" })}
        />
        {run && (
          <Group gap="md">
            <Anchor component={Link} to={`/runs/${run.id}`} size="sm">{plain(run.name)}</Anchor>
            <RunMark state={run.state} suspended={run.suspended} />
            <Text size="sm"><Took from={run.started_at_ms} to={run.finished_at_ms} /></Text>
            <Text size="sm">{money(run.settled_micros)}</Text>
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function Shown({ data }: { data: Comparison }) {
  const { t } = useTranslation(["many", "base"]);
  return (
    <>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Card title={t("base:launch.parameters")}><Pairs pairs={data.parameters} none={t("noParameters")} /></Card>
        <Card title={t("results")}><Pairs pairs={data.results} none={t("noResults")} /></Card>
      </SimpleGrid>
      <Card title={t("byTemplate")}><Templates rows={data.templates} /></Card>
      <Card title={t("stepsDiffer")} aside={<Text size="sm" c="dimmed">{t("stepsCount", { differing: data.differing, same: data.same })}</Text>}>
        {data.steps.length === 0 ? <Text size="sm">{t("stepsSame")}</Text> : <Steps rows={data.steps} />}
        {data.differing > data.steps.length && <Text size="sm" c="dimmed">{t("stepsMore", { count: data.differing - data.steps.length })}</Text>}
      </Card>
      <Card title={t("base:launch.manifest")} aside={data.same_manifest ? <Badge color="gray" variant="light" tt="none">{t("manifestSame")}</Badge> : undefined}>
        {data.manifests && <DiffView before={data.manifests.a} after={data.manifests.b} signs />}
      </Card>
    </>
  );
}

function Pairs({ pairs, none }: { pairs: Comparison["parameters"]; none: string }) {
  if (pairs.length === 0) return <Text size="sm" c="dimmed">{none}</Text>;
  return (
    <Table fz="sm" layout="fixed">
      <Table.Thead><Table.Tr><Table.Th /><Table.Th>A</Table.Th><Table.Th>B</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {pairs.map((pair) => (
          <Table.Tr key={pair.name} bg={pair.differs ? "var(--mantine-color-yellow-light)" : undefined}>
            <Table.Th style={{ overflowWrap: "anywhere" }}>{plain(pair.name)}</Table.Th>
            {[pair.a, pair.b].map((value, i) => (
              <Table.Td key={i} style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>{value === null ? "–" : plain(value)}</Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Templates({ rows }: { rows: Comparison["templates"] }) {
  const { t } = useTranslation(["many", "base"]);
  return (
    <WideTable minWidth={640}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("base:step.template")}</Table.Th>
            {(["attempts", "failed", "ran", "charged"] as const).flatMap((key) => ["A", "B"].map((side) => <Table.Th key={key + side} ta="right">{key === "failed" ? t("base:state.failed") : t(`base:step.${key}`)} {key === "charged" ? priced(side) : side}</Table.Th>))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ template, a, b }) => (
            <Table.Tr key={template}>
              <Table.Th style={{ overflowWrap: "anywhere" }}>{plain(template)}</Table.Th>
              {[a.attempts, b.attempts, a.failed, b.failed, duration(a.wall_ms), duration(b.wall_ms), amount(a.charged_micros), amount(b.charged_micros)].map((value, i) => (
                <Table.Td key={i} ta="right" style={{ fontVariantNumeric: "tabular-nums" }}>{value}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}

function Steps({ rows }: { rows: Comparison["steps"] }) {
  const { t } = useTranslation(["many", "base"]);
  return (
    <Table fz="sm">
      <Table.Thead><Table.Tr><Table.Th>{t("base:step.title")}</Table.Th><Table.Th>A</Table.Th><Table.Th>B</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row.path}>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(row.path)}</Table.Td>
            {([[row.a_phase, row.a_ms], [row.b_phase, row.b_ms]] as const).map(([phase, ms], i) => (
              <Table.Td key={i}>{phase === null ? "–" : <Group gap={6}><PhaseMark phase={phase} />{ms !== null && duration(ms)}</Group>}</Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
