// The first bytes of a file and what they say: fetched by range, unpacked when gzipped, as text in whatever Unicode it is.
// Nothing is read past the bound, however large the file or what it unpacks to.

import { Problem } from "@/api/problem";

export interface Head {
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of it there are; of a gzipped file that is longer than the bound nobody knows. */
  whole: boolean;
  /** The name without what packed it. */
  name: string;
  packed: boolean;
}

export async function readHead(url: string, name: string, size: number, most: number, signal: AbortSignal): Promise<Head> {
  const headers: Record<string, string> = size > most ? { Range: `bytes=0-${most - 1}` } : {};
  const response = await fetch(url, { credentials: "same-origin", headers, signal });
  if (!response.ok) throw Problem.from(await response.json().catch(() => null), response);
  const body = response.body ?? new Blob([]).stream();
  const [raw, rawWhole] = await bounded(body, most);
  if (!(raw[0] === 0x1f && raw[1] === 0x8b)) return { bytes: raw, whole: rawWhole && raw.length >= size, name, packed: false };
  const unpacked = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  const [bytes, whole] = await bounded(unpacked, most);
  return { bytes, whole: whole && rawWhole && raw.length >= size, name: name.replace(/\.gz$/i, ""), packed: true };
}

/** What a stream gives up to a bound, and whether that was all; a stream that breaks off gives what came. */
export async function bounded(stream: ReadableStream<Uint8Array>, most: number): Promise<[Uint8Array<ArrayBuffer>, boolean]> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  let whole = false;
  try {
    while (size < most) {
      const { done, value } = await reader.read();
      if (done) {
        whole = true;
        break;
      }
      pieces.push(value);
      size += value.length;
    }
  } catch (error) {
    if (size === 0) throw error; // a gzipped file that was cut at the bound ends in the middle
  }
  if (!whole) void reader.cancel().catch(() => undefined);
  const bytes = new Uint8Array(Math.min(size, most));
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, bytes.length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return [bytes, whole && size <= most];
}

/** Which Unicode (or older) coding bytes are in; null: they are no text people read. */
export function encodingOf(bytes: Uint8Array): string | null {
  const head = bytes.subarray(0, 4096);
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return "utf-8";
  const zeros = [0, 0];
  let odd = 0;
  head.forEach((byte, i) => {
    if (byte === 0) zeros[i % 2]! += 1;
    else if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) odd += 1;
  });
  const half = head.length / 2;
  if (half >= 4 && odd === 0 && zeros[1]! > 0.8 * half && zeros[0] === 0) return "utf-16le";
  if (half >= 4 && odd === 0 && zeros[0]! > 0.8 * half && zeros[1] === 0) return "utf-16be";
  if (zeros[0]! + zeros[1]! > 0 || odd * 30 > head.length) return null;
  for (const name of ["utf-8", "gb18030"]) {
    try {
      new TextDecoder(name, { fatal: true }).decode(bytes, { stream: true });
      return name;
    } catch {
      continue;
    }
  }
  return "windows-1252";
}

export const textOf = (bytes: Uint8Array, encoding: string): string => new TextDecoder(encoding).decode(bytes, { stream: true });
