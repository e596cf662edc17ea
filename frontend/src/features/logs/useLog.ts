// A log as lines: read by offset from the one address it has while live and for ever after.

import { useEffect, useReducer, useRef } from "react";
import { api, bodyOf } from "@/api/client";
import { asProblem, isTransient, type Problem } from "@/api/problem";
import { clean } from "./clean";

const PART_BYTES = 256 * 1024;
const FOLLOW_S = 10;
/** More lines than this are cut at the front: a browser need not hold what nobody scrolls to. */
export const LINES_MAX = 200_000;

export interface LogState {
  lines: string[];
  /** Lines cut at the front, so that line numbers stay true. */
  cut: number;
  open: string; // what came after the last line end
  streams: string[];
  stream: string;
  sizeBytes: number;
  gaps: number;
  eof: boolean;
  problem: Problem | null;
}

const EMPTY: LogState = { lines: [], cut: 0, open: "", streams: [], stream: "", sizeBytes: 0, gaps: 0, eof: false, problem: null };

type Action = { kind: "reset" } | { kind: "problem"; problem: Problem } | { kind: "part"; text: string; rest: Omit<LogState, "lines" | "cut" | "open" | "problem"> };

/** Adds a part; carriage returns overwrite their line as in a terminal, escape sequences are taken out. */
export function withPart(state: LogState, text: string): Pick<LogState, "lines" | "cut" | "open"> {
  const parts = (state.open + text).split("\n");
  const open = parts.pop() ?? "";
  const lines = state.lines;
  for (const line of parts) lines.push(clean(line)); // in place: a copy a part would cost the square of a long log
  let cut = state.cut;
  if (lines.length > LINES_MAX) {
    cut += lines.length - LINES_MAX;
    lines.splice(0, lines.length - LINES_MAX);
  }
  return { lines, cut, open };
}

function reduce(state: LogState, action: Action): LogState {
  if (action.kind === "reset") return { ...EMPTY, lines: [] };
  if (action.kind === "problem") return { ...state, problem: action.problem };
  return { ...state, ...action.rest, ...withPart(state, action.text), problem: null };
}

export function useLog(task: string, attempt: number | undefined, stream: string | undefined): LogState {
  const [state, dispatch] = useReducer(reduce, { ...EMPTY, lines: [] });
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    if (task === "") return;
    const control = new AbortController();
    stop.current = control;
    dispatch({ kind: "reset" });
    const read = async () => {
      let offset = 0;
      let chosen = stream;
      let failures = 0;
      while (!control.signal.aborted) {
        try {
          const part = await bodyOf(
            api.GET("/api/v1/tasks/{id}/logs", {
              params: { path: { id: task }, query: { offset, limit: PART_BYTES, follow: offset === 0 ? 0 : FOLLOW_S, ...(attempt ? { attempt } : {}), ...(chosen ? { stream: chosen as never } : {}) } },
              signal: control.signal,
            }),
          );
          failures = 0;
          offset = part.next_offset;
          if (part.text !== "") chosen = part.stream;
          dispatch({
            kind: "part",
            text: part.text,
            rest: { streams: part.streams, stream: part.stream, sizeBytes: part.size_bytes, gaps: part.gaps.length, eof: part.eof },
          });
          if (part.eof) return;
          if (part.text === "" && offset === 0) await pause(1000, control.signal);
        } catch (error) {
          if (control.signal.aborted) return;
          dispatch({ kind: "problem", problem: asProblem(error) });
          if (!isTransient(error)) return;
          failures += 1;
          await pause(Math.min(15_000, 500 * 2 ** failures), control.signal);
        }
      }
    };
    void read();
    return () => control.abort();
  }, [task, attempt, stream]);
  return state;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
