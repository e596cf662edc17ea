// Every state of every entity with its colour and word. The types come from the server's schema: a state that is new
// there does not compile here until it has both.

import type { Schemas } from "@/api/client";

export type RunState = Schemas["RunOut"]["state"];
export type Phase = Schemas["GraphNodeOut"]["phase"];
export type TaskState = Exclude<Schemas["GraphNodeOut"]["task_state"], "">;
export type AttemptState = Schemas["AttemptOut"]["state"];

interface Look {
  /** A Mantine colour. */
  color: string;
  /** For canvas and SVG. */
  fill: string;
  /** A key below `state.` in the language files. */
  word: string;
}

const look = (color: string, fill: string, word: string): Look => ({ color, fill, word });

const waiting = "#b7791f";
const active = "#1c7ed6";
const good = "#2b8a3e";
const bad = "#c92a2a";
const odd = "#a61e4d";
const quiet = "#748091";

export const RUN_STATES: Record<RunState, Look> = {
  pending: look("yellow", waiting, "pending"),
  running: look("blue", active, "running"),
  succeeded: look("green", good, "succeeded"),
  failed: look("red", bad, "failed"),
  error: look("pink", odd, "error"),
};

export const PHASES: Record<Phase, Look> = {
  Pending: look("yellow", waiting, "pending"),
  Running: look("blue", active, "running"),
  Succeeded: look("green", good, "succeeded"),
  Skipped: look("gray", quiet, "skipped"),
  Failed: look("red", bad, "failed"),
  Error: look("pink", odd, "error"),
  Omitted: look("gray", quiet, "omitted"),
};

export const TASK_STATES: Record<TaskState, Look> = {
  blocked: look("gray", quiet, "blocked"),
  queued: look("yellow", waiting, "queued"),
  placed: look("cyan", "#0c8599", "placed"),
  running: look("blue", active, "running"),
  succeeded: look("green", good, "succeeded"),
  failed: look("red", bad, "failed"),
  cancelled: look("gray", quiet, "cancelled"),
};

export const ATTEMPT_STATES: Record<AttemptState, Look> = {
  leased: look("cyan", "#0c8599", "leased"),
  staging: look("cyan", "#0c8599", "staging"),
  submitted: look("cyan", "#0c8599", "submitted"),
  running: look("blue", active, "running"),
  finishing: look("blue", active, "finishing"),
  succeeded: look("green", good, "succeeded"),
  failed: look("red", bad, "failed"),
  cancelled: look("gray", quiet, "cancelled"),
  preempted: look("orange", "#d9480f", "preempted"),
  lost: look("pink", odd, "lost"),
};

export const LIVE: ReadonlySet<RunState> = new Set<RunState>(["pending", "running"]);
