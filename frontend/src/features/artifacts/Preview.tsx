// What a file looks like, by its name: picture, table and plot, text, JSON, atoms. Nothing in a file can run: pictures are
// `img`, HTML goes into a frame without scripts or origin, all else is text.

import { Alert, Code, Group, Loader, ScrollArea, Select, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "@/api/problem";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, size } from "@/lib/format";
import { numericColumns, parseCsv, type Sheet } from "./csv";
import { kindOf, type Kind } from "./kind";
import { Structure } from "./Structure";
import { parseStructure } from "./structure";

const SHOW_MAX_BYTES = 8 * 1024 * 1024;
const TEXT_SHOWN = 200_000;
export function Preview({ url, name, bytes }: { url: string; name: string; bytes: number }) {
  const { t } = useTranslation();
  const file = useQuery({
    queryKey: ["file", url],
    queryFn: async () => {
      const response = await fetch(url, { credentials: "same-origin" });
      if (!response.ok) throw Problem.from(await response.json().catch(() => null), response);
      const blob = await response.blob();
      return { blob, found: kindOf(name, new Uint8Array(await blob.slice(0, 4096).arrayBuffer())) };
    },
    enabled: bytes <= SHOW_MAX_BYTES,
    staleTime: Infinity,
  });
  if (bytes > SHOW_MAX_BYTES) return <Alert color="gray">{t("artifacts.tooLarge", { size: size(bytes) })}</Alert>;
  if (file.isError) return <ErrorNote error={file.error} again={() => void file.refetch()} />;
  if (!file.data) return <Loader size="sm" aria-label={t("app.loading")} />;
  const { blob, found } = file.data;
  if (found.kind === "image") return <Picture blob={blob} type={found.type} name={name} />;
  if (found.kind === "binary") return <Alert color="gray">{t("artifacts.binary")}</Alert>;
  return <TextFile blob={blob} kind={found.kind} name={name} />;
}

function Picture({ blob, type, name }: { blob: Blob; type: string; name: string }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([blob], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, type]);
  return url === "" ? null : <img src={url} alt={plain(name)} style={{ maxWidth: "100%", maxHeight: 640, background: "#fff", borderRadius: 8 }} />;
}

function TextFile({ blob, kind, name }: { blob: Blob; kind: Kind; name: string }) {
  const { t } = useTranslation();
  const content = useQuery({ queryKey: ["text", name, blob.size, blob], queryFn: () => blob.text(), staleTime: Infinity, gcTime: 0 });
  const text = content.data;
  if (text === undefined) return <Loader size="sm" aria-label={t("app.loading")} />;
  if (kind === "structure") {
    const frames = parseStructure(name, text);
    if (frames.length > 0) return <Structure frames={frames} />;
  }
  if (kind === "table") return <SheetView sheet={parseCsv(text, name.toLowerCase().endsWith(".tsv") ? "\t" : ",")} />;
  if (kind === "html")
    return <iframe title={plain(name)} sandbox="" srcDoc={text} style={{ width: "100%", height: 480, border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, background: "#fff" }} />;
  return <Plain text={kind === "json" ? pretty(text) : text} />;
}

const pretty = (text: string) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

const Plain = ({ text }: { text: string }) => (
  <ScrollArea.Autosize mah={480}>
    <Code block>{plain(text.slice(0, TEXT_SHOWN))}{text.length > TEXT_SHOWN ? "\n…" : ""}</Code>
  </ScrollArea.Autosize>
);

function SheetView({ sheet }: { sheet: Sheet }) {
  const { t } = useTranslation();
  const numeric = useMemo(() => numericColumns(sheet), [sheet]);
  const [x, setX] = useState<string | null>(null);
  const xColumn = x !== null ? Number(x) : (numeric[0] ?? -1);
  const shown = sheet.rows.slice(0, 200);
  return (
    <Stack gap="xs">
      {numeric.length >= 2 && (
        <>
          <Select size="xs" w={180} label="x" data={numeric.map((c) => ({ value: String(c), label: plain(sheet.head[c]!) }))} value={String(xColumn)} onChange={setX} />
          <Plot sheet={sheet} x={xColumn} ys={numeric.filter((c) => c !== xColumn).slice(0, 6)} />
        </>
      )}
      <ScrollArea.Autosize mah={360}>
        <Table withTableBorder stickyHeader fz="xs">
          <Table.Thead>
            <Table.Tr>{sheet.head.map((cell, i) => <Table.Th key={i}>{plain(cell)}</Table.Th>)}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((row, i) => (
              <Table.Tr key={i}>{row.map((cell, j) => <Table.Td key={j}>{plain(cell)}</Table.Td>)}</Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
      <Text size="xs" c="dimmed">{t("artifacts.rows", { shown: shown.length, total: sheet.total })}</Text>
    </Stack>
  );
}

const INKS = ["#1c7ed6", "#c92a2a", "#2b8a3e", "#a61e4d", "#b7791f", "#0c8599"];

function Plot({ sheet, x, ys }: { sheet: Sheet; x: number; ys: number[] }) {
  const [width, height, pad] = [560, 220, 34];
  const step = Math.max(1, Math.ceil(sheet.rows.length / 1000));
  const rows = sheet.rows.filter((_, i) => i % step === 0);
  const points = (y: number) => rows.map((row) => [Number(row[x]), Number(row[y])] as const).filter(([a, b], i) => Number.isFinite(a) && Number.isFinite(b) && rows[i]![y] !== "");
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
  const short = (n: number) => Number(n.toPrecision(3)).toString();
  return (
    <figure style={{ margin: 0 }}>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={ys.map((y) => plain(sheet.head[y]!)).join(", ")} style={{ maxWidth: width, width: "100%" }}>
        <path d={`M${pad} 8V${height - 20}H${width - 8}`} fill="none" stroke="currentColor" opacity={0.4} />
        {[y0, y1].map((v, i) => <text key={i} x={2} y={py(v) + (i ? 8 : 0)} fontSize={9} fill="currentColor">{short(v)}</text>)}
        {[x0, x1].map((v, i) => <text key={i} x={i ? width - 8 : pad} y={height - 7} fontSize={9} textAnchor={i ? "end" : "start"} fill="currentColor">{short(v)}</text>)}
        {ys.map((y, i) => {
          const found = points(y);
          return found.length <= 40 ? (
            <g key={y}>
              <polyline points={found.map(([a, b]) => `${px(a)},${py(b)}`).join(" ")} fill="none" stroke={INKS[i]} strokeWidth={1.5} />
              {found.map(([a, b], j) => <circle key={j} cx={px(a)} cy={py(b)} r={2.5} fill={INKS[i]} />)}
            </g>
          ) : (
            <polyline key={y} points={found.map(([a, b]) => `${px(a)},${py(b)}`).join(" ")} fill="none" stroke={INKS[i]} strokeWidth={1.2} />
          );
        })}
      </svg>
      <Group component="figcaption" gap="sm">
        {ys.map((y, i) => <Text key={y} size="xs" c={INKS[i]}>{plain(sheet.head[y]!)}</Text>)}
      </Group>
    </figure>
  );
}
