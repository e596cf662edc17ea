import { Alert, Badge, Group, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page, Simulated } from "@/components/parts";
import { ago, cores, duration, money, plain, size } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { usePools } from "@/queries";

const SILENT_MS = 60_000;

export function Pools() {
  const { t, i18n } = useTranslation();
  const pools = usePools(useProject());
  const now = useNow(true);
  return (
    <Page title={t("pools.title")}>
      <Loaded query={pools}>
        {(data) =>
          data.results.length === 0 ? (
            <Empty title={t("pools.none")} />
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
              {data.results.map((pool) => (
                <Card key={pool.id} title={`${plain(pool.name)} · ${plain(pool.site)}`} aside={<Badge variant="outline" color="gray" tt="none">{t(`pools.${pool.kind}`, { defaultValue: pool.kind })}</Badge>}>
                  <Stack gap="xs">
                    {pool.paused_reason !== "" && <Alert color="yellow" p={6}>{t("pools.paused", { reason: plain(pool.paused_reason) })}</Alert>}
                    {pool.agents.map((agent) => {
                      const heard = agent.last_sync_at ? Date.parse(agent.last_sync_at) : null;
                      return (
                        <Group key={agent.id} gap="xs">
                          <Text size="sm">{t("pools.agent")} {plain(agent.name)}</Text>
                          <Text size="sm" c={heard === null || now - heard > SILENT_MS ? "red" : "dimmed"}>
                            {heard === null ? t("pools.never") : t("pools.heard", { when: ago(heard, now, i18n.language) })}
                          </Text>
                          {agent.draining && <Badge size="sm" color="yellow" tt="none">{t("pools.draining")}</Badge>}
                        </Group>
                      );
                    })}
                    <Table fz="sm" withRowBorders={false} verticalSpacing={2}>
                      <Table.Tbody>
                        {pool.node_groups.map((group) => (
                          <Table.Tr key={group.id}>
                            <Table.Td>{t("pools.nodes")}</Table.Td>
                            <Table.Td>
                              {group.nodes} × {cores(group.cpu_millis)} {t("pools.cores")}, {size(group.memory_bytes)}
                              {Object.entries(group.devices).map(([name, n]) => `, ${n} × ${plain(name)}`)}
                              {group.accelerator !== "" && `, ${plain(group.accelerator)}`} {group.simulated && <Simulated />}
                            </Table.Td>
                          </Table.Tr>
                        ))}
                        <Table.Tr>
                          <Table.Td>{t("pools.walltime")}</Table.Td>
                          <Table.Td>{pool.max_walltime_s ? duration(pool.max_walltime_s * 1000) : t("pools.unlimited")}</Table.Td>
                        </Table.Tr>
                        <Table.Tr>
                          <Table.Td>{t("pools.price")}</Table.Td>
                          <Table.Td>{pool.price && pool.price.core_hour_micros > 0 ? money(pool.price.core_hour_micros) : t("pools.free")}</Table.Td>
                        </Table.Tr>
                      </Table.Tbody>
                    </Table>
                  </Stack>
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
    </Page>
  );
}
