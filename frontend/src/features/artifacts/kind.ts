// What kind of file bytes are: by the name's ending where it has one we know, else by how they begin. Pure.

import { encodingOf, textOf } from "./read";

export type Kind = "image" | "structure" | "table" | "json" | "html" | "text" | "binary";

export interface FileKind {
  kind: Kind;
  /** Of pictures the media type they may be shown as; of other binary files what they are, where it is known. */
  type: string;
}

const IMAGES = new Map(Object.entries({ png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", svg: "image/svg+xml" }));
const BY_NAME = new Map<string, Kind>(
  Object.entries({ xyz: "structure", extxyz: "structure", pdb: "structure", ent: "structure", cif: "structure", mmcif: "structure", csv: "table", tsv: "table", json: "json", jsonl: "json", ipynb: "json", html: "html", htm: "html" } as const),
);
const MAGIC: [number[], Kind, string][] = [
  [[0x89, 0x50, 0x4e, 0x47], "image", "image/png"],
  [[0xff, 0xd8, 0xff], "image", "image/jpeg"],
  [[0x47, 0x49, 0x46, 0x38], "image", "image/gif"],
  [[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "binary", "npy"],
  [[0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], "binary", "hdf5"],
  [[0x43, 0x44, 0x46], "binary", "netcdf"],
  [[0x50, 0x41, 0x52, 0x31], "binary", "parquet"],
  [[0x50, 0x4b, 0x03, 0x04], "binary", "zip"],
  [[0x25, 0x50, 0x44, 0x46], "binary", "pdf"],
];

export function kindOf(name: string, head: Uint8Array): FileKind {
  const ending = name.includes(".") ? name.toLowerCase().split(".").pop()! : "";
  const encoding = encodingOf(head);
  const magic = MAGIC.find(([bytes]) => bytes.every((byte, i) => head[i] === byte));
  if (magic && (encoding === null || magic[2] === "pdf")) return { kind: magic[1], type: magic[2] };
  if (encoding === null) {
    if (ending === "webp") return { kind: "image", type: "image/webp" };
    return { kind: "binary", type: "" };
  }
  if (ending === "svg") return { kind: "image", type: IMAGES.get(ending)! };
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
