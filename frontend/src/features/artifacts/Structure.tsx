// Atoms as shaded discs on a canvas, turned by mouse or keys. No WebGL: it works on any machine and in any browser test.

import { Group, Slider, Text } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { ATOMS_MAX, bonds, colourOf, FRAMES_MAX, radiusOf, type Frame, type StructureFile } from "./structure";

export function Structure({ found }: { found: StructureFile }) {
  const { t } = useTranslation(["preview", "base"]);
  const { frames } = found;
  const [index, setIndex] = useState(0);
  const [turn, setTurn] = useState({ yaw: 0.6, pitch: 0.4, zoom: 1 });
  const frame = frames[Math.min(index, frames.length - 1)] ?? [];
  const lines = useMemo(() => bonds(frame), [frame]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<{ x: number; y: number } | null>(null);
  useEffect(() => {
    if (canvas.current) paint(canvas.current, frame, lines, turn);
  }, [frame, lines, turn]);
  const rotate = (yaw: number, pitch: number) => setTurn((old) => ({ ...old, yaw: old.yaw + yaw, pitch: old.pitch + pitch }));
  const onKey = (event: React.KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowLeft: () => rotate(-0.15, 0),
      ArrowRight: () => rotate(0.15, 0),
      ArrowUp: () => rotate(0, -0.15),
      ArrowDown: () => rotate(0, 0.15),
      "+": () => setTurn((old) => ({ ...old, zoom: old.zoom * 1.15 })),
      "-": () => setTurn((old) => ({ ...old, zoom: old.zoom / 1.15 })),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  const words = t("base:artifacts.structure", { atoms: frame.length, frame: index + 1, frames: frames.length });
  return (
    <div>
      <canvas
        ref={canvas}
        width={720}
        height={440}
        tabIndex={0}
        role="img"
        aria-label={`${words}. ${t("base:artifacts.rotate")}`}
        data-atoms={frame.length}
        style={{ width: "100%", maxWidth: 720, background: "#f6f7f9", borderRadius: 8, touchAction: "none", cursor: "grab" }}
        onKeyDown={onKey}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          drag.current = { x: e.clientX, y: e.clientY };
        }}
        onPointerMove={(e) => {
          if (!drag.current) return;
          rotate((e.clientX - drag.current.x) * 0.01, (e.clientY - drag.current.y) * 0.01);
          drag.current = { x: e.clientX, y: e.clientY };
        }}
        onPointerUp={() => (drag.current = null)}
      />
      <Group gap="md" mt={4}>
        <Text size="xs" c="dimmed">{words}</Text>
        {found.symmetry !== "none" && <Text size="xs" c="dimmed">{t(`symmetry.${found.symmetry}`)}</Text>}
        {found.more && <Text size="xs" role="note">{t("moreFrames", { frames: FRAMES_MAX.toLocaleString("en-US"), atoms: ATOMS_MAX.toLocaleString("en-US") })}</Text>}
        {frames.length > 1 && <Slider w={240} size="sm" min={0} max={frames.length - 1} value={index} onChange={setIndex} label={(v) => v + 1} thumbLabel={words} />}
      </Group>
    </div>
  );
}

/** Far to near. Atoms of one element and size are the same picture, drawn once. */
function paint(element: HTMLCanvasElement, frame: Frame, lines: [number, number][], turn: { yaw: number; pitch: number; zoom: number }): void {
  const c = element.getContext("2d");
  if (!c || frame.length === 0) return;
  c.clearRect(0, 0, element.width, element.height);
  const mid = (axis: "x" | "y" | "z") => frame.reduce((sum, atom) => sum + atom[axis], 0) / frame.length;
  const [mx, my, mz] = [mid("x"), mid("y"), mid("z")];
  const reach = frame.reduce((far, a) => Math.max(far, Math.hypot(a.x - mx, a.y - my, a.z - mz) + radiusOf(a.element)), 1.5);
  const scale = (Math.min(element.width, element.height) / 2 / reach) * 0.9 * turn.zoom;
  const [cy, sy, cp, sp] = [Math.cos(turn.yaw), Math.sin(turn.yaw), Math.cos(turn.pitch), Math.sin(turn.pitch)];
  const [px, py, depth] = [new Float64Array(frame.length), new Float64Array(frame.length), new Float64Array(frame.length + lines.length)];
  frame.forEach((atom, i) => {
    const [x, y, z] = [atom.x - mx, atom.y - my, atom.z - mz];
    const z1 = -sy * x + cy * z;
    px[i] = element.width / 2 + (cy * x + sy * z) * scale;
    py[i] = element.height / 2 - (cp * y - sp * z1) * scale;
    depth[i] = sp * y + cp * z1;
  });
  lines.forEach(([i, j], k) => (depth[frame.length + k] = (depth[i]! + depth[j]!) / 2));
  const order = Uint32Array.from(depth, (_, i) => i).sort((a, b) => depth[a]! - depth[b]!);
  const discs = new Map<string, HTMLCanvasElement>();
  c.strokeStyle = "#8b929c";
  c.lineWidth = Math.max(0.5, 0.16 * scale);
  for (const item of order) {
    if (item < frame.length) {
      const symbol = frame[item]!.element;
      const disc = discs.get(symbol) ?? discs.set(symbol, discOf(symbol, scale)).get(symbol)!;
      c.drawImage(disc, px[item]! - disc.width / 2, py[item]! - disc.height / 2);
    } else {
      const [i, j] = lines[item - frame.length]!;
      c.beginPath();
      c.moveTo(px[i]!, py[i]!);
      c.lineTo(px[j]!, py[j]!);
      c.stroke();
    }
  }
}

const RADIUS_MAX = 400; // pixels: of atoms zoomed in on until one fills the canvas

function discOf(symbol: string, scale: number): HTMLCanvasElement {
  const r = Math.min(RADIUS_MAX, Math.max(2, radiusOf(symbol) * 0.55 * scale));
  const disc = document.createElement("canvas");
  disc.width = disc.height = Math.ceil(2 * r) + 2;
  const c = disc.getContext("2d");
  if (!c) return disc;
  const mid = disc.width / 2;
  const shade = c.createRadialGradient(mid - r / 3, mid - r / 3, r / 10, mid, mid, r);
  shade.addColorStop(0, "#ffffff");
  shade.addColorStop(0.35, colourOf(symbol));
  shade.addColorStop(1, "#22262c");
  c.fillStyle = shade;
  c.beginPath();
  c.arc(mid, mid, r, 0, 2 * Math.PI);
  c.fill();
  return disc;
}
