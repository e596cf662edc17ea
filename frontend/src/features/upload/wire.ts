// What an upload asks of the server. Nothing is believed but the server's word on where it stands.

import { api, bodyOf, csrfToken, inOwnLanguage, type Schemas } from "@/api/client";
import { Problem } from "@/api/problem";

export const PARTS_FROM = 16 * 1024 * 1024; // larger files go in parts; smaller ones whole or not at all
const ASK_AT_ONCE = 5000;
const TUS = { "Tus-Resumable": "1.0.0" };

export interface Entry {
  path: string;
  size: number;
  sha256: string;
}

export async function missingOf(project: string, digests: string[], signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < digests.length; at += ASK_AT_ONCE) {
    const body = { project, digests: digests.slice(at, at + ASK_AT_ONCE) };
    for (const digest of (await bodyOf(api.POST("/api/v1/blobs/missing", { body, signal }))).missing) found.add(digest);
  }
  return found;
}

/** A right to put files, renewed before it runs out. */
export class Grant {
  #got: Promise<Schemas["GrantOut"]> | null = null;
  #untilMs = 0;

  constructor(readonly project: string) {}

  async get(signal: AbortSignal): Promise<Schemas["GrantOut"]> {
    if (!this.#got || performance.now() > this.#untilMs) {
      this.#untilMs = performance.now() + 60_000;
      this.#got = bodyOf(api.POST("/api/v1/blobs/grants", { body: { project: this.project }, signal }));
      this.#got.then(
        (grant) => (this.#untilMs = performance.now() + grant.expires_in_s * 500),
        () => (this.#got = null),
      );
    }
    return this.#got;
  }
}

export async function putWhole(grant: Grant, blob: Blob, sha256: string, signal: AbortSignal): Promise<void> {
  const { url, token } = await grant.get(signal);
  await checked(await fetch(`${url}/${sha256}`, { method: "PUT", body: blob, signal, headers: { ...inOwnLanguage(), Authorization: `Bearer ${token}`, "Content-Type": "application/octet-stream" } }));
}

export type Begun = Schemas["UploadBegunOut"];

export function begin(project: string, sha256: string, file: File, signal: AbortSignal): Promise<Begun> {
  return bodyOf(api.POST("/api/v1/uploads", { body: { project, sha256, size_bytes: file.size, name: file.name.slice(0, 400) }, signal }));
}

export async function discard(id: string): Promise<void> {
  await api.DELETE("/api/v1/uploads/{id}", { params: { path: { id } } });
}

export async function standsAt(url: string, signal: AbortSignal): Promise<number> {
  return offsetOf(await checked(await fetch(url, { method: "HEAD", headers: { ...TUS, ...inOwnLanguage() }, signal })));
}

export async function putPart(url: string, at: number, part: Blob, sha256: string, signal: AbortSignal): Promise<number> {
  const digest = btoa(String.fromCharCode(...(sha256.match(/../g) ?? []).map((pair) => parseInt(pair, 16))));
  const headers = { ...TUS, ...inOwnLanguage(), "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(at), "Upload-Checksum": `sha256 ${digest}` };
  return offsetOf(await checked(await fetch(url, { method: "PATCH", body: part, headers, signal })));
}

export async function makeVersion(project: string, name: string, description: string, entries: Entry[], signal: AbortSignal) {
  const body = { project, name, description, entries } as unknown as Schemas["DatasetCreateRequest"];
  return bodyOf(api.POST("/api/v1/datasets", { body, signal, headers: { "X-CSRFToken": csrfToken() } }));
}

function offsetOf(response: Response): number {
  return Number(response.headers.get("Upload-Offset"));
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw Problem.from(body, response);
}
