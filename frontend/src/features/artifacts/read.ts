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

/**
 * `mostOf` says by a file's first bytes how many of it are worth reading; of what is packed they are counted unpacked.
 * What claims to be packed and cannot be unpacked is given as it is.
 */
export async function readHead(url: string, name: string, size: number, most: number, mostOf: MostOf, signal: AbortSignal): Promise<Head> {
  const headers: Record<string, string> = size > most ? { Range: `bytes=0-${most - 1}` } : {};
  const response = await fetch(url, { credentials: "same-origin", headers, signal });
  if (!response.ok) throw Problem.from(await response.json().catch(() => null), response);
  const [raw, first] = await peeked(response.body ?? new Blob([]).stream());
  if (first[0] === 0x1f && first[1] === 0x8b) {
    const inner = name.replace(/\.gz$/i, "");
    try {
      const unpacked = raw.pipeThrough(new DecompressionStream("gzip"));
      const [bytes, whole] = await bounded(unpacked, most, (head) => mostOf(inner, head));
      return { bytes, whole: whole && size <= most, name: inner, packed: true };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem) throw error;
      return { bytes: first, whole: false, name, packed: false };
    }
  }
  const [bytes, whole] = await bounded(raw, most, (head) => mostOf(name, head));
  return { bytes, whole: whole && bytes.length >= size, name, packed: false };
}

type MostOf = (name: string, head: Uint8Array) => number;

/** A stream, and its first bytes, which it still gives. */
async function peeked(stream: ReadableStream<Uint8Array>): Promise<[ReadableStream<Uint8Array<ArrayBuffer>>, Uint8Array<ArrayBuffer>]> {
  const reader = stream.getReader();
  const own = async () => {
    const { done, value } = await reader.read();
    return done ? null : new Uint8Array(value);
  };
  const first = await own();
  let given = first === null;
  const again = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(to) {
      const next = given ? await own() : first;
      given = true;
      if (next === null) to.close();
      else to.enqueue(next);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return [again, first ?? new Uint8Array()];
}

const SNIFFED = 4096;

/** What a stream gives up to a bound, and whether that was all; a stream that breaks off gives what came. */
export async function bounded(stream: ReadableStream<Uint8Array>, most: number, mostOf?: (head: Uint8Array) => number): Promise<[Uint8Array<ArrayBuffer>, boolean]> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  let bound = most;
  let asked = mostOf === undefined;
  let whole = false;
  try {
    while (size <= bound) {
      const { done, value } = await reader.read();
      if (done) {
        whole = true;
        break;
      }
      pieces.push(value);
      size += value.length;
      if (!asked && size >= SNIFFED) {
        asked = true;
        bound = Math.min(most, mostOf!(joined(pieces, SNIFFED)));
      }
    }
  } catch (error) {
    if (size === 0) throw error; // a gzipped file that was cut at the bound ends in the middle
  }
  if (!whole) void reader.cancel().catch(() => undefined);
  return [joined(pieces, Math.min(size, bound)), whole && size <= bound];
}

function joined(pieces: Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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
      if (name === "utf-8" || inPairs(head)) return name;
    } catch {
      continue;
    }
  }
  return "windows-1252";
}

/** Do bytes above ASCII mostly come in twos, as Chinese has them? The letters of western languages stand alone. */
function inPairs(head: Uint8Array): boolean {
  let [pairs, alone] = [0, 0];
  for (let i = 0; i < head.length; i += 1) {
    if (head[i]! < 0x80) continue;
    if ((head[i + 1] ?? 0x80) >= 0x80) pairs += 1;
    else alone += 1;
    i += 1;
  }
  return pairs >= alone;
}

export const textOf = (bytes: Uint8Array, encoding: string): string => new TextDecoder(encoding).decode(bytes, { stream: true });
