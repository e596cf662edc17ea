// What kind of file bytes are: by the name's ending where it has one we know, else by how they begin. Pure.

export type Kind = "image" | "structure" | "table" | "json" | "html" | "text" | "binary";

export interface FileKind {
  kind: Kind;
  /** For pictures: the media type they may be shown as. */
  type: string;
}

const IMAGES: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", svg: "image/svg+xml" };
const BY_NAME: Record<string, Kind> = { xyz: "structure", extxyz: "structure", pdb: "structure", cif: "structure", csv: "table", tsv: "table", json: "json", ipynb: "json", html: "html", htm: "html" };

export function kindOf(name: string, head: Uint8Array): FileKind {
  const ending = name.includes(".") ? name.toLowerCase().split(".").pop()! : "";
  if (ending in IMAGES) return { kind: "image", type: IMAGES[ending]! };
  if (isBinary(head)) {
    if (starts(head, [0x89, 0x50, 0x4e, 0x47])) return { kind: "image", type: "image/png" };
    if (starts(head, [0xff, 0xd8, 0xff])) return { kind: "image", type: "image/jpeg" };
    if (starts(head, [0x47, 0x49, 0x46, 0x38])) return { kind: "image", type: "image/gif" };
    return { kind: "binary", type: "" };
  }
  const known = BY_NAME[ending];
  if (known) return { kind: known, type: "" };
  const text = new TextDecoder().decode(head);
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

function starts(head: Uint8Array, magic: number[]): boolean {
  return magic.every((byte, i) => head[i] === byte);
}

/** A NUL, or more than one control character in thirty: not text people read. */
function isBinary(head: Uint8Array): boolean {
  let odd = 0;
  for (const byte of head) {
    if (byte === 0) return true;
    if (byte < 9 || (byte > 13 && byte < 32 && byte !== 27)) odd += 1;
  }
  return head.length > 0 && odd * 30 > head.length;
}
