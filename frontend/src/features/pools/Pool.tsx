// One pool: does it take steps, what runs and waits there, its use over the last day, its nodes, its agents.

import { Alert, Badge, Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Card, Figure, Simulated } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { ago, cores, duration, money, plain, size } from "@/lib/format";
import type { PlaceNode, PlacePool } from "@/queries/places";
import { CordonButton } from "./CordonButton";
import { Use } from "./Use";

const SILENT_MS = 60_000;

export function PoolCard({ pool, mine, now }: { pool: PlacePool; mine: boolean; now: number }) {
  const { t, i18n } = useTranslation(["pools", "base"]);
  const drains = pool.drain_at_ms !== null && (pool.drain_at_ms > now ? t("drainsIn", { time: duration(pool.drain_at_ms - now) }) : t("drains"));
  return (
    <Card
      title={`${plain(pool.name)} · ${plain(pool.site)}`}
      aside={
        <Group gap="xs">
          <Badge variant="outline" color="gray" tt="none">{t(pool.kind)}</Badge>
          {mine && <CordonButton target={{ pool: pool.id }} name={plain(pool.name)} cordoned={pool.paused_reason !== ""} />}
        </Group>
      }
    >
      <Stack gap="xs">
        {pool.paused_reason !== "" && <Alert color="yellow" p={6}>{t("cordoned", { reason: plain(pool.paused_reason) })} {drains}</Alert>}
        <Group gap="lg">
          <Figure label={t("running")} value={pool.max_running === null ? pool.running : `${pool.running} / ${pool.max_running}`} />
          <Figure label={t("waiting")} value={pool.waiting} />
          <Figure label={t("inUse")} value={t(pool.used_cpu_millis > pool.capacity_cpu_millis ? "coresAhead" : "cores", { used: cores(pool.used_cpu_millis), capacity: cores(pool.capacity_cpu_millis), ahead: cores(pool.used_cpu_millis - pool.capacity_cpu_millis) })} />
          <Figure label={t("price")} value={pool.price && pool.price.core_hour_micros > 0 ? money(pool.price.core_hour_micros) : t("free")} />
          <Figure label={t("walltime")} value={pool.max_walltime_s ? duration(pool.max_walltime_s * 1000) : t("unlimited")} />
        </Group>
        <Use use={pool.use} />
        <WideTable minWidth={320}>
          <Table fz="xs" verticalSpacing={4}>
            <Table.Tbody>
              {pool.nodes.map((node) => (
                <Node key={`${node.group} ${node.node}`} node={node} site={pool.site} mine={mine} now={now} />
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
        {pool.nodes_hidden > 0 && <Text size="xs" c="dimmed">{t("moreNodes", { count: pool.nodes_hidden })}</Text>}
        {pool.agents.length === 0 && <Text size="sm" c="red">{t("noAgent")}</Text>}
        {pool.agents.map((agent) => {
          const silent = agent.heard_ms === null || now - agent.heard_ms > SILENT_MS;
          return (
            <Stack gap={0} key={agent.id}>
              <Group gap="xs">
                <Text size="sm">{t("agent")} {plain(agent.name)}</Text>
                {agent.draining && <Badge size="sm" variant="outline" color="gray" tt="none">{t("draining")}</Badge>}
              </Group>
              <Text size="xs" c={silent ? "red" : undefined}>
                {t("heartbeat")}: {agent.heard_ms === null ? t("never") : ago(agent.heard_ms, now, i18n.language)}
              </Text>
              <Text size="xs">
                {t("lease")}: {agent.leases === 0 || agent.lease_ends_ms === null ? t("noLease") : agent.lease_ends_ms > now ? t("leases", { count: agent.leases, time: duration(agent.lease_ends_ms - now) }) : t("leaseOver", { count: agent.leases })}
              </Text>
              {agent.refuses !== "" && <Text size="xs" c="red">{t("refuses", { reason: plain(agent.refuses) })}</Text>}
            </Stack>
          );
        })}
      </Stack>
    </Card>
  );
}

function Node({ node, site, mine, now }: { node: PlaceNode; site: string; mine: boolean; now: number }) {
  const { t } = useTranslation(["pools", "base"]);
  const name = `${plain(node.group)} ${node.node}`;
  const part = node.cpu_millis > 0 ? Math.min(100, (100 * node.used_cpu_millis) / node.cpu_millis) : 0;
  return (
    <Table.Tr>
      <Table.Th scope="row" miw={64} style={{ overflowWrap: "break-word" }}>{name}</Table.Th>
      <Table.Td>
        {cores(node.cpu_millis)} {t("coresWord")}, {size(node.memory_bytes)}
        {Object.entries(node.devices).map(([device, n]) => `, ${n} × ${plain(device)}`)}
        {node.accelerator !== "" && `, ${plain(node.accelerator)}`} {node.simulated && <Simulated />}
        {node.cordon && (
          <Text size="xs" fw={600}>
            {t("cordoned", { reason: plain(node.cordon.reason) })}
            {node.cordon.drain_at_ms !== null && ` ${node.cordon.drain_at_ms > now ? t("drainsIn", { time: duration(node.cordon.drain_at_ms - now) }) : t("drains")}`}
          </Text>
        )}
      </Table.Td>
      <Table.Td miw={80}>
        <Progress size="sm" value={part} color={node.cordon ? "yellow" : "blue"} aria-label={t("useOf", { pool: name })} />
        <Text size="xs" c="dimmed">{t("steps", { count: node.running })}</Text>
      </Table.Td>
      {mine && (
        <Table.Td ta="right">
          <CordonButton target={{ site, group: node.group, node: node.node }} name={name} cordoned={node.cordon !== null} />
        </Table.Td>
      )}
    </Table.Tr>
  );
}
