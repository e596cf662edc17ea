// What a version changes: each rate in percent, and what a month's use costs under both.

import { Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { amount, money, plain, priced, timeOf } from "@/lib/format";
import type { PricePreview } from "@/queries/prices";
import { dearer, percent } from "./rates";

const hours = (ms: number) => (ms / 3_600_000).toLocaleString("en-US", { maximumFractionDigits: 1 });

export function Difference({ preview }: { preview: PricePreview }) {
  const { t, i18n } = useTranslation(["prices", "base"]);
  const { basis } = preview;
  const changed = preview.changes.filter((one) => one.before_micros !== one.after_micros);
  const devices = Object.entries(basis.device_ms).map(([name, ms]) => t("basis.device", { name: plain(name), hours: hours(ms) }));
  return (
    <Stack gap="xs">
      {changed.length === 0 ? (
        <Text size="sm">{t("same")}</Text>
      ) : (
        <Table fz="sm">
          <Table.Thead><Table.Tr><Table.Th>{t("rateName")}</Table.Th><Table.Th ta="right">{priced(t("before"))}</Table.Th><Table.Th ta="right">{priced(t("after"))}</Table.Th><Table.Th ta="right">{t("change")}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {changed.map((one) => (
              <Table.Tr key={one.rate}>
                <Table.Th scope="row">{one.rate.startsWith("device:") ? t("deviceHour", { name: plain(one.rate.slice(7)) }) : t(`rate.${one.rate}`)}</Table.Th>
                <Table.Td ta="right">{amount(one.before_micros)}</Table.Td>
                <Table.Td ta="right">{amount(one.after_micros)}</Table.Td>
                <Table.Td ta="right">{one.permille === null ? t("fromNothing") : percent(one.permille)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {basis.attempts === 0 ? (
        <Text size="sm">{t("noUse")}</Text>
      ) : (
        <>
          <Text size="sm">
            <b>{t(basis.running ? "wouldRunning" : "would", { month: basis.month, now: money(preview.cost_now_micros), then: money(preview.cost_then_micros) })}</b>{" "}
            ({percent(dearer(preview.cost_now_micros, preview.cost_then_micros))})
          </Text>
          <Text size="xs" c="dimmed">
            {[t("basis.steps", { count: basis.attempts }), t("basis.cores", { hours: hours(basis.core_ms) }), t("basis.memory", { hours: hours(basis.gib_ms) }), ...devices].join(t("basis.join"))}
            {t("basis.booked", { booked: money(basis.booked_micros) })}
            {!basis.whole && t("basis.cut", { when: timeOf(basis.from_ms, i18n.language) })}
          </Text>
        </>
      )}
    </Stack>
  );
}
