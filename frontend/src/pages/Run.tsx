// A run: how it stands, its tree, when and where its steps ran, what they printed, left and cost. The tab and the chosen
// step are in the address.

import { Alert, Anchor, Button, Code, Drawer, Group, Stack, Table, Tabs, Text } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { ScheduleLink } from "@/features/schedules/ScheduleLink";
import { ShareButton } from "@/features/links/ShareButton";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { Figure, Loaded, Page, RunMark, Took, When } from "@/components/parts";
import { Graph } from "@/features/graph/Graph";
import type { GraphNode } from "@/features/graph/layout";
import { Artifacts } from "@/features/run/Artifacts";
import { Costs } from "@/features/run/Costs";
import { Events } from "@/features/run/Events";
import { Placement } from "@/features/run/Placement";
import { StepList } from "@/features/run/StepList";
import { StepPanel } from "@/features/run/StepPanel";
import { Timeline } from "@/features/timeline/Timeline";
import { RunWhy } from "@/features/why/RunWhy";
import { useAddressSetter } from "@/lib/address";
import { money, plain } from "@/lib/format";
import { LIVE } from "@/lib/states";
import { useRunDeed, useRunManifest } from "@/queries";
import { useRunPage } from "@/queries/run";

const RetryForm = lazy(async () => ({ default: (await import("@/features/again/RetryForm")).RetryForm }));
const RunOrigin = lazy(async () => ({ default: (await import("@/features/origin/Origin")).RunOrigin }));
const Quoted = lazy(async () => ({ default: (await import("@/features/late/Quoted")).Quoted }));
const Reused = lazy(async () => ({ default: (await import("@/features/reuse/Reused")).Reused }));
const RunReuse = lazy(async () => ({ default: (await import("@/features/reuse/RunReuse")).RunReuse }));

const TABS = ["graph", "timeline", "steps", "placement", "artifacts", "cost", "origin", "events", "manifest"] as const;

export function Run() {
  const { id = "", tab = "graph" } = useParams();
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const put = useAddressSetter();
  const page = useRunPage(id);
  const chosen = params.get("step") ?? "";
  const wide = useMediaQuery("(min-width: 75em)");
  const choose = (node: GraphNode | null) => put({ step: node?.id ?? "" });
  if (!page.data) return <Page title={t("runs.title")}><Loaded query={page}>{() => null}</Loaded></Page>;
  const { run: data, graph } = page.data;
  const live = LIVE.has(data.state);
  const nodes = graph.nodes;
  const node = nodes.find((n) => n.id === chosen);
  const pick = (found: GraphNode) => choose(found);
  const current = (TABS as readonly string[]).includes(tab) ? tab : "graph";
  return (
    <Page title={data.name} actions={<><ScheduleLink run={id} name={data.name} project={data.project} /><ShareButton of={data.project} /><Deeds id={id} parameters={data.parameters} live={live} suspended={data.suspended} failed={data.state === "failed" || data.state === "error"} /></>}>
      <Group gap="xl" wrap="wrap">
        <RunMark state={data.state} suspended={data.suspended} />
        <Figure label={t("runs.number")} value={data.job_number} />
        <Figure label={t("runs.steps")} value={t("run.done", { done: data.steps_done, total: data.steps_total })} hint={data.steps_failed ? t("runs.failedSteps", { count: data.steps_failed }) : undefined} />
        <Figure
          label={t("runs.cost")}
          value={money(data.settled_micros)}
          hint={[data.held_micros ? t("run.held", { money: money(data.held_micros) }) : "", data.max_cost_micros !== null ? t("run.limit", { money: money(data.max_cost_micros) }) : ""].filter(Boolean).join(", ") || undefined}
        />
        {data.steps_reused > 0 && (
          <Suspense>
            <Reused run={id} steps={data.steps_reused} micros={data.saved_micros} />
          </Suspense>
        )}
        <Figure label={t("runs.took")} value={<Took from={data.started_at_ms} to={data.finished_at_ms} />} />
        <Figure label={t("runs.submitted")} value={<When ms={data.created_at_ms} />} hint={plain(data.submitted_by.replace(/^user:/, ""))} />
      </Group>
      {data.quote && data.generation === 0 && <Suspense><Quoted run={data} /></Suspense>}
      {data.message !== "" && <Alert color={data.state === "succeeded" ? "gray" : "red"}>{plain(data.message)}</Alert>}
      {live && <RunWhy run={id} held={data.suspended ? [] : nodes.filter((n) => n.type === "Suspend" && n.phase === "Running")} />}
      <Tabs value={current} onChange={(value) => void navigate({ pathname: `/runs/${id}/${value}`, search: params.toString() }, { replace: true })} keepMounted={false}>
        <Tabs.List>
          {TABS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {t(`run.${name}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Group align="flex-start" wrap="nowrap" mt="sm" gap="md">
          <div style={{ flex: 1, minWidth: 0 }}>
            {page.isError && <ErrorNote error={page.error} again={() => void page.refetch()} />}
            {graph.truncated && <Alert color="yellow" mb="xs">{t("run.truncated", { total: graph.total, shown: nodes.length })}</Alert>}
            <Tabs.Panel value="graph">
              {nodes.length > 0 ? <Graph nodes={nodes} chosen={chosen} onChoose={pick} /> : <Text size="sm">{t("run.noSteps")}</Text>}
            </Tabs.Panel>
            <Tabs.Panel value="timeline">
              <Timeline nodes={nodes} live={live} chosen={chosen} onChoose={pick} />
            </Tabs.Panel>
            <Tabs.Panel value="steps">
              <StepList nodes={nodes} chosen={chosen} onChoose={pick} />
            </Tabs.Panel>
            <Tabs.Panel value="placement">
              <Placement run={id} />
            </Tabs.Panel>
            <Tabs.Panel value="artifacts">
              <Artifacts run={id} names={nodes} />
            </Tabs.Panel>
            <Tabs.Panel value="cost">
              <Costs run={id} />
            </Tabs.Panel>
            <Tabs.Panel value="origin">
              <Suspense>
                <Stack>
                  {data.steps_reused > 0 && <RunReuse run={id} />}
                  <RunOrigin run={id} artifact={params.get("of") ?? ""} />
                </Stack>
              </Suspense>
            </Tabs.Panel>
            <Tabs.Panel value="events">
              <Events run={id} />
            </Tabs.Panel>
            <Tabs.Panel value="manifest">
              <Manifest run={id} parameters={data.parameters} datasets={data.datasets} />
            </Tabs.Panel>
          </div>
          {node && wide && (
            <div style={{ width: "min(46%, 640px)", flexShrink: 0 }}>
              <StepPanel run={id} node={node} onClose={() => choose(null)} />
            </div>
          )}
        </Group>
      </Tabs>
      {node && wide === false && (
        <Drawer opened onClose={() => choose(null)} position="bottom" size="80%" title={plain(node.name)}>
          <StepPanel run={id} node={node} onClose={() => choose(null)} />
        </Drawer>
      )}
    </Page>
  );
}

function Deeds({ id, parameters, live, suspended, failed }: { id: string; parameters: Record<string, string>; live: boolean; suspended: boolean; failed: boolean }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const deed = useRunDeed(id);
  const [asking, setAsking] = useState(false);
  const [retrying, setRetrying] = useState(false);
  const act = (name: Parameters<typeof deed.mutate>[0]) =>
    deed.mutate(name, {
      onSuccess: (made) => {
        if (name === "resubmit") void navigate(`/runs/${made.id}`);
      },
    });
  return (
    <>
      {live && (
        <Button size="xs" color="red" variant="light" onClick={() => setAsking(true)}>
          {t("run.cancel")}
        </Button>
      )}
      {live && (
        <Button size="xs" variant="default" onClick={() => act(suspended ? "resume" : "suspend")} loading={deed.isPending}>
          {t(suspended ? "run.resume" : "run.suspend")}
        </Button>
      )}
      {failed && (
        <Button size="xs" onClick={() => setRetrying(true)}>
          {t("run.retry")}
        </Button>
      )}
      {!live && (
        <Button size="xs" variant="default" component={Link} to={`/launch?from=${id}`}>
          {t("run.relaunch")}
        </Button>
      )}
      {retrying && (
        <Suspense>
          <RetryForm run={id} parameters={parameters} opened onClose={() => setRetrying(false)} />
        </Suspense>
      )}
      {deed.isError && <ErrorNote error={deed.error} />}
      <Dialog opened={asking} onClose={() => setAsking(false)} title={t("run.cancel")}>
        <Stack>
          <Text size="sm">{t("run.cancelAsk")}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)}>
              {t("app.close")}
            </Button>
            <Button
              color="red"
              onClick={() => {
                setAsking(false);
                act("cancel");
              }}
            >
              {t("run.cancel")}
            </Button>
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}

function Manifest({ run, parameters, datasets }: { run: string; parameters: Record<string, string>; datasets: Record<string, string> }) {
  const { t } = useTranslation();
  const manifest = useRunManifest(run);
  return (
    <Loaded query={manifest}>
      {(data) => (
        <Stack>
          {Object.keys({ ...parameters, ...datasets }).length > 0 && (
            <Table maw={640} withTableBorder fz="sm">
              <Table.Tbody>
                {Object.entries(parameters).map(([name, value]) => (
                  <Table.Tr key={name}>
                    <Table.Th>{plain(name)}</Table.Th>
                    <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(value)}</Table.Td>
                  </Table.Tr>
                ))}
                {Object.entries(datasets).map(([claim, version]) => (
                  <Table.Tr key={`claim ${claim}`}>
                    <Table.Th>claimName: {plain(claim)}</Table.Th>
                    <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(version)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )}
          <Anchor size="sm" component={Link} to={`/launch?from=${run}`}>
            {t("run.relaunch")}
          </Anchor>
          <Code block>{plain(data.text)}</Code>
        </Stack>
      )}
    </Loaded>
  );
}
