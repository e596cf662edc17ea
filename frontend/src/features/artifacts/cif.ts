// Atoms out of CIF and mmCIF text: the ones that are written, and with a cell and symmetry operations all of the cell's. Pure.

import { numberOf } from "./numbers";
import { ATOMS_MAX, element, finite, type Frame } from "./structure";

type Place = readonly [number, number, number];

export interface Cif {
  frames: Frame[];
  /** `applied`: the operations in the file made the whole cell; `missing`: a group is named and its operations are not. */
  symmetry: "none" | "applied" | "missing";
}

export function parseCif(text: string): Cif {
  const tables = loopsOf(text);
  const items = itemsOf(text);
  const value = (...keys: string[]) => keys.map((key) => items.get(key)).find((found) => found !== undefined) ?? "";
  const length = (axis: string) => numberOf(bare(value(`_cell_length_${axis}`)));
  const angle = (axis: string) => ((numberOf(bare(value(`_cell_angle_${axis}`))) || 90) * Math.PI) / 180;
  const toCartesian = cell([length("a"), length("b"), length("c")], [angle("alpha"), angle("beta"), angle("gamma")]);
  const atoms = tables.find((table) => table.heads.some((head) => /^_atom_site_(fract|cartn)_x$/.test(head)));
  if (!atoms) return { frames: [], symmetry: "none" };
  const column = (...names: string[]) => names.map((name) => atoms.heads.indexOf(name)).find((at) => at >= 0) ?? -1;
  const symbol = column("_atom_site_type_symbol", "_atom_site_label", "_atom_site_label_atom_id");
  const fractional = column("_atom_site_fract_x") >= 0;
  const at = ["x", "y", "z"].map((axis) => column(`_atom_site_${fractional ? "fract" : "cartn"}_${axis}`));
  const model = column("_atom_site_pdbx_pdb_model_num");
  const operations = fractional ? operationsOf(tables) : [];
  const frames = new Map<string, Frame>();
  let most = 0;
  for (const row of atoms.rows) {
    const place = at.map((i) => numberOf(bare(row[i] ?? ""))) as unknown as Place;
    if (!finite(...place)) continue; // an atom whose place is not known
    const key = model >= 0 ? row[model]! : "";
    const frame = frames.get(key) ?? frames.set(key, []).get(key)!;
    const kind = element(row[symbol] ?? "");
    for (const one of operations.length > 1 ? images(place, operations) : [place]) {
      if (frame.length >= ATOMS_MAX) break;
      const [x, y, z] = fractional ? toCartesian(one) : one;
      if (finite(x, y, z)) frame.push({ element: kind, x, y, z });
    }
    most = Math.max(most, frame.length);
  }
  const group = value("_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt", "_symmetry_int_tables_number", "_space_group_it_number").replace(/\s+/g, "").toUpperCase();
  const missing = fractional && operations.length <= 1 && group !== "" && !["P1", "1", "?", "."].includes(group);
  return { frames: [...frames.values()].filter((frame) => frame.length > 0), symmetry: operations.length > 1 ? "applied" : missing ? "missing" : "none" };
}

/** A number without its uncertainty: `0.123(4)`. */
const bare = (word: string): string => word.replace(/\(\d+\)$/, "");

/** Where the operations put an atom, within the cell and each place once. */
function images(place: Place, operations: ((p: Place) => Place)[]): Place[] {
  const found: Place[] = [];
  const near = (a: number, b: number) => Math.abs(a - b - Math.round(a - b)) < 1e-3;
  for (const operation of operations) {
    const one = operation(place).map((x) => {
      const inside = ((x % 1) + 1) % 1;
      return inside > 0.9995 ? 0 : inside;
    }) as unknown as Place;
    if (finite(...one) && !found.some((other) => near(other[0], one[0]) && near(other[1], one[1]) && near(other[2], one[2]))) found.push(one);
  }
  return found;
}

interface Table {
  heads: string[];
  rows: string[][];
}

function operationsOf(tables: Table[]): ((p: Place) => Place)[] {
  const names = ["_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"];
  const table = tables.find((one) => one.heads.some((head) => names.includes(head)));
  if (!table) return [];
  const column = table.heads.findIndex((head) => names.includes(head));
  return table.rows.slice(0, 192).flatMap((row) => {
    const parts = (row[column] ?? "").toLowerCase().split(",").map(axisOf);
    if (parts.length !== 3 || parts.some((part) => part === null)) return [];
    const [u, v, w] = parts as [Axis, Axis, Axis];
    return [(p: Place) => [along(u, p), along(v, p), along(w, p)] as const];
  });
}

type Axis = readonly [number, number, number, number];

const along = ([x, y, z, shift]: Axis, p: Place): number => x * p[0] + y * p[1] + z * p[2] + shift;

/** `-x+1/2` as factors of x, y, z and a shift; null: it is no such thing. */
function axisOf(text: string): Axis | null {
  const found = [0, 0, 0, 0];
  let left = text.replace(/\s+/g, "");
  while (left !== "") {
    const term = /^([-+]?)(?:(\d+(?:\.\d+)?)(?:\/(\d+))?\*?)?([xyz]?)/.exec(left);
    if (!term || term[0] === "" || (term[2] === undefined && term[4] === "")) return null;
    const size = (term[1] === "-" ? -1 : 1) * (term[2] === undefined ? 1 : Number(term[2]) / Number(term[3] ?? 1));
    found[term[4] === "" ? 3 : "xyz".indexOf(term[4]!)]! += size;
    left = left.slice(term[0].length);
  }
  return found as unknown as Axis;
}

function cell([a, b, c]: Place, [al, be, ga]: Place): (p: Place) => Place {
  const vz = [Math.cos(be), (Math.cos(al) - Math.cos(be) * Math.cos(ga)) / Math.sin(ga)] as const;
  const tall = Math.sqrt(Math.max(0, 1 - vz[0] ** 2 - vz[1] ** 2));
  return ([u, v, w]) => [a * u + b * Math.cos(ga) * v + c * vz[0] * w, b * Math.sin(ga) * v + c * vz[1] * w, c * tall * w];
}

/** A line's words; quotes hold some together, # begins a comment. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'((?:[^']|'(?=\S))*)'(?=\s|$)|"((?:[^"]|"(?=\S))*)"(?=\s|$)|(#.*)|(\S+)/g)].flatMap((m) => (m[3] !== undefined ? [] : [m[1] ?? m[2] ?? m[4]!]));
}

const nameOf = (word: string): string => word.toLowerCase().replace(".", "_"); // mmCIF writes a dot where CIF has none

function loopsOf(text: string): Table[] {
  const tables: Table[] = [];
  let table: Table | null = null;
  let words: string[] = [];
  let block = false; // between lines that begin with a semicolon
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line.startsWith(";")) {
      block = !block;
      if (!block && table) words.push("");
      continue;
    }
    if (block) continue;
    const start = line.trim();
    if (/^(loop_|data_)/i.test(start)) {
      table = /^loop_/i.test(start) ? { heads: [], rows: [] } : null;
      words = [];
      if (table) tables.push(table);
      continue;
    }
    if (!table) continue;
    if (start.startsWith("_")) {
      if (table.rows.length > 0 || words.length > 0) table = null;
      else table.heads.push(nameOf(start.split(/\s+/)[0]!));
      continue;
    }
    words.push(...wordsOf(line));
    const width = table.heads.length;
    while (width > 0 && words.length >= width) table.rows.push(words.splice(0, width));
  }
  return tables;
}

function itemsOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const m of text.matchAll(/^[ \t]*(_(?:cell|symmetry|space_group)[^\s]*)[ \t]+(.+?)[ \t]*\r?$/gim)) {
    const key = nameOf(m[1]!);
    if (!found.has(key)) found.set(key, wordsOf(m[2]!)[0] ?? "");
  }
  return found;
}
