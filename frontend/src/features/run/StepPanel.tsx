// One node: how it stands and why, where it ran and what else was considered, its log, what went in and came out.

import { Accordion, ActionIcon, Alert, Anchor, Badge, Code, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Figure, Loaded, PhaseMark, Simulated, TaskMark } from "@/components/parts";
import { Answer } from "@/features/again/Answer";
import type { GraphNode } from "@/features/graph/layout";
import { LogView } from "@/features/logs/LogView";
import { TaskFailure } from "@/features/why/TaskFailure";
import { TaskWhy } from "@/features/why/TaskWhy";
import { duration, money, plain, size } from "@/lib/format";
import type { TaskState } from "@/lib/states";
import { type Step, useStep } from "@/queries/run";
import { NodeArtifacts } from "./Artifacts";

const FilesItem = lazy(async () => ({ default: (await import("@/features/files/StepFiles")).FilesItem }));
const CameFrom = lazy(async () => ({ default: (await import("@/features/reuse/Reused")).CameFrom }));

export function StepPanel({ run, node, onClose }: { run: string; node: GraphNode; onClose: () => void }) {
  const { t } = useTranslation();
  const step = useStep(run, node.id);
  const waits = node.task_state === "queued" || node.task_state === "blocked";
  return (
    <Paper withBorder p="md" component="section" aria-label={`${t("step.title")} ${plain(node.name)}`}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <Title order={3} size="h5" style={{ overflowWrap: "anywhere" }}>{plain(node.name)}</Title>
          <ActionIcon variant="subtle" color="gray" aria-label={t("app.close")} onClick={onClose}><IconX size={16} /></ActionIcon>
        </Group>
        <Group gap="xs">
          <PhaseMark phase={node.phase} />
          {node.task_state !== "" && waits && <TaskMark state={node.task_state as TaskState} />}
          <Badge variant="outline" color="gray" tt="none">{node.type}</Badge>
          {node.template !== "" && <Text size="sm" c="dimmed">{t("step.template")}: {plain(node.template)}</Text>}
        </Group>
        {node.message !== "" && <Alert color={node.phase === "Failed" || node.phase === "Error" ? "red" : "gray"} p="xs">{plain(node.message)}</Alert>}
        {node.type === "Suspend" && step.data && <Answer run={run} node={node} step={step.data} />}
        {node.task === "" && node.type !== "Suspend" ? <Text size="sm" c="dimmed">{t("step.notLeaf")}</Text> : node.task !== "" && <Leaf run={run} node={node} step={step.data} />}
        <Loaded query={step}>{(data) => <Values run={run} step={data} />}</Loaded>
      </Stack>
    </Paper>
  );
}

function Leaf({ run, node, step }: { run: string; node: GraphNode; step: Step | undefined }) {
  const { t } = useTranslation();
  const attempts = step?.task?.attempt_list ?? [];
  const [open, setOpen] = useState(node.attempts > 0 ? ["logs"] : []);
  const keepsFiles = node.attempts > 0 && (node.task_state === "running" || node.task_state === "failed");
  return (
    <>
      {step?.why && <TaskWhy run={run} why={step.why} />}
      {step && node.task_state === "failed" && <TaskFailure run={run} task={node.task} />}
      <Group gap="lg">
        {node.queued_at_ms !== null && node.running_at_ms !== null && <Figure label={t("step.waited")} value={duration(node.running_at_ms - node.queued_at_ms)} />}
        {node.running_at_ms !== null && node.finished_at_ms !== null && <Figure label={t("step.ran")} value={duration(node.finished_at_ms - node.running_at_ms)} />}
        <Figure label={t("step.charged")} value={money(node.charged_micros)} />
      </Group>
      <Accordion multiple value={open} onChange={setOpen} variant="contained">
        {node.attempts > 0 && (
          <Accordion.Item value="logs">
            <Accordion.Control>{t("step.logs")}</Accordion.Control>
            <Accordion.Panel><LogView task={node.task} /></Accordion.Panel>
          </Accordion.Item>
        )}
        {keepsFiles && <Suspense><FilesItem task={node.task} open={open.includes("files")} /></Suspense>}
        {attempts.length > 0 && (
          <Accordion.Item value="where">
            <Accordion.Control>{t("step.where")}</Accordion.Control>
            <Accordion.Panel>
              <Stack gap="md">{[...attempts].reverse().map((attempt) => <Attempt key={attempt.id} run={run} attempt={attempt} />)}</Stack>
            </Accordion.Panel>
          </Accordion.Item>
        )}
      </Accordion>
    </>
  );
}

function Attempt({ run, attempt }: { run: string; attempt: Schemas["AttemptOut"] }) {
  const { t } = useTranslation(["base", "why"]);
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <Text size="sm" fw={600}>{attempt.number}. {plain(attempt.pool)} · {plain(attempt.site)}</Text>
        {attempt.simulated && <Simulated />}
        <Text size="sm">{t(`state.${attempt.state}`)}</Text>
        {attempt.exit_code !== null && <Text size="sm" c="dimmed">{t("step.exit", { code: attempt.exit_code })}</Text>}
        {attempt.cause !== "" && <Badge size="sm" color="red" variant="light" tt="none">{t(`why:short.${attempt.cause}`, { defaultValue: plain(attempt.cause) })}</Badge>}
        {attempt.payer === "site" && <Badge size="sm" color="teal" variant="light" tt="none">{t("step.payerSite")}</Badge>}
      </Group>
      {attempt.message !== "" && <Text size="sm">{plain(attempt.message)}</Text>}
      <Text size="xs" c="dimmed">
        {t("step.cpu")} {duration(attempt.cpu_ms)}, {t("step.peak")} {attempt.peak_memory_bytes === null ? "–" : size(attempt.peak_memory_bytes)}, {t("step.charged")} {money(attempt.charged_micros)}
      </Text>
      <Anchor component={Link} size="sm" to={`/runs/${run}/placement`}>{t("step.considered")}</Anchor>
    </Stack>
  );
}

interface Parameters {
  parameters?: { name: string; value?: string }[];
  result?: string;
  exitCode?: string;
}

function Values({ run, step }: { run: string; step: Step }) {
  const { t } = useTranslation();
  return (
    <Stack gap="xs">
      {step.node.reused_from && <Suspense><CameFrom from={step.node.reused_from} /></Suspense>}
      {(["inputs", "outputs"] as const).map((side) => {
        const values = (step.node[side] ?? {}) as Parameters;
        const rows = [...(values.parameters ?? []).map((p) => [p.name, p.value ?? ""] as const), ...(values.result ? ([["result", values.result]] as const) : []), ...(values.exitCode ? ([["exitCode", values.exitCode]] as const) : [])];
        if (rows.length === 0) return null;
        return (
          <div key={side}>
            <Text size="sm" fw={600}>{t(`step.${side}`)}</Text>
            <Table fz="xs" withTableBorder layout="fixed">
              <Table.Tbody>
                {rows.map(([name, value]) => (
                  <Table.Tr key={name}>
                    <Table.Th w="35%" style={{ overflowWrap: "anywhere" }}>{plain(name)}</Table.Th>
                    <Table.Td><Code style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>{plain(value).slice(0, 2000)}</Code></Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
        );
      })}
      <NodeArtifacts run={run} node={step.node.node_id} first={step.artifacts} />
    </Stack>
  );
}
