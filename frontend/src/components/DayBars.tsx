// Runs by day, stacked by how they ended. Plain SVG: fourteen bars need no chart library.

import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { RUN_STATES } from "@/lib/states";

type Day = Schemas["DayOut"];
const ORDER = [
  ["succeeded", RUN_STATES.succeeded.fill],
  ["failed", RUN_STATES.failed.fill],
  ["error", RUN_STATES.error.fill],
  ["live", RUN_STATES.running.fill],
] as const;

export function DayBars({ days }: { days: Day[] }) {
  const { t } = useTranslation();
  const totals = days.map((day) => ORDER.reduce((sum, [key]) => sum + day[key], 0));
  const most = Math.max(1, ...totals);
  const [width, height, gap] = [280, 84, 3];
  const bar = width / days.length - gap;
  const words = days.map((day, i) => `${day.day}: ${totals[i]}`).join(", ");
  return (
    <svg viewBox={`0 0 ${width} ${height + 14}`} role="img" aria-label={`${t("home.days")}: ${words}`} style={{ width: "100%", maxHeight: 130 }}>
      {days.map((day, i) => {
        let y = height;
        return (
          <g key={day.day} transform={`translate(${i * (bar + gap)} 0)`}>
            <title>{`${day.day}: ${ORDER.filter(([key]) => day[key] > 0).map(([key]) => `${day[key]} ${t(`state.${key === "live" ? "running" : key}`)}`).join(", ") || "0"}`}</title>
            <rect width={bar} height={height} fill="currentColor" opacity={0.05} />
            {ORDER.map(([key, fill]) => {
              const tall = (height * day[key]) / most;
              y -= tall;
              return <rect key={key} y={y} width={bar} height={tall} fill={fill} />;
            })}
            {i % 3 === 1 && (
              <text x={bar / 2} y={height + 11} fontSize={8.5} textAnchor="middle" fill="currentColor">
                {day.day.slice(5)}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}
