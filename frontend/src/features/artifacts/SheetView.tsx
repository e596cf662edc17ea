// A table with a plot of its columns of numbers.

import { Group, ScrollArea, Select, Stack, Table, Text } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { plain } from "@/lib/format";
import { numericColumns, type Sheet } from "./csv";
import { numberOf } from "./numbers";

const ROWS_SHOWN = 200;
const CELLS_SHOWN = 2_000; // each is an element of the page
const CELL_SHOWN = 200;
const COLUMNS_SHOWN = 40;

export function SheetView({ sheet, whole }: { sheet: Sheet; whole: boolean }) {
  const { t } = useTranslation("preview");
  const numeric = useMemo(() => numericColumns(sheet), [sheet]);
  const [x, setX] = useState<string | null>(null);
  const xColumn = x !== null ? Number(x) : (numeric[0] ?? -1);
  const shown = sheet.rows.slice(0, Math.min(ROWS_SHOWN, Math.ceil(CELLS_SHOWN / Math.min(COLUMNS_SHOWN, sheet.head.length))));
  const total = sheet.total.toLocaleString("en-US");
  return (
    <Stack gap="xs">
      {numeric.length >= 2 && (
        <>
          <Select size="xs" w={220} label="x" data={numeric.map((c) => ({ value: String(c), label: plain(sheet.head[c]!) || String(c + 1) }))} value={String(xColumn)} allowDeselect={false} onChange={setX} />
          <Plot sheet={sheet} x={xColumn} ys={numeric.filter((c) => c !== xColumn).slice(0, 6)} />
        </>
      )}
      <ScrollArea.Autosize mah={360} tabIndex={0}>
        <Table withTableBorder stickyHeader fz="xs">
          <Table.Thead>
            <Table.Tr>{sheet.head.slice(0, COLUMNS_SHOWN).map((cell, i) => <Table.Th key={i}>{plain(cell)}</Table.Th>)}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((row, i) => (
              <Table.Tr key={i}>{row.slice(0, COLUMNS_SHOWN).map((cell, j) => <Table.Td key={j}>{plain(cell.length > CELL_SHOWN ? `${cell.slice(0, CELL_SHOWN)}…` : cell)}</Table.Td>)}</Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
      <Text size="xs" c="dimmed">
        {whole ? t("rows", { shown: shown.length, total }) : t("rowsOfMore", { shown: shown.length, total })}
        {sheet.head.length > COLUMNS_SHOWN && ` · ${t("columns", { shown: COLUMNS_SHOWN, total: sheet.head.length })}`}
        {sheet.total > sheet.rows.length && numeric.length >= 2 && ` · ${t("plotted", { count: sheet.rows.length })}`}
      </Text>
    </Stack>
  );
}

const INKS = ["#1c7ed6", "#c92a2a", "#2b8a3e", "#a61e4d", "#b7791f", "#0c8599"];

function Plot({ sheet, x, ys }: { sheet: Sheet; x: number; ys: number[] }) {
  const [width, height, pad] = [560, 220, 44];
  const step = Math.max(1, Math.ceil(sheet.rows.length / 1000));
  const rows = sheet.rows.filter((_, i) => i % step === 0);
  const number = (row: string[], column: number) => numberOf(row[column] ?? "", sheet.decimalComma);
  const points = (y: number) => rows.map((row) => [number(row, x), number(row, y)] as const).filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
  const all = ys.flatMap(points);
  if (all.length < 2) return null;
  const range = (values: number[]) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low === high ? ([low - 1, high + 1] as const) : ([low, high] as const);
  };
  const [x0, x1] = range(all.map(([a]) => a));
  const [y0, y1] = range(all.map(([, b]) => b));
  const px = (a: number) => pad + ((a - x0) / (x1 - x0)) * (width - pad - 8);
  const py = (b: number) => height - 20 - ((b - y0) / (y1 - y0)) * (height - 32);
  const short = (n: number) => {
    const rounded = Number(n.toPrecision(3));
    return Math.abs(rounded) >= 1e5 || (rounded !== 0 && Math.abs(rounded) < 1e-3) ? rounded.toExponential() : String(rounded);
  };
  // A line says "one after the other": only where x goes one way. Else the points alone.
  const line = points(ys[0]!).every(([a], i, some) => i === 0 || a >= some[i - 1]![0]);
  return (
    <figure style={{ margin: 0 }}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={ys.map((y) => plain(sheet.head[y]!)).join(", ")} style={{ maxWidth: width, width: "100%" }}>
        <path d={`M${pad} 8V${height - 20}H${width - 8}`} fill="none" stroke="currentColor" opacity={0.4} />
        {[y0, y1].map((v, i) => <text key={i} x={pad - 4} y={py(v) + (i ? 8 : 0)} fontSize={9} textAnchor="end" fill="currentColor">{short(v)}</text>)}
        {[x0, x1].map((v, i) => <text key={i} x={i ? width - 8 : pad} y={height - 7} fontSize={9} textAnchor={i ? "end" : "start"} fill="currentColor">{short(v)}</text>)}
        {ys.map((y, i) => {
          const found = points(y);
          return (
            <g key={y}>
              {line && <polyline points={found.map(([a, b]) => `${px(a)},${py(b)}`).join(" ")} fill="none" stroke={INKS[i]} strokeWidth={found.length <= 40 ? 1.5 : 1.2} />}
              {(!line || found.length <= 40) && found.map(([a, b], j) => <circle key={j} cx={px(a)} cy={py(b)} r={line ? 2.5 : 1.8} fill={INKS[i]} fillOpacity={line ? 1 : 0.6} />)}
            </g>
          );
        })}
      </svg>
      <Group component="figcaption" gap="sm">
        {ys.map((y, i) => <Text key={y} size="xs" c={INKS[i]}>{plain(sheet.head[y]!)}</Text>)}
      </Group>
    </figure>
  );
}
