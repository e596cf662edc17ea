// Accounting months with their statements, and the prices that apply now.

import { Anchor, Badge, Button, Code, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amount, money, plain, priced } from "@/lib/format";
import { useMe } from "@/queries";
import { useCloseMonth } from "@/queries/money";

const COLOUR = { running: "blue", open: "yellow", closed: "green" } as const;

export function Months({ project, months, zone }: { project: string; months: Schemas["MonthOut"][]; zone: string }) {
  const { t } = useTranslation("money");
  const me = useMe();
  const close = useCloseMonth(project);
  return (
    <Stack gap="xs">
      <Text size="sm" c="dimmed">{t("months.hint")} {t("months.zone", { zone })}</Text>
      {close.isError && <ErrorNote error={close.error} />}
      <WideTable minWidth={360}>
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("months.month")}</Table.Th>
              <Table.Th>{t("months.state")}</Table.Th>
              <Table.Th ta="right">{priced(t("spent"))}</Table.Th>
              <Table.Th>{t("months.statement")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {months.map((row) => (
              <Table.Tr key={row.month}>
                <Table.Th scope="row">{row.month}</Table.Th>
                <Table.Td>
                  <Badge variant="light" tt="none" autoContrast color={COLOUR[row.state]} c={`var(--mantine-color-${COLOUR[row.state]}-light-color)`}>{t(`months.${row.state}`)}</Badge>
                  {row.closed_at !== null && (
                    <Text size="xs" c="dimmed">
                      <When ms={Date.parse(row.closed_at)} /> · {plain(row.closed_by)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td ta="right">{row.spent_micros === null ? "" : amount(row.spent_micros)}</Table.Td>
                <Table.Td>
                  <Group gap="xs">
                    <Anchor size="sm" href={`/api/v1/projects/${project}/money/${row.month}.csv`} download aria-label={t("months.csvOf", { month: row.month })}>CSV</Anchor>
                    {row.digest !== "" && <Code title={`SHA-256 ${row.digest}`}>{row.digest.slice(0, 12)}</Code>}
                    {row.state === "open" && me.data?.user?.is_admin === true && (
                      <Button size="compact-xs" variant="default" loading={close.isPending} onClick={() => close.mutate(row.month)}>{t("months.close")}</Button>
                    )}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Stack>
  );
}

export function PriceBook({ prices, currency }: { prices: Schemas["RateOut"][]; currency: string }) {
  const { t } = useTranslation("money");
  if (prices.length === 0) return <Text size="sm">{t("prices.none")}</Text>;
  return (
    <WideTable minWidth={360}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("by.pool")}</Table.Th>
            <Table.Th ta="right">{t("prices.core", { currency })}</Table.Th>
            <Table.Th ta="right">{t("prices.memory", { currency })}</Table.Th>
            <Table.Th>{t("prices.more")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {prices.map((row) => (
            <Table.Tr key={`${row.site}/${row.pool}`}>
              <Table.Th scope="row">
                {plain(`${row.site}/${row.pool}`)}
                {row.valid_from !== null && <Text size="xs" c="dimmed">{t("prices.since")} <When ms={Date.parse(row.valid_from)} /></Text>}
              </Table.Th>
              <Table.Td ta="right">{row.version === 0 ? t("prices.free") : amount(row.core_hour_micros)}</Table.Td>
              <Table.Td ta="right">{amount(row.memory_gib_hour_micros)}</Table.Td>
              <Table.Td>
                {[
                  ...Object.entries(row.device_hour_micros).map(([name, micros]) => `${plain(name)} ${money(micros)} ${t("prices.hour")}`),
                  ...(row.start_micros > 0 ? [t("prices.start", { money: money(row.start_micros) })] : []),
                  ...(row.egress_gib_micros > 0 ? [t("prices.egress", { money: money(row.egress_gib_micros) })] : []),
                ].join(", ")}
                {row.next !== null && <Next now={row} next={row.next} />}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}

/** The version that follows: from when, and which rates it changes. */
function Next({ now, next }: { now: Schemas["RateOut"]; next: Schemas["NextRateOut"] }) {
  const { t } = useTranslation("money");
  const devices = [...new Set([...Object.keys(now.device_hour_micros), ...Object.keys(next.device_hour_micros)])].sort();
  const changed = [
    ...(["core_hour_micros", "memory_gib_hour_micros", "start_micros", "egress_gib_micros"] as const).filter((rate) => now[rate] !== next[rate]).map((rate) => t(`prices.next.${rate}`, { money: money(next[rate]) })),
    ...devices.filter((name) => now.device_hour_micros[name] !== next.device_hour_micros[name]).map((name) => `${plain(name)} ${money(next.device_hour_micros[name] ?? 0)} ${t("prices.hour")}`),
  ];
  return (
    <Text size="xs">
      <b>{t("prices.from")} <When ms={Date.parse(next.valid_from)} /></b>: {changed.join(", ") || t("prices.same")}
    </Text>
  );
}
