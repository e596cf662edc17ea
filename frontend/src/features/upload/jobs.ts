// The uploads of this browser tab, whatever page is shown; views are redrawn at most ten times a second.

import { useSyncExternalStore } from "react";
import { UploadJob, type JobView } from "./job";
import type { Source } from "./plan";

const TICK_MS = 100;
let jobs: UploadJob[] = [];
let views: JobView[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function changed(): void {
  timer ??= setTimeout(() => {
    timer = undefined;
    views = jobs.map((job) => job.view);
    for (const hear of listeners) hear();
  }, TICK_MS);
}

function leaving(event: BeforeUnloadEvent): void {
  if (jobs.some((job) => job.live)) event.preventDefault();
}

/** Begins at once. `then` hears of its end, also of a pause. */
export function startUpload(ask: { project: string; name: string; description: string; sources: Source[] }, then?: (view: JobView) => void): UploadJob {
  if (jobs.length === 0) window.addEventListener("beforeunload", leaving);
  const job = new UploadJob(ask.project, ask.name, ask.description, ask.sources, changed);
  jobs = [...jobs, job];
  changed();
  void job.go().then(() => then?.(job.view));
  return job;
}

export function jobOf(id: number): UploadJob | undefined {
  return jobs.find((job) => job.view.id === id);
}

/** Takes an ended one off the list. */
export function forgetUpload(id: number): void {
  jobs = jobs.filter((job) => job.view.id !== id || job.live);
  changed();
}

export function useUploads(project: string): JobView[] {
  const all = useSyncExternalStore(
    (hear) => {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    () => views,
  );
  return all.filter((view) => view.project === project);
}
