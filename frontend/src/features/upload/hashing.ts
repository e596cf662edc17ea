// One worker for all hashing, started when first needed.

import type { Ask, Told } from "./worker";

interface Waiting {
  bytes: (count: number) => void;
  done: (sha256: string) => void;
  failed: (error: Error) => void;
}

let worker: Worker | null = null;
let last = 0;
const waiting = new Map<number, Waiting>();

function start(): Worker {
  if (worker) return worker;
  worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = (message: MessageEvent<Told>) => {
    const told = message.data;
    const who = waiting.get(told.id);
    if (!who) return;
    if ("bytes" in told) who.bytes(told.bytes);
    else {
      waiting.delete(told.id);
      if ("sha256" in told) who.done(told.sha256);
      else who.failed(new Error(told.error));
    }
  };
  worker.onerror = (event) => {
    for (const who of waiting.values()) who.failed(new Error(event.message));
    waiting.clear();
    worker = null;
  };
  return worker;
}

/** The sha256 of a blob, in hex; rejects when stopped or when the file cannot be read (it changed on disk). */
export function sha256Of(blob: Blob, progress: (bytes: number) => void, signal: AbortSignal): Promise<string> {
  return new Promise((done, failed) => {
    const id = ++last;
    const send = (ask: Ask) => start().postMessage(ask);
    const stop = () => {
      if (!waiting.delete(id)) return;
      send({ stop: id });
      failed(signal.reason as Error);
    };
    signal.addEventListener("abort", stop, { once: true });
    waiting.set(id, {
      bytes: progress,
      done: (found) => (signal.removeEventListener("abort", stop), done(found)),
      failed: (error) => (signal.removeEventListener("abort", stop), failed(error)),
    });
    if (signal.aborted) stop();
    else send({ id, blob });
  });
}
