// A manifest's steps before any ran: boxes and lines, small enough for a card.

import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { plain } from "@/lib/format";
import { BOX_HEIGHT, BOX_WIDTH, layout, type GraphNode } from "./layout";

export interface SketchNode {
  id: string;
  name: string;
  template: string;
  parents: string[];
  loop: boolean;
  conditional: boolean;
}

function asGraph(n: SketchNode): GraphNode {
  return {
    id: n.id, name: n.name, type: "Pod", phase: "Pending", template: n.template, boundary: "", parents: n.parents, message: "", started_at_ms: null,
    finished_at_ms: null, task: "", task_state: "", queued_at_ms: null, waits_for: "", attempts: 0, site: "", pool: "", simulated: false,
    leased_at_ms: null, running_at_ms: null, ended_at_ms: null, charged_micros: 0,
  };
}

/** As much of a name as a box holds; its end tells more than its middle. */
const cut = (name: string) => (name.length > 18 ? `${name.slice(0, 9)}…${name.slice(-8)}` : name);

export function Sketch({ nodes, height }: { nodes: SketchNode[]; height: number }) {
  const { t } = useTranslation(["launch", "base"]);
  const found = useMemo(() => layout(nodes.map(asGraph), { fold: false, onlyOpen: false }), [nodes]);
  const byId = new Map(nodes.map((n) => [n.id, n]));
  if (nodes.length === 0) return null;
  const pad = 8;
  const named = nodes.map((n) => plain(n.name) + (n.loop ? ` (${t("loop")})` : "")).join(", ");
  return (
    <svg viewBox={`${-pad} ${-pad} ${found.width + 2 * pad} ${found.height + 2 * pad}`} role="img" aria-label={`${t("preview")}: ${named}`} style={{ width: "100%", height, display: "block" }} preserveAspectRatio="xMidYMid meet">
      {found.lines.map((line, i) => {
        const [from, to] = [found.boxes[line.from]!, found.boxes[line.to]!];
        return <path key={i} d={`M${from.x + BOX_WIDTH / 2} ${from.y + BOX_HEIGHT}L${to.x + BOX_WIDTH / 2} ${to.y}`} stroke="currentColor" opacity={0.4} strokeWidth={1.5} />;
      })}
      {found.boxes.map((box) => {
        const node = byId.get(box.id)!;
        const shape = { width: BOX_WIDTH, height: BOX_HEIGHT, rx: 8, fill: "var(--mantine-color-body)", stroke: "var(--mantine-primary-color-filled)", strokeWidth: 1.5, strokeDasharray: node.conditional ? "6 4" : undefined };
        return (
          <g key={box.id}>
            <title>{plain(node.name)}</title>
            {node.loop && <rect {...shape} x={box.x + 5} y={box.y + 5} />}
            <rect {...shape} x={box.x} y={box.y} />
            <text x={box.x + BOX_WIDTH / 2} y={box.y + BOX_HEIGHT / 2 + 5} textAnchor="middle" fontSize={15} fill="currentColor">
              {cut(plain(node.name))}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
