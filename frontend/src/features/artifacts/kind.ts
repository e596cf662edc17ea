// What kind of file bytes are: by the name's ending where it has one we know, else by how they begin. Pure.

import { encodingOf, textOf } from "./read";

export type Kind = "image" | "structure" | "table" | "json" | "notebook" | "html" | "text" | "binary";

export interface FileKind {
  kind: Kind;
  /** Of pictures the media type they may be shown as; of other binary files what they are, where it is known. */
  type: string;
}

const BY_NAME = new Map<string, Kind>(
  Object.entries({ xyz: "structure", extxyz: "structure", pdb: "structure", ent: "structure", cif: "structure", mmcif: "structure", csv: "table", tsv: "table", json: "json", jsonl: "json", ndjson: "json", geojson: "json", ipynb: "notebook", html: "html", htm: "html" } as const),
);
/** How files begin, or what stands at an offset in them. */
const MAGIC: [string, Kind, string, number?][] = [
  ["89504e47", "image", "image/png"],
  ["ffd8ff", "image", "image/jpeg"],
  ["47494638", "image", "image/gif"],
  ["57454250", "image", "image/webp", 8],
  ["424d", "image", "image/bmp"],
  ["49492a00", "binary", "tiff"],
  ["4d4d002a", "binary", "tiff"],
  ["934e554d5059", "binary", "npy"],
  ["894844460d0a1a0a", "binary", "hdf5"],
  ["434446", "binary", "netcdf"],
  ["50415231", "binary", "parquet"],
  ["504b0304", "binary", "zip"],
  ["504b0506", "binary", "zip"],
  ["1f8b", "binary", "gzip"],
  ["fd377a585a00", "binary", "packed"],
  ["28b52ffd", "binary", "packed"],
  ["425a68", "binary", "packed"],
  ["53514c69746520666f726d6174203300", "binary", "sqlite"],
  ["7573746172", "binary", "tar", 257],
  ["255044462d", "binary", "pdf"],
];

const isAt = (bytes: Uint8Array, magic: string, offset: number): boolean => {
  for (let i = 0; i < magic.length / 2; i += 1) if (bytes[offset + i] !== parseInt(magic.slice(2 * i, 2 * i + 2), 16)) return false;
  return true;
};

/** How much of a file of this kind is worth reading: text is cut when it is shown, of other bytes the head says what they are. */
export function mostOf(name: string, head: Uint8Array): number {
  const { kind } = kindOf(name, head);
  return kind === "binary" ? 64 * 1024 : kind === "text" || kind === "json" ? 1024 * 1024 : READ_MAX_BYTES;
}

export const READ_MAX_BYTES = 8 * 1024 * 1024;

export function kindOf(name: string, head: Uint8Array): FileKind {
  const ending = name.includes(".") ? name.toLowerCase().split(".").pop()! : "";
  const encoding = encodingOf(head);
  const magic = MAGIC.find(([bytes, , , offset = 0]) => isAt(head, bytes, offset));
  if (magic && (encoding === null || ["pdf", "tar"].includes(magic[2]))) return { kind: magic[1], type: magic[2] };
  if (encoding === null) return { kind: "binary", type: "" };
  if (ending === "svg") return { kind: "image", type: "image/svg+xml" };
  const known = BY_NAME.get(ending);
  if (known) return { kind: known, type: "" };
  const text = textOf(head.subarray(0, 4096), encoding);
  if (/^\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i.test(text)) return { kind: "image", type: "image/svg+xml" };
  if (/^\s*\d+\s*\r?\n.*\r?\n\s*[A-Z][a-z]?\s+-?\d/.test(text)) return { kind: "structure", type: "" };
  if (/^\s*[[{]/.test(text)) return { kind: "json", type: "" };
  if (isTable(text)) return { kind: "table", type: "" };
  return { kind: "text", type: "" };
}

/** The first lines, the cut one left out, have the same number of commas, and numbers from the second on. */
function isTable(text: string): boolean {
  const lines = text.split(/\r?\n/).slice(0, -1).slice(0, 6);
  const commas = (line: string) => line.split(",").length - 1;
  return lines.length >= 2 && commas(lines[0]!) > 0 && lines.every((line) => commas(line) === commas(lines[0]!)) && lines.slice(1).every((line) => /(^|,)\s*-?\d[\d.eE+-]*\s*(,|$)/.test(line));
}

/** Shape and type of a NumPy array from its header; null: the header cannot be read. */
export function npyOf(head: Uint8Array): { shape: number[]; type: string } | null {
  const long = head[6] !== 1;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < 12) return null;
  const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
  const text = new TextDecoder("latin1").decode(head.subarray(long ? 12 : 10, Math.min(head.length, 65_536, (long ? 12 : 10) + length)));
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z])(\d*)/.exec(text);
  if (shape === undefined) return null;
  const names: Record<string, string> = { f: "float", i: "int", u: "uint", c: "complex", b: "bool", U: "text of ", S: "bytes of " };
  const [letter, width] = [descr?.[2] ?? "", Number(descr?.[3] ?? 0)];
  const type = letter === "b" ? "bool" : letter === "U" || letter === "S" ? `${names[letter]}${width}` : letter in names ? `${names[letter]}${width * 8}` : "structured";
  return { shape: (shape.match(/\d+/g) ?? []).map(Number), type };
}

/** Width and height in a picture's header, in pixels; null: not found there. A picture of few bytes may fill gigabytes when drawn. */
export function pixelsOf(head: Uint8Array, type: string): [number, number] | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < 30) return null;
  if (type === "image/png") return [view.getUint32(16), view.getUint32(20)];
  if (type === "image/gif") return [view.getUint16(6, true), view.getUint16(8, true)];
  if (type === "image/bmp") return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
  if (type === "image/jpeg") {
    for (let at = 2; at + 9 < head.byteLength && head[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
      const mark = head[at + 1]!;
      if (mark >= 0xc0 && mark <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(mark)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    }
  }
  return null;
}

/** Does a PNG lack its end? Browsers draw what there is of it and say nothing. */
export const isCut = (bytes: Uint8Array, type: string): boolean => type === "image/png" && !new TextDecoder("latin1").decode(bytes.subarray(-64)).includes("IEND");
