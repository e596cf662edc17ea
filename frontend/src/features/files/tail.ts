// A text file that is followed: only what is new is asked for, and joined to what is shown. Pure.

import type { Schemas } from "@/api/client";

export type Look = Schemas["LookOut"];
export const TAIL_BYTES = 64 * 1024;

/** Where to begin reading: behind what is shown of a file, else that many bytes before its end. */
export const offsetAfter = (shown: Look | undefined): number => (shown?.kind === "file" && !shown.binary && shown.live ? shown.next_offset : -TAIL_BYTES);

/** What is shown with what came after it. Null: the file was written anew, or grew by more than a piece; read its end again. */
export function joined(shown: Look, next: Look): Look | null {
  if (next.kind !== "file" || next.path !== shown.path || next.attempt !== shown.attempt) return null;
  if (next.offset !== shown.next_offset || next.size_bytes < shown.size_bytes || next.binary) return null;
  if (next.size_bytes === shown.size_bytes && next.modified_ms !== shown.modified_ms) return null;
  // One byte in a character may wait for the rest of it; more than that is a piece that did not fit.
  if (next.size_bytes - next.next_offset >= TAIL_BYTES) return null;
  const text = shown.text + next.text;
  const cut = Math.max(0, text.length - 2 * TAIL_BYTES);
  return { ...next, offset: cut > 0 ? Math.max(1, shown.offset + cut) : shown.offset, text: text.slice(cut) };
}
