// One upload from chosen files to a dataset's version: hash, ask what is missing, send it, make the version.
//
// Decides what is tried again (a broken line, a busy server: for as long as it takes, ever more slowly) and what is an
// error. Pausing ends what is under way; going on begins with asking, so nothing that arrived is sent twice, also after a
// reload with the same files chosen again.

import { asProblem, isTransient } from "@/api/problem";
import { sha256Of } from "./hashing";
import { partAt, type Source } from "./plan";
import { begin, discard, Grant, makeVersion, missingOf, PARTS_FROM, putPart, putWhole, standsAt, type Begun, type Entry } from "./wire";

export type JobState = "hashing" | "sending" | "finishing" | "paused" | "done" | "failed" | "cancelled";

export interface JobView {
  id: number;
  project: string;
  name: string;
  state: JobState;
  files: number;
  filesDone: number;
  sizeBytes: number;
  hashedBytes: number;
  /** Bytes that are safe at the server, those it had before included. */
  sentBytes: number;
  /** Of those: not sent, for they were there. */
  hadBytes: number;
  /** The line is down or the server busy; it tries again by itself. */
  waiting: boolean;
  error: unknown;
  version: number | null;
  isNew: boolean;
  dataset: string;
}

const PARALLEL = 4;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const REFUSED_MOST = 8; // parts damaged or out of place before it is an error
const LIVE: ReadonlySet<JobState> = new Set(["hashing", "sending", "finishing"]);

let last = 0;

export class UploadJob {
  view: JobView;
  #digests = new Map<Source, string>();
  #stop = new AbortController();
  #begun = new Map<string, Begun>();
  #running: Promise<void> | null = null;

  constructor(
    project: string,
    name: string,
    readonly description: string,
    readonly sources: Source[],
    readonly changed: () => void,
  ) {
    const sizeBytes = sources.reduce((sum, s) => sum + s.file.size, 0);
    this.view = {
      id: ++last, project, name, state: "hashing", files: sources.length, filesDone: 0, sizeBytes, hashedBytes: 0, sentBytes: 0,
      hadBytes: 0, waiting: false, error: null, version: null, isNew: false, dataset: "",
    };
  }

  get live(): boolean {
    return LIVE.has(this.view.state);
  }

  /** Resolves when it is done, failed, paused or cancelled. */
  go(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = null));
    return this.#running;
  }

  pause(): void {
    if (!this.live) return;
    this.#set({ state: "paused", waiting: false });
    this.#stop.abort(new DOMException("paused", "AbortError"));
  }

  async cancel(): Promise<void> {
    this.#set({ state: "cancelled", waiting: false });
    this.#stop.abort(new DOMException("cancelled", "AbortError"));
    await this.#running;
    await Promise.allSettled([...this.#begun.values()].map((b) => (b.state === "open" ? discard(b.id) : null)));
  }

  async #run(): Promise<void> {
    this.#stop = new AbortController();
    this.#set({ error: null, waiting: false });
    try {
      await this.#hash();
      await this.#send();
      await this.#finish();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#set({ state: "failed", error, waiting: false });
    }
  }

  async #hash(): Promise<void> {
    this.#set({ state: "hashing" });
    for (const source of this.sources) {
      if (this.#digests.has(source)) continue;
      let counted = 0;
      const count = (bytes: number) => {
        counted += bytes;
        this.#set({ hashedBytes: this.view.hashedBytes + bytes });
      };
      try {
        this.#digests.set(source, await sha256Of(source.file, count, this.#stop.signal));
      } catch (error) {
        this.#set({ hashedBytes: this.view.hashedBytes - counted });
        throw error;
      }
    }
  }

  async #send(): Promise<void> {
    const byDigest = new Map(this.sources.map((s) => [this.#digests.get(s)!, s]));
    const missing = await this.#tried((signal) => missingOf(this.view.project, [...byDigest.keys()], signal));
    const all = [...byDigest];
    const had = all.filter(([digest]) => !missing.has(digest)).reduce((sum, [, s]) => sum + s.file.size, 0);
    const twice = this.view.sizeBytes - all.reduce((sum, [, s]) => sum + s.file.size, 0);
    this.#set({ state: "sending", hadBytes: had + twice, sentBytes: had + twice, filesDone: this.sources.length - missing.size });
    const grant = new Grant(this.view.project);
    const todo = all.filter(([digest]) => missing.has(digest)).sort(([, a], [, b]) => a.file.size - b.file.size);
    const take = async () => {
      for (let next = todo.pop(); next; next = todo.pop()) {
        const [digest, { file }] = next;
        if (file.size > PARTS_FROM) await this.#sendParts(digest, file);
        else {
          await this.#tried(async (signal) => {
            await file.slice(0, 1).arrayBuffer(); // a file that changed on disk fails here, and not as a broken line
            await putWhole(grant, file, digest, signal);
          });
          this.#set({ sentBytes: this.view.sentBytes + file.size });
        }
        this.#set({ filesDone: this.view.filesDone + 1 });
      }
    };
    const hands = Array.from({ length: PARALLEL }, take);
    await Promise.all(hands).catch(async (error: unknown) => {
      todo.splice(0);
      await Promise.allSettled(hands);
      throw error;
    });
  }

  async #sendParts(digest: string, file: File): Promise<void> {
    let upload = await this.#tried((signal) => begin(this.view.project, digest, file, signal));
    this.#begun.set(digest, upload);
    let at = upload.offset_bytes;
    this.#set({ sentBytes: this.view.sentBytes + at, hadBytes: this.view.hadBytes + at });
    let sure = true;
    let refused = 0;
    const move = (to: number) => {
      this.#set({ sentBytes: this.view.sentBytes + to - at });
      at = to;
      sure = true;
    };
    while (at < file.size) {
      try {
        await this.#tried(async (signal) => {
          if (!sure) return move(await standsAt(upload.url!, signal));
          const [start, end] = partAt(at, file.size, upload.part_bytes!);
          const part = file.slice(start, end);
          const check = await sha256Of(part, () => undefined, signal);
          sure = false; // until an answer says where it stands
          move(await putPart(upload.url!, at, part, check, signal));
        });
      } catch (error) {
        const problem = asProblem(error);
        if (![403, 404, 409, 460].includes(problem.status) || ++refused > REFUSED_MOST) throw error;
        if (problem.status === 403 || problem.status === 404) {
          upload = await this.#tried((signal) => begin(this.view.project, digest, file, signal));
          this.#begun.set(digest, upload);
          move(upload.offset_bytes);
        } else sure = false;
      }
    }
    this.#begun.delete(digest);
  }

  async #finish(): Promise<void> {
    this.#set({ state: "finishing", sentBytes: this.view.sizeBytes, filesDone: this.sources.length });
    const entries: Entry[] = this.sources.map((s) => ({ path: s.path, size: s.file.size, sha256: this.#digests.get(s)! }));
    const made = await this.#tried((signal) => makeVersion(this.view.project, this.view.name, this.description, entries, signal));
    this.#set({ state: "done", version: made.version, isNew: made.created, dataset: made.id });
  }

  /** Until it works or fails for good; a pause or cancel ends it. */
  async #tried<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
      try {
        signal.throwIfAborted();
        const found = await work(signal);
        if (this.view.waiting) this.#set({ waiting: false });
        return found;
      } catch (error) {
        if (signal.aborted || !passes(error)) throw error;
        this.#set({ waiting: true });
        const after = asProblem(error).retryAfterS;
        await pauseFor(after ? after * 1000 : pause, signal);
      }
    }
  }

  #set(some: Partial<JobView>): void {
    this.view = { ...this.view, ...some };
    this.changed();
  }
}

/** Does it pass by itself? What is no answer of the server and no broken line does not. */
function passes(error: unknown): boolean {
  return isTransient(error) && asProblem(error).code !== "unexpected";
}

/** Ends early when the line comes back. */
function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
