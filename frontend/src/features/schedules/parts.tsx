// What the list, the page and the form of schedules share: a time in the schedule's own zone, a tick's outcome, a state.

import { Anchor, Badge, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { plain } from "@/lib/format";

export type Schedule = Schemas["CronOut"];
export type Tick = Schemas["TickOut"];

const TICKS = { active: "blue", succeeded: "green", failed: "red", skipped: "gray", refused: "red" } as const satisfies Record<Tick["state"], string>;

/** A moment as clocks in `zone` show it; a zone the browser does not know falls back to UTC. */
function inZone(ms: number, zone: string, language: string): string {
  const style = { weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  try {
    return new Intl.DateTimeFormat(language, { ...style, timeZone: zone }).format(ms);
  } catch {
    return `${new Intl.DateTimeFormat(language, { ...style, timeZone: "UTC" }).format(ms)} UTC`;
  }
}

export function Moment({ ms, zone }: { ms: number; zone: string }) {
  const { i18n } = useTranslation();
  return <time dateTime={new Date(ms).toISOString()}>{inZone(ms, zone, i18n.language)}</time>;
}

export function TickMark({ tick }: { tick: Tick }) {
  const { t } = useTranslation("schedules");
  return (
    <>
      <Badge size="sm" variant="light" color={TICKS[tick.state]} tt="none" c={`var(--mantine-color-${TICKS[tick.state]}-light-color)`}>{t(`tick.${tick.state}`)}</Badge>{" "}
      {tick.run_id && <Anchor component={Link} size="sm" to={`/runs/${tick.run_id}`}>{plain(tick.run_name ?? tick.run_id)}</Anchor>}
      {!tick.run_id && tick.reason !== "" && <Text span size="sm">{t(`reason.${tick.reason}`, { defaultValue: tick.reason })}</Text>}
    </>
  );
}

export function StateMark({ row }: { row: Schedule }) {
  const { t } = useTranslation("schedules");
  const word = row.stopped ? "stopped" : row.suspended ? "suspended" : "active";
  const color = word === "active" ? "green" : "orange";
  return <Badge size="sm" variant="light" color={color} tt="none" c={`var(--mantine-color-${color}-light-color)`}>{t(`state.${word}`)}</Badge>;
}

export const zoneOf = (row: Schedule) => row.timezone ?? "UTC";
export const nextOf = (row: Schedule) => row.next_ms ?? [];
export const wordsOf = (row: Schedule, language: string) => (row.words ?? []).map((one) => (language.startsWith("zh") ? one.zh : one.en));
