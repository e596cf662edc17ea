// Every site: who may use it, its agents with heartbeat and leases apart, its pools; and what an administrator does there.

import { Anchor, Badge, Button, Group, NumberInput, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Empty, Figure, More } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { Join } from "@/features/pools/Join";
import { ago, duration, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { type EstateAgent, type EstatePool, type EstateSite, useAgentDrain, useAgentRevoke, useEstate, useSiteChange, useSiteMake, useSiteRemove } from "@/queries/estate";
import { Asked } from "./Asked";
import { Close, names, Open, PoolForm } from "./Places";

const COLOUR: Record<EstateSite["state"], string> = { empty: "gray", silent: "red", drained: "grape", draining: "orange", cordoned: "yellow", partly: "yellow", open: "green" };

export function Sites() {
  const { t } = useTranslation(["estate", "base"]);
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed, 300);
  const sites = useEstate(search);
  const now = useNow(true);
  const rows = sites.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack>
      <Group align="flex-end" justify="space-between">
        <TextInput size="xs" w={260} aria-label={t("search")} placeholder={t("search")} value={typed} onChange={(e) => setTyped(e.target.value)} />
        <SiteForm />
      </Group>
      {sites.isError && <ErrorNote error={sites.error} again={() => void sites.refetch()} />}
      {sites.isSuccess && rows.length === 0 && <Empty title={t("none")} hint={t("noneHint")} />}
      {rows.map((site) => <One key={site.id} site={site} now={now} />)}
      <More query={sites} />
    </Stack>
  );
}

const Mark = ({ color, children }: { color: string; children: string }) => (
  <Badge color={color} variant="light" autoContrast radius="sm" tt="none" c={`var(--mantine-color-${color}-light-color)`}>{children}</Badge>
);

function One({ site, now }: { site: EstateSite; now: number }) {
  const { t } = useTranslation(["estate", "base"]);
  const name = plain(site.name);
  const remove = useSiteRemove();
  const closed = site.pools.some((pool) => pool.paused_reason !== "" || pool.cordoned_nodes > 0);
  const title = site.title === "" ? name : `${name} · ${plain(site.title)}`;
  return (
    <Card title={title} aside={<Mark color={COLOUR[site.state]}>{t(`state.${site.state}`)}</Mark>}>
      <Stack gap="sm">
        <Group gap="xl">
          <Figure label={t("running")} value={site.running} />
          <Figure label={t("region")} value={plain(site.region) || "–"} />
          <Figure label={t("preference")} value={site.preference} />
          <Figure label={t("owners")} value={site.owners.length > 0 ? site.owners.map(plain).join(", ") : t("ownersNone")} />
          <Figure label={t("openTokens")} value={site.open_tokens} />
        </Group>
        <Group gap={6}>
          <SiteForm site={site} />
          <Join site={site} />
          <PoolForm site={name} />
          {site.pools.length > 0 && <Close place={{ site: site.name }} name={name} running={site.running} />}
          {closed && <Open place={{ site: site.name }} name={name} />}
          {site.kept_by.length === 0 && <Asked word={t("remove")} name={name} what={t("removeWhat", { count: site.pools.length })} red deed={remove} run={(done) => remove.mutate(site.name, { onSuccess: done })} />}
          <Anchor component={Link} to={`/admin/trail?target=${encodeURIComponent(`site:${site.id}`)}`} size="xs">{t("trail")}</Anchor>
        </Group>
        {site.kept_by.length > 0 && <Text size="xs" c="dimmed">{t("kept", { why: site.kept_by.map((why) => t(`keptBy.${why}`)).join(t("join")) })}</Text>}
        {site.agents.length === 0 ? <Text size="sm" c="dimmed">{t("noAgents")}</Text> : <Agents agents={site.agents} now={now} />}
        {site.pools.length === 0 ? <Text size="sm" c="dimmed">{t("noPools")}</Text> : <Pools site={name} pools={site.pools} now={now} />}
      </Stack>
    </Card>
  );
}

function Agents({ agents, now }: { agents: EstateAgent[]; now: number }) {
  const { t } = useTranslation(["estate", "base"]);
  return (
    <WideTable minWidth={760}>
      <Table fz="xs" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>{(["agent", "state", "version", "heard", "leases", "running", "deeds"] as const).map((key) => <Table.Th key={key}>{t(`col.${key}`)}</Table.Th>)}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>{agents.map((agent) => <AgentRow key={agent.id} agent={agent} now={now} />)}</Table.Tbody>
      </Table>
    </WideTable>
  );
}

function AgentRow({ agent, now }: { agent: EstateAgent; now: number }) {
  const { t, i18n } = useTranslation(["estate", "base"]);
  const drain = useAgentDrain();
  const revoke = useAgentRevoke();
  const name = plain(agent.name);
  const state = agent.revoked_ms !== null ? "revoked" : agent.silent ? "silent" : agent.draining ? "draining" : agent.refuses !== "" ? "refuses" : "on";
  const colour = { revoked: "gray", silent: "red", draining: "orange", refuses: "yellow", on: "green" }[state];
  return (
    <Table.Tr>
      <Table.Th scope="row">{name}<Text size="xs" c="dimmed">{t("actsAs", { who: plain(agent.acts_as) })}</Text></Table.Th>
      <Table.Td><Mark color={colour}>{t(`agentState.${state}`)}</Mark>{agent.refuses !== "" && <Text size="xs">{plain(agent.refuses)}</Text>}</Table.Td>
      <Table.Td>{plain(agent.version) || "–"}</Table.Td>
      <Table.Td>{agent.heard_ms === null ? t("never") : ago(agent.heard_ms, now, i18n.language)}</Table.Td>
      <Table.Td>{agent.leases === 0 ? t("noLeases") : t("leaseEnds", { count: agent.leases, time: agent.lease_ends_ms === null ? "–" : duration(Math.max(0, agent.lease_ends_ms - now)) })}</Table.Td>
      <Table.Td>{agent.running}</Table.Td>
      <Table.Td>
        {agent.revoked_ms === null && (
          <Group gap={6} wrap="nowrap">
            {agent.draining ? (
              <Button size="compact-xs" variant="default" aria-label={`${t("open")}: ${name}`} loading={drain.isPending} onClick={() => drain.mutate({ id: agent.id, draining: false })}>{t("open")}</Button>
            ) : (
              <Asked word={t("agentDrain")} name={name} what={t("agentDrainWhat", { count: agent.running })} deed={drain} run={(done) => drain.mutate({ id: agent.id, draining: true }, { onSuccess: done })} />
            )}
            <Asked word={t("revoke")} name={name} what={t("revokeWhat", { count: agent.running })} red deed={revoke} run={(done) => revoke.mutate(agent.id, { onSuccess: done })} />
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Pools({ site, pools, now }: { site: string; pools: EstatePool[]; now: number }) {
  const { t } = useTranslation(["estate", "base"]);
  return (
    <WideTable minWidth={760}>
      <Table fz="xs" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>{(["pool", "state", "limits", "projects", "nodes", "running", "deeds"] as const).map((key) => <Table.Th key={key}>{t(`col.${key}`)}</Table.Th>)}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {pools.map((pool) => {
            const closed = pool.paused_reason !== "";
            const draining = closed && pool.drain_at_ms !== null;
            const state = !closed ? (pool.cordoned_nodes > 0 ? "partly" : "open") : !draining ? "cordoned" : pool.running > 0 ? "draining" : "drained";
            return (
              <Table.Tr key={pool.id}>
                <Table.Th scope="row">{plain(pool.name)}<Text size="xs" c="dimmed">{t(pool.kind === "queued" ? "queued" : "owned")}</Text></Table.Th>
                <Table.Td>
                  <Mark color={COLOUR[state]}>{t(`state.${state}`)}</Mark>
                  {closed && <Text size="xs">{plain(pool.paused_reason)}</Text>}
                  {state === "draining" && <Text size="xs">{t("givenBack", { time: duration(Math.max(0, (pool.drain_at_ms ?? now) - now)) })}</Text>}
                </Table.Td>
                <Table.Td>{t("limits", { slots: pool.max_running ?? t("noLimit"), time: pool.max_walltime_s === null ? t("noLimit") : duration(pool.max_walltime_s * 1000) })}</Table.Td>
                <Table.Td>{pool.projects.length === 0 ? t("everybody") : pool.projects.map(plain).join(", ")}</Table.Td>
                <Table.Td>{pool.cordoned_nodes > 0 ? t("nodesClosed", { nodes: pool.nodes, closed: pool.cordoned_nodes }) : pool.nodes}</Table.Td>
                <Table.Td>{pool.running}</Table.Td>
                <Table.Td>
                  <Group gap={6} wrap="nowrap">
                    <PoolForm site={site} pool={pool} />
                    {closed || pool.cordoned_nodes > 0 ? <Open place={{ pool: pool.id }} name={`${site}/${plain(pool.name)}`} /> : <Close place={{ pool: pool.id }} name={`${site}/${plain(pool.name)}`} running={pool.running} />}
                  </Group>
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}

function SiteForm({ site }: { site?: EstateSite }) {
  const { t } = useTranslation(["estate", "base"]);
  const make = useSiteMake();
  const change = useSiteChange();
  const [name, setName] = useState("");
  const [title, setTitle] = useState(site?.title ?? "");
  const [region, setRegion] = useState(site?.region ?? "");
  const [preference, setPreference] = useState<number | string>(site?.preference ?? 100);
  const [owners, setOwners] = useState(site?.owners.join(", ") ?? "");
  // Unchanged it is not sent: a name that the program gave is shown in the reader's language and kept in English.
  const body = { ...(title === site?.title ? {} : { title }), region, preference: Number(preference) };
  return (
    <Asked
      word={t(site ? "settings" : "make")}
      name={site ? plain(site.name) : t("newSite")}
      what={site ? "" : t("makeWhat")}
      deed={site ? change : make}
      ready={site !== undefined || name !== ""}
      run={(done) => (site ? change.mutate({ id: site.id, version: site.version, ...body, owners: names(owners) }, { onSuccess: done }) : make.mutate({ name, ...body }, { onSuccess: () => { setName(""); done(); } }))}
    >
      {!site && <TextInput label={t("name")} description={t("nameWhat")} value={name} maxLength={48} required data-autofocus onChange={(e) => setName(e.currentTarget.value)} />}
      <TextInput label={t("title")} value={title} maxLength={120} onChange={(e) => setTitle(e.currentTarget.value)} />
      <TextInput label={t("region")} value={region} maxLength={48} onChange={(e) => setRegion(e.currentTarget.value)} />
      <NumberInput label={t("preference")} description={t("preferenceWhat")} value={preference} onChange={setPreference} min={-1_000_000} max={1_000_000} allowDecimal={false} />
      {site && <TextInput label={t("owners")} description={t("ownersWhat")} value={owners} onChange={(e) => setOwners(e.currentTarget.value)} />}
    </Asked>
  );
}
