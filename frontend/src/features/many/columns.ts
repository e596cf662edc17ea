// The columns of a table of runs: parameters, results, and what a run took.

import type { Schemas } from "@/api/client";
import { amount, duration, priced, units } from "@/lib/format";
import { own } from "@/lib/named";

export type Row = Schemas["RunRowOut"];

export interface Column {
  key: string;
  kind: "parameter" | "result" | "fact";
  title: string;
  /** Of `raw`, where it is not the name's own. */
  unit: string;
  varies: boolean;
  numeric: boolean;
  /** For computing and CSV: seconds, currency units, or the text itself. */
  raw: (row: Row) => string | number | null | undefined;
  shown: (row: Row) => string;
}

export function columnsOf(data: Schemas["RunTableOut"], word: (key: "took" | "cost" | "steps") => string): Column[] {
  const named = (kind: "parameter" | "result", listed: Schemas["ColumnOut"][], of: (row: Row) => Record<string, string>): Column[] =>
    listed.map((c) => ({ key: `${kind}:${c.name}`, kind, title: c.name, unit: "", varies: c.varies, numeric: c.numeric, raw: (row) => own(of(row), c.name), shown: (row) => own(of(row), c.name) ?? "" }));
  const fact = (key: "took" | "cost" | "steps", unit: string, raw: (row: Row) => number | null, shown: (row: Row) => string): Column => ({ key: `fact:${key}`, kind: "fact", title: key === "cost" ? priced(word(key)) : word(key), unit, varies: true, numeric: true, raw, shown });
  return [
    ...named("parameter", data.parameters, (row) => row.parameters),
    ...named("result", data.results, (row) => row.results),
    fact("took", "s", ({ run }) => (run.started_at_ms && run.finished_at_ms ? (run.finished_at_ms - run.started_at_ms) / 1000 : null), ({ run }) => (run.started_at_ms && run.finished_at_ms ? duration(run.finished_at_ms - run.started_at_ms) : "–")),
    fact("cost", "", ({ run }) => units(run.settled_micros), ({ run }) => amount(run.settled_micros)),
    fact("steps", "", ({ run }) => run.steps_done, ({ run }) => `${run.steps_done}/${run.steps_total}`),
  ];
}

/** Rows by a column: numbers as numbers, what is missing last either way. */
export function sorted(rows: Row[], by: Column, down: boolean): Row[] {
  const value = (row: Row) => {
    const raw = by.raw(row);
    return raw === null || raw === undefined || raw === "" ? null : by.numeric ? Number(raw) : String(raw);
  };
  return [...rows].sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return down ? -order : order;
  });
}
