// Runs as points: one number against another. Every point is a link to its run; the table below has the same figures.

import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { plain } from "@/lib/format";
import { RUN_STATES, type RunState } from "@/lib/states";
import { scale } from "./scale";

export interface Point {
  run: string;
  name: string;
  state: RunState;
  x: number;
  y: number;
}

export function Scatter({ points, x, y }: { points: Point[]; x: string; y: string }) {
  const { t } = useTranslation(["many", "base"]);
  const navigate = useNavigate();
  const [width, height, left, bottom] = [640, 320, 64, 40];
  const across = scale(points.map((p) => p.x), left, width - 16);
  const up = scale(points.map((p) => p.y), height - bottom, 12);
  return (
    <svg viewBox={`0 0 ${width} ${height}`} role="group" aria-label={t("plotLabel", { x: plain(x), y: plain(y), count: points.length })} style={{ width: "100%", maxWidth: 760, fontSize: 11 }}>
      {across.ticks.map((tick) => (
        <g key={tick} transform={`translate(${across.at(tick)} 0)`}>
          <line y1={12} y2={height - bottom} stroke="currentColor" opacity={0.12} />
          <text y={height - bottom + 15} textAnchor="middle" fill="currentColor">{short(tick)}</text>
        </g>
      ))}
      {up.ticks.map((tick) => (
        <g key={tick} transform={`translate(0 ${up.at(tick)})`}>
          <line x1={left} x2={width - 16} stroke="currentColor" opacity={0.12} />
          <text x={left - 6} dy="0.35em" textAnchor="end" fill="currentColor">{short(tick)}</text>
        </g>
      ))}
      <text x={(left + width) / 2} y={height - 6} textAnchor="middle" fill="currentColor">{plain(x)}</text>
      <text transform={`translate(12 ${(height - bottom) / 2}) rotate(-90)`} textAnchor="middle" fill="currentColor">{plain(y)}</text>
      {points.map((p) => {
        const words = `${plain(p.name)}: ${plain(x)} ${p.x}, ${plain(y)} ${p.y}, ${t(`base:state.${RUN_STATES[p.state].word}`)}`;
        const open = () => void navigate(`/runs/${p.run}`);
        return (
          <circle
            key={p.run} cx={across.at(p.x)} cy={up.at(p.y)} r={5} fill={RUN_STATES[p.state].fill} fillOpacity={0.8} stroke="currentColor"
            role="link" tabIndex={0} aria-label={words} style={{ cursor: "pointer" }}
            onClick={open} onKeyDown={(e) => e.key === "Enter" && open()}
          >
            <title>{words}</title>
          </circle>
        );
      })}
    </svg>
  );
}

const short = (value: number) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(value));
