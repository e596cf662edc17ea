// What comes: each stretch of time as a bar of its three parts, with the range it may come to; and when the money ends.

import { Alert, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Figure } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { about, inCurrency } from "@/lib/format";
import { rangeText, roundUp } from "./amounts";
import { Key } from "./Spending";

type ForecastOut = Schemas["ForecastOut"];
const PARTS = [
  ["committed", "var(--mantine-color-blue-filled)"],
  ["scheduled", "var(--mantine-color-teal-filled)"],
  ["trend", "var(--mantine-color-gray-5)"],
] as const;
const WINDOWS = ["week", "month_rest", "next_month"] as const;

/** The sentence on when the money is used up. */
function useLasts(): (out: Schemas["RunsOutOut"]) => string {
  const { t } = useTranslation("money");
  return (out) => {
    if (out.expected === null && out.earliest === null) return t("lasts.year");
    if (out.expected === null) return t("lasts.perhaps", { day: out.earliest });
    return out.latest === null ? t("lasts.from", { day: out.expected, early: out.earliest }) : t("lasts.between", { day: out.expected, early: out.earliest, late: out.latest });
  };
}

export function Forecast({ forecast }: { forecast: ForecastOut }) {
  const { t } = useTranslation("money");
  const lasts = useLasts();
  const { basis, currency } = forecast;
  const most = roundUp(Math.max(1, ...WINDOWS.map((key) => forecast[key].total.high)));
  const share = (micros: number) => (100 * micros) / most;
  const soon = forecast.runs_out.earliest !== null;
  return (
    <Stack gap="sm">
      <Group gap="xl">
        <Figure label={t("month.spent", { month: forecast.month })} value={inCurrency(about(forecast.spent_month_micros))} />
        <Figure
          label={t("month.whole", { month: forecast.month })}
          value={inCurrency(rangeText({
            low: forecast.spent_month_micros + forecast.month_rest.total.low,
            expected: forecast.spent_month_micros + forecast.month_rest.total.expected,
            high: forecast.spent_month_micros + forecast.month_rest.total.high,
          }))}
        />
        <Figure label={t("month.next")} value={inCurrency(rangeText(forecast.next_month.total))} hint={t("expected", { money: inCurrency(about(forecast.next_month.total.expected)) })} />
      </Group>
      {soon ? <Alert color="yellow" p="xs">{lasts(forecast.runs_out)}</Alert> : <Text size="sm">{lasts(forecast.runs_out)}</Text>}
      <Group gap="lg">
        {PARTS.map(([key, fill]) => (
          <Key key={key} fill={fill} text={t(`part.${key}`)} />
        ))}
        <Text size="xs" c="dimmed">{t("part.line")}</Text>
      </Group>
      <Stack gap={6} role="img" aria-label={t("forecastPicture")}>
        {WINDOWS.map((key) => {
          const one = forecast[key];
          return (
            <div key={key} aria-hidden>
              <Text size="xs">
                {t(`window.${key}`)}: {inCurrency(about(one.total.expected))} ({rangeText(one.total)})
              </Text>
              <div style={{ display: "flex", height: 12 }}>
                {PARTS.map(([part, fill]) => (
                  <div key={part} style={{ width: `${share(one[part].expected)}%`, background: fill }} />
                ))}
              </div>
              <div style={{ marginLeft: `${share(one.total.low)}%`, width: `${share(one.total.high - one.total.low)}%`, height: 7, marginTop: 1, border: "1.5px solid currentColor", borderTopWidth: 0 }} />
            </div>
          );
        })}
      </Stack>
      <WideTable minWidth={420}>
        <Table fz="xs" withTableBorder>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("inCurrency", { currency })}</Table.Th>
              {[...PARTS.map(([key]) => key), "total" as const].map((key) => (
                <Table.Th key={key} ta="right">{t(`part.${key}`)}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {WINDOWS.map((key) => (
              <Table.Tr key={key}>
                <Table.Th scope="row">{t(`window.${key}`)}</Table.Th>
                {(["committed", "scheduled", "trend", "total"] as const).map((part) => (
                  <Table.Td key={part} ta="right" style={{ whiteSpace: "nowrap" }}>{rangeText(forecast[key][part])}</Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <Text size="xs" c="dimmed">
        {t("basis.held", { count: basis.steps_held, percent: basis.settled_permille / 10 })}{" "}
        {t("basis.schedules", { count: basis.schedules, ticks: forecast.next_month.ticks })}{" "}
        {basis.schedules_unpriced > 0 && `${t("basis.unpriced", { count: basis.schedules_unpriced })} `}
        {basis.history_days > 0 ? t("basis.trend", { count: basis.history_days }) : t("basis.noTrend")}
      </Text>
    </Stack>
  );
}
