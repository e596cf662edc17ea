// Hashes files by chunks, away from the page: sha256 of a file of gigabytes takes seconds, and memory of one chunk.
// A library and not the browser's own digest: that one takes all bytes at once, and only over https.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const CHUNK = 4 * 1024 * 1024;

export type Ask = { id: number; blob: Blob } | { stop: number };
export type Told = { id: number; bytes: number } | { id: number; sha256: string } | { id: number; error: string };

const stopped = new Set<number>();
const tell = (told: Told) => self.postMessage(told);

async function hash(id: number, blob: Blob): Promise<void> {
  const state = sha256.create();
  for (let at = 0; at < blob.size; at += CHUNK) {
    if (stopped.delete(id)) return;
    state.update(new Uint8Array(await blob.slice(at, at + CHUNK).arrayBuffer()));
    tell({ id, bytes: Math.min(CHUNK, blob.size - at) });
  }
  tell({ id, sha256: bytesToHex(state.digest()) });
}

let queue = Promise.resolve();
self.onmessage = (message: MessageEvent<Ask>) => {
  const ask = message.data;
  if ("stop" in ask) {
    stopped.add(ask.stop);
    return;
  }
  queue = queue.then(() => hash(ask.id, ask.blob)).catch((error: unknown) => tell({ id: ask.id, error: String(error) }));
};
