// Spending by day: bars, and the same figures as a table for who cannot see them.

import { Group, Table, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { WideTable } from "@/components/WideTable";
import { about, amount, priced } from "@/lib/format";
import { roundUp } from "./amounts";

type Day = Schemas["SpendDayOut"];
const GOOD = "var(--mantine-color-blue-filled)";
const LOST = "var(--mantine-color-red-filled)";

export function Key({ fill, text }: { fill: string; text: string }) {
  return (
    <Group gap={6} wrap="nowrap">
      <span aria-hidden style={{ width: 10, height: 10, borderRadius: 2, background: fill }} />
      <Text size="xs">{text}</Text>
    </Group>
  );
}

function AsTable({ children }: { children: React.ReactNode }) {
  const { t } = useTranslation("money");
  return (
    <details>
      <summary style={{ cursor: "pointer", fontSize: "var(--mantine-font-size-xs)" }}>{t("asTable")}</summary>
      <WideTable minWidth={320}>{children}</WideTable>
    </details>
  );
}

export function Spending({ days, currency }: { days: Day[]; currency: string }) {
  const { t } = useTranslation("money");
  const most = roundUp(Math.max(...days.map((day) => day.spent_micros)));
  const { ref, width: measured } = useElementSize(); // so that the words keep their size on a phone
  const width = Math.max(260, measured);
  const [height, left, gap] = [150, 58, days.length > 45 ? (days.length > 120 ? 0 : 1) : 3];
  const bar = (width - left) / days.length - gap;
  const tall = (micros: number) => (height * Math.max(0, micros)) / most;
  const every = Math.ceil(days.length / Math.max(2, Math.floor(width / 80)));
  const total = days.reduce((sum, day) => sum + day.spent_micros, 0);
  const lost = days.reduce((sum, day) => sum + day.lost_micros, 0);
  const borne = days.reduce((sum, day) => sum + day.absorbed_micros, 0);
  return (
    <>
      <Group gap="lg" mb="xs">
        <Key fill={GOOD} text={t("spend.good", { money: about(total - lost), currency })} />
        <Key fill={LOST} text={t("spend.lost", { money: about(lost), currency })} />
        {borne > 0 && <Text size="xs" c="dimmed">{t("spend.borne", { money: about(borne), currency })}</Text>}
      </Group>
      <div ref={ref}>
      <svg width="100%" height={height + 18} viewBox={`0 0 ${width} ${height + 18}`} role="img" aria-label={t("spend.picture", { money: about(total), currency, days: days.length })}>
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line x1={left} x2={width} y1={height * (1 - part)} y2={height * (1 - part)} stroke="currentColor" opacity={0.15} />
            <text x={left - 6} y={height * (1 - part) + (part === 1 ? 9 : 3)} fontSize={11} textAnchor="end" fill="currentColor">
              {about(most * part)}
            </text>
          </g>
        ))}
        {days.map((day, i) => (
          <g key={day.day} transform={`translate(${left + i * (bar + gap)} 0)`}>
            <title>{`${day.day}: ${about(day.spent_micros)} ${currency}`}</title>
            <rect width={bar} height={height} fill="transparent" />
            <rect y={height - tall(day.spent_micros)} width={bar} height={tall(day.spent_micros - day.lost_micros)} fill={GOOD} />
            <rect y={height - tall(day.lost_micros)} width={bar} height={tall(day.lost_micros)} fill={LOST} />
            {(days.length - 1 - i) % every === 0 && (
              <text x={bar / 2} y={height + 13} fontSize={11} textAnchor={i === days.length - 1 ? "end" : "middle"} fill="currentColor">
                {day.day.slice(5)}
              </text>
            )}
          </g>
        ))}
      </svg>
      </div>
      <AsTable>
        <Table fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("day")}</Table.Th>
              <Table.Th ta="right">{priced(t("spent"))}</Table.Th>
              <Table.Th ta="right">{priced(t("lost"))}</Table.Th>
              <Table.Th ta="right">{priced(t("borne"))}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {days.map((day) => (
              <Table.Tr key={day.day}>
                <Table.Th scope="row">{day.day}</Table.Th>
                <Table.Td ta="right">{amount(day.spent_micros)}</Table.Td>
                <Table.Td ta="right">{amount(day.lost_micros)}</Table.Td>
                <Table.Td ta="right">{amount(day.absorbed_micros)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </AsTable>
    </>
  );
}
