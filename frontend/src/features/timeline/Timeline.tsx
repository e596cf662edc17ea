// When each step waited, was staged and ran, by site, drawn on a canvas.

import { Box as Frame, Group, Text, useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { GraphNode } from "@/features/graph/layout";
import { duration, plain } from "@/lib/format";
import { PHASES } from "@/lib/states";
import { useNow } from "@/lib/useNow";
import { timeline, type Bar, type Timeline as Found } from "./layout";

const LEFT = 92;
const TOP = 22;

export function Timeline({ nodes, live, chosen, onChoose }: { nodes: GraphNode[]; live: boolean; chosen: string; onChoose: (node: GraphNode) => void }) {
  const { t } = useTranslation(["timeline", "base"]);
  const now = useNow(live);
  const found = useMemo(() => timeline(nodes, now), [nodes, now]);
  const row = found.rows > 240 ? 5 : found.rows > 80 ? 10 : 18;
  const height = Math.min(4000, TOP + found.rows * row + 12);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ref: frame, width: measured } = useElementSize();
  const width = measured || 800;
  const dark = useComputedColorScheme("light") === "dark";
  useEffect(() => {
    const next = requestAnimationFrame(() => canvas.current && paint(canvas.current, found, { width, height, row, dark, chosen }));
    return () => cancelAnimationFrame(next);
  });
  if (found.bars.length === 0) return <Text size="sm">{t("base:run.noSteps")}</Text>;
  const at = (event: React.PointerEvent<HTMLCanvasElement>): Bar | undefined => {
    const rect = event.currentTarget.getBoundingClientRect();
    const ms = found.fromMs + ((event.clientX - rect.left - LEFT) / (width - LEFT - 8)) * (found.toMs - found.fromMs);
    const hitRow = Math.floor((event.clientY - rect.top - TOP) / row);
    const slack = ((found.toMs - found.fromMs) / width) * 3;
    return found.bars.find((bar) => bar.row === hitRow && ms >= bar.segments[0]!.fromMs - slack && ms <= bar.segments.at(-1)!.toMs + slack);
  };
  const told = (bar: Bar) => [plain(bar.node.name), ...bar.segments.map((s) => `${t(`base:state.${s.kind === "waiting" ? "queued" : s.kind}`)} ${duration(s.toMs - s.fromMs)}`)].join(" · ");
  return (
    <Frame ref={frame}>
      <Group gap="md" mb={6}>
        {(["waiting", "staging", "running"] as const).map((kind) => (
          <Group key={kind} gap={4}>
            <span aria-hidden style={{ width: 12, height: 8, background: COLOURS[kind] }} />
            <Text size="xs">{t(`base:state.${kind === "waiting" ? "queued" : kind}`)}</Text>
          </Group>
        ))}
        {found.bars.some((bar) => failed(bar.node)) && (
          <Group gap={4}>
            <span aria-hidden style={{ width: 12, height: 8, background: PHASES.Failed.fill }} />
            <Text size="xs">{t("base:state.failed")}</Text>
          </Group>
        )}
        <Group gap={4}>
          <span aria-hidden style={{ width: 12, height: 8, border: `2px solid ${CRITICAL}` }} />
          <Text size="xs" title={t("criticalHelp")}>{t("critical")}</Text>
        </Group>
        <Text size="xs" c="dimmed">
          {duration(found.toMs - found.fromMs)}
        </Text>
      </Group>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${t("base:run.timeline")}: ${found.lanes.map((lane) => lane.site || "–").join(", ")}`}
        style={{ width: "100%", height, display: "block" }}
        onPointerMove={(event) => {
          const hit = at(event);
          event.currentTarget.title = hit ? told(hit) : "";
          event.currentTarget.style.cursor = hit ? "pointer" : "";
        }}
        onPointerUp={(event) => {
          const hit = at(event);
          if (hit) onChoose(hit.node);
        }}
      />
    </Frame>
  );
}

const CRITICAL = "#e8590c";
const failed = (node: GraphNode) => node.phase === "Failed" || node.phase === "Error";

const COLOURS = { waiting: "#d8a23a", staging: "#3bc9db", running: "#1c7ed6" } as const;

function paint(element: HTMLCanvasElement, found: Found, { width, height, row, dark, chosen }: { width: number; height: number; row: number; dark: boolean; chosen: string }): void {
  const ratio = window.devicePixelRatio || 1;
  element.width = Math.round(width * ratio);
  element.height = Math.round(height * ratio);
  const c = element.getContext("2d");
  if (!c) return;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  const span = found.toMs - found.fromMs;
  const x = (ms: number) => LEFT + ((ms - found.fromMs) / span) * (width - LEFT - 8);
  const ink = dark ? "#c3cbd6" : "#404a58";
  c.font = "11px system-ui, sans-serif";
  c.fillStyle = ink;
  c.textBaseline = "alphabetic";
  const step = niceStep(span, (width - LEFT) / 90);
  c.strokeStyle = dark ? "#333a45" : "#e6eaef";
  for (let ms = 0; ms <= span; ms += step) {
    const at = x(found.fromMs + ms);
    c.beginPath();
    c.moveTo(at, TOP - 4);
    c.lineTo(at, height);
    c.stroke();
    c.fillText(duration(ms), at + 2, 11);
  }
  for (const lane of found.lanes) {
    c.fillStyle = ink;
    c.fillText(plain(lane.site || "–").slice(0, 14), 2, TOP + lane.firstRow * row + Math.min(13, row + 3));
    c.beginPath();
    c.moveTo(0, TOP + lane.firstRow * row - 0.5);
    c.lineTo(width, TOP + lane.firstRow * row - 0.5);
    c.stroke();
  }
  for (const bar of found.bars) {
    const y = TOP + bar.row * row + 1;
    const tall = Math.max(2, row - 3);
    for (const { kind, fromMs, toMs } of bar.segments) {
      c.fillStyle = kind === "running" && failed(bar.node) ? PHASES.Failed.fill : COLOURS[kind];
      const thin = kind === "waiting" ? Math.ceil(tall / 3) : 0; // a wait is a line that leads to the step
      c.fillRect(x(fromMs), y + thin, Math.max(1.5, x(toMs) - x(fromMs)), tall - 2 * thin);
    }
    const worked = bar.segments.find((s) => s.kind !== "waiting") ?? bar.segments[0]!;
    const [from, to] = [x(worked.fromMs), x(bar.segments.at(-1)!.toMs)];
    if (bar.critical || bar.node.id === chosen) {
      c.strokeStyle = bar.node.id === chosen ? (dark ? "#fff" : "#000") : CRITICAL;
      c.lineWidth = 1.5;
      c.strokeRect(from - 0.5, y - 0.5, Math.max(3, to - from + 1), tall + 1);
    }
    if (row >= 18 && to - from > 50) {
      c.fillStyle = worked.kind === "waiting" ? ink : "#fff";
      c.fillText(plain(bar.node.name).slice(0, Math.floor((to - from) / 7)), from + 4, y + 11);
    }
  }
}

/** A round distance of marks in milliseconds: 1, 2 or 5 times a power of ten, or minutes and hours. */
function niceStep(span: number, marks: number): number {
  const rough = span / Math.max(1, marks);
  for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000])
    if (step >= rough) return step;
  return Math.ceil(rough / 86_400_000) * 86_400_000;
}
