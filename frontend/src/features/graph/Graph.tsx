// The picture of a tree on a canvas: pan, zoom, choose. A canvas because thousands of boxes as elements make a page
// stutter; who cannot see it has the same nodes as rows on the Steps page, and hears each box the arrow keys reach.

import { Box as Frame, Button, Group, Switch, Text, useComputedColorScheme, VisuallyHidden } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { plain } from "@/lib/format";
import { PHASES } from "@/lib/states";
import { BOX_HEIGHT, BOX_WIDTH, layout, neighbour, type Box, type GraphNode, type Layout } from "./layout";

interface View {
  x: number; // of the picture's origin, in CSS pixels
  y: number;
  zoom: number;
}

/** The last whole frame, what it showed and from where. */
interface Still {
  image: HTMLCanvasElement;
  found: Layout;
  view: View;
}

const REST_MS = 120;
/** Lines a stroke: rasterising one path of thousands costs far more than many of hundreds. */
const STROKE_LINES = 150;

const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"] as const;
type Arrow = (typeof ARROWS)[number];

export function Graph({ nodes, chosen, onChoose, height = 560 }: { nodes: GraphNode[]; chosen: string; onChoose: (node: GraphNode) => void; height?: number }) {
  const { t } = useTranslation();
  const [fold, setFold] = useState(true);
  const [onlyOpen, setOnlyOpen] = useState(false);
  const found = useMemo(() => layout(nodes, { fold, onlyOpen }), [nodes, fold, onlyOpen]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ref: frame, width: measured } = useElementSize();
  const width = measured || 800;
  const [view, setView] = useState<View | null>(null);
  const dark = useComputedColorScheme("light") === "dark";
  const at = found.boxOf.get(chosen) ?? -1;

  const whole = useCallback((): View => {
    const zoom = Math.min(1, Math.max(0.02, Math.min((width - 40) / Math.max(1, found.width), (height - 40) / Math.max(1, found.height))));
    return { zoom, x: (width - found.width * zoom) / 2, y: 20 };
  }, [found.width, found.height, width, height]);
  // At first as large as can be read, from the top: a tree of many rounds fitted whole would be a hair.
  const first = useCallback((): View => {
    const fit = whole();
    const zoom = Math.max(fit.zoom, Math.min(0.62, (width - 40) / Math.max(1, found.width)));
    return { zoom, x: (width - found.width * zoom) / 2, y: 20 };
  }, [whole, width, found.width]);
  const shown = view ?? first();

  // While the view moves, the last whole frame is shifted and scaled; when it rests, the picture is drawn anew. So a pan
  // costs a copy, whatever the tree's size.
  const still = useRef<Still | null>(null);
  const moving = useRef(false);
  const [rest, setRest] = useState(0);
  const resting = useRef<ReturnType<typeof setTimeout>>(undefined);
  const move = (next: View | null | ((old: View | null) => View | null)) => {
    moving.current = true;
    clearTimeout(resting.current);
    resting.current = setTimeout(() => {
      moving.current = false;
      setRest((n) => n + 1);
    }, REST_MS);
    setView(next);
  };
  useEffect(() => () => clearTimeout(resting.current), []);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const next = requestAnimationFrame(() => {
      const kept = still.current;
      if (moving.current && kept && kept.found === found) shift(element, kept, shown);
      else still.current = paint(element, found, shown, { width, height, dark, chosen: at, t });
    });
    return () => cancelAnimationFrame(next);
  }, [found, shown.x, shown.y, shown.zoom, width, height, dark, at, t, rest]);

  const zoomBy = useCallback(
    (factor: number, cx: number, cy: number) =>
      move((old) => {
        const from = old ?? first();
        const zoom = Math.min(2.5, Math.max(0.02, from.zoom * factor));
        const k = zoom / from.zoom;
        return { zoom, x: cx - (cx - from.x) * k, y: cy - (cy - from.y) * k };
      }),
    [first],
  );

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault(); // React's own listener is passive and could not
      zoomBy(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [zoomBy]);

  const drag = useRef<{ x: number; y: number; view: View; moved: boolean } | null>(null);
  const boxAt = (x: number, y: number): Box | undefined => {
    const [px, py] = [(x - shown.x) / shown.zoom, (y - shown.y) / shown.zoom];
    return found.boxes.find((box) => px >= box.x && px <= box.x + BOX_WIDTH && py >= box.y && py <= box.y + BOX_HEIGHT);
  };
  const choose = (box: Box) => onChoose(box.nodes.find((n) => n.phase === box.phase) ?? box.nodes[0]!);
  const onKey = (event: React.KeyboardEvent) => {
    if ((ARROWS as readonly string[]).includes(event.key)) {
      event.preventDefault();
      const next = neighbour(found, at, event.key as Arrow);
      const box = found.boxes[next];
      if (!box) return;
      choose(box);
      const [x, y] = [box.x * shown.zoom + shown.x, box.y * shown.zoom + shown.y];
      if (x < 0 || y < 0 || x > width - BOX_WIDTH * shown.zoom || y > height - BOX_HEIGHT * shown.zoom)
        setView({ zoom: shown.zoom, x: shown.x + width / 2 - x, y: shown.y + height / 2 - y });
    } else if (event.key === "+" || event.key === "=") zoomBy(1.25, width / 2, height / 2);
    else if (event.key === "-") zoomBy(0.8, width / 2, height / 2);
    else if (event.key === "0") setView(null);
  };
  const box = found.boxes[at];
  return (
    <Frame ref={frame}>
      <Group justify="space-between" mb={6} gap="xs">
        <Group gap="md">
          <Switch size="xs" label={t("run.fold")} checked={fold} onChange={(e) => { setFold(e.currentTarget.checked); setView(null); }} />
          <Switch size="xs" label={t("run.onlyOpen")} checked={onlyOpen} onChange={(e) => { setOnlyOpen(e.currentTarget.checked); setView(null); }} />
        </Group>
        <Group gap="xs">
          <Text size="xs" c="dimmed">
            {t("run.nodes", { count: nodes.length })}
          </Text>
          <Button size="compact-xs" variant="default" onClick={() => setView(whole())}>
            {t("run.fit")}
          </Button>
        </Group>
      </Group>
      <canvas
        ref={canvas}
        data-boxes={found.boxes.length}
        tabIndex={0}
        role="application"
        aria-label={`${t("run.graph")}. ${t("run.keys")}`}
        style={{ width: "100%", height, display: "block", border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, cursor: "grab", touchAction: "none" }}
        onKeyDown={onKey}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { x: event.clientX, y: event.clientY, view: shown, moved: false };
        }}
        onPointerMove={(event) => {
          const from = drag.current;
          if (!from) return;
          const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
          if (!from.moved && Math.hypot(dx, dy) < 4) return;
          from.moved = true;
          move({ zoom: from.view.zoom, x: from.view.x + dx, y: from.view.y + dy });
        }}
        onPointerUp={(event) => {
          const moved = drag.current?.moved;
          drag.current = null;
          if (moved) return;
          const rect = event.currentTarget.getBoundingClientRect();
          const hit = boxAt(event.clientX - rect.left, event.clientY - rect.top);
          if (hit) choose(hit);
        }}
        onPointerCancel={() => (drag.current = null)}
      />
      <VisuallyHidden aria-live="polite">{box ? `${plain(box.label)}, ${t(`state.${PHASES[box.phase].word}`)}` : ""}</VisuallyHidden>
    </Frame>
  );
}

interface Paint {
  width: number;
  height: number;
  dark: boolean;
  chosen: number;
  t: (key: string, values?: Record<string, unknown>) => string;
}

function shift(element: HTMLCanvasElement, kept: Still, view: View): void {
  const c = element.getContext("2d");
  if (!c) return;
  const ratio = window.devicePixelRatio || 1;
  const k = view.zoom / kept.view.zoom;
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.clearRect(0, 0, element.width, element.height);
  c.setTransform(k, 0, 0, k, ratio * (view.x - kept.view.x * k), ratio * (view.y - kept.view.y * k));
  c.drawImage(kept.image, 0, 0);
}

/** Draws what is in view; what is outside costs a comparison. Returns the frame, for moving it. */
function paint(element: HTMLCanvasElement, found: Layout, view: View, { width, height, dark, chosen, t }: Paint): Still | null {
  const ratio = window.devicePixelRatio || 1;
  if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
  }
  const c = element.getContext("2d");
  if (!c) return null;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.setTransform(ratio * view.zoom, 0, 0, ratio * view.zoom, ratio * view.x, ratio * view.y);
  const [left, top] = [-view.x / view.zoom - BOX_WIDTH, -view.y / view.zoom - BOX_HEIGHT];
  const [right, bottom] = [(width - view.x) / view.zoom, (height - view.y) / view.zoom];
  const seen = (box: Box) => box.x >= left && box.x <= right && box.y >= top && box.y <= bottom;
  c.strokeStyle = dark ? "#4a5260" : "#b9c1cc";
  c.lineWidth = Math.max(1, 0.6 / view.zoom);
  const curved = view.zoom > 0.2 && found.lines.length < 2000;
  let drawn = 0;
  c.beginPath();
  for (const { from, to } of found.lines) {
    const [a, b] = [found.boxes[from]!, found.boxes[to]!];
    if (!seen(a) && !seen(b)) continue;
    const [x1, y1, x2, y2] = [a.x + BOX_WIDTH / 2, a.y + BOX_HEIGHT, b.x + BOX_WIDTH / 2, b.y];
    c.moveTo(x1, y1);
    const mid = (y1 + y2) / 2;
    if (curved) c.bezierCurveTo(x1, mid, x2, mid, x2, y2);
    else c.lineTo(x2, y2);
    drawn += 1;
    if (drawn % STROKE_LINES === 0) {
      c.stroke();
      c.beginPath();
    }
  }
  c.stroke();
  const words = view.zoom > 0.32;
  c.font = "13px system-ui, sans-serif";
  c.textBaseline = "middle";
  found.boxes.forEach((box, index) => {
    if (!seen(box)) return;
    const fill = PHASES[box.phase].fill;
    if (box.nodes.length > 1) {
      c.fillStyle = dark ? "#2b313b" : "#dfe4ea";
      c.fillRect(box.x + 4, box.y + 4, BOX_WIDTH, BOX_HEIGHT);
    }
    c.fillStyle = dark ? "#20252d" : "#ffffff";
    c.fillRect(box.x, box.y, BOX_WIDTH, BOX_HEIGHT);
    c.lineWidth = index === chosen ? 3 : 1.2;
    c.strokeStyle = index === chosen ? (dark ? "#74c0fc" : "#1c4f8f") : fill;
    c.strokeRect(box.x, box.y, BOX_WIDTH, BOX_HEIGHT);
    c.fillStyle = fill;
    c.fillRect(box.x, box.y, 6, BOX_HEIGHT);
    if (box.nodes.length > 1) mix(c, box);
    if (!words) return;
    c.fillStyle = dark ? "#e3e8f0" : "#1c2330";
    const label = box.nodes.length > 1 ? t("run.folded", { count: box.nodes.length, name: plain(box.label) }) : plain(box.label);
    c.fillText(cut(label), box.x + 13, box.y + (box.nodes.length > 1 ? 16 : 14));
    if (box.nodes.length === 1) {
      c.fillStyle = dark ? "#a9b3c1" : "#5b6675";
      const node = box.nodes[0]!;
      c.fillText(cut([t(`state.${PHASES[box.phase].word}`), node.site].filter(Boolean).join(" · ")), box.x + 13, box.y + 29);
    }
  });
  const image = document.createElement("canvas");
  image.width = element.width;
  image.height = element.height;
  image.getContext("2d")?.drawImage(element, 0, 0);
  return { image, found, view };
}

const cut = (text: string) => (text.length > 22 ? `${text.slice(0, 10)}…${text.slice(-10)}` : text);

/** A bar of how many of a folded group are in which phase. */
function mix(c: CanvasRenderingContext2D, box: Box): void {
  const counts = new Map<string, number>();
  for (const node of box.nodes) counts.set(node.phase, (counts.get(node.phase) ?? 0) + 1);
  let x = box.x + 13;
  const width = BOX_WIDTH - 24;
  for (const [phase, n] of counts) {
    c.fillStyle = PHASES[phase as keyof typeof PHASES].fill;
    const part = (width * n) / box.nodes.length;
    c.fillRect(x, box.y + 27, part, 6);
    x += part;
  }
}
