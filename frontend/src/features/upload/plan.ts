// What chosen files come to: their places in the dataset, what cannot be taken, a name. Pure.

export interface Source {
  /** Its place in the dataset; "" where the dataset is this one file. */
  path: string;
  file: File;
}

export interface Plan {
  sources: Source[];
  sizeBytes: number;
  /** Suggested from what was chosen; may be empty. */
  name: string;
  problems: Problem[];
}

export type Problem = { kind: "path"; path: string } | { kind: "twice"; path: string } | { kind: "many"; count: number } | { kind: "none" };

const MOST_FILES = 100_000;
const encoder = new TextEncoder();

/** `chosen` in any order; a folder's files have its name in front of their paths (`methanol/a.xyz`). */
export function planOf(chosen: { path: string; file: File }[]): Plan {
  const roots = new Set(chosen.map((c) => c.path.split("/")[0]));
  const folder = chosen.length > 0 && roots.size === 1 && chosen.every((c) => c.path.includes("/"));
  const single = chosen.length === 1 && !folder;
  const sources = chosen.map(({ path, file }) => ({ path: single ? "" : folder ? path.slice(path.indexOf("/") + 1) : path, file }));
  sources.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const problems: Problem[] = [];
  if (sources.length === 0) problems.push({ kind: "none" });
  if (sources.length > MOST_FILES) problems.push({ kind: "many", count: sources.length });
  for (const [i, { path }] of sources.entries()) {
    if (problems.length >= 20) break;
    if (!single && !usable(path)) problems.push({ kind: "path", path });
    if (i > 0 && sources[i - 1]!.path === path) problems.push({ kind: "twice", path });
  }
  const named = folder ? [...roots][0]! : single ? chosen[0]!.file.name.replace(/\.[^.]*$/, "") : "";
  return { sources, sizeBytes: sources.reduce((sum, s) => sum + s.file.size, 0), name: nameOf(named), problems };
}

/** Would the server take this path? It decides; this only saves the way there. */
export function usable(path: string): boolean {
  if (path === "" || encoder.encode(path).length > 4096) return false;
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && encoder.encode(part).length <= 255);
}

/** A text as a dataset's name: lower-case letters, digits and "-", not ending like a version. */
export function nameOf(text: string): string {
  const made = text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63).replace(/-+$/, "");
  return made.replace(/-v[1-9]\d*$/, "");
}

export function nameProblem(name: string): boolean {
  return !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name) || /-v[1-9]\d*$/.test(name);
}

/** The parts of a file from `at` on, as [start, end). */
export function partAt(at: number, size: number, partBytes: number): [number, number] {
  return [at, Math.min(size, at + partBytes)];
}
