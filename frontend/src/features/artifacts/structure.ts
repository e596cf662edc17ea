// Atoms out of XYZ (also extended, many frames), PDB and CIF text. Pure; lengths in ångström. Bad input gives no frame.

import { parseCif } from "./cif";
import { numberOf } from "./numbers";

export interface Atom {
  element: string;
  x: number;
  y: number;
  z: number;
}

export type Frame = Atom[];

export interface StructureFile {
  frames: Frame[];
  /** There are more frames, or atoms in them, than were read. */
  more: boolean;
  symmetry: "none" | "applied" | "missing";
}

export const ATOMS_MAX = 20_000;
export const FRAMES_MAX = 5_000;
const ALL_MAX = 2_000_000; // atoms of all frames together

/** `whole`: the text does not break off; else its first frame is shown as far as it goes. */
export function readStructure(name: string, text: string, whole = true): StructureFile {
  const kind = name.toLowerCase().split(".").pop();
  if (kind === "cif" || kind === "mmcif") {
    const found = parseCif(text);
    return { ...found, more: found.frames.some((frame) => frame.length >= ATOMS_MAX) };
  }
  return { ...(kind === "pdb" || kind === "ent" ? parsePdb(text) : parseXyz(text, whole)), symmetry: "none" };
}

export const parseStructure = (name: string, text: string): Frame[] => readStructure(name, text).frames;

/** An element's symbol out of a label, a lower-case symbol or an atomic number. */
export const element = (word: string): string => {
  const number = /^\d{1,3}$/.test(word) ? SYMBOLS[Number(word) - 1] : undefined;
  if (number) return number;
  const letters = word.replace(/[^A-Za-z]/g, "").slice(0, 2);
  return letters === "" ? "X" : letters[0]!.toUpperCase() + letters.slice(1).toLowerCase();
};

export const finite = (...values: number[]): boolean => values.every(Number.isFinite);

function parseXyz(text: string, whole: boolean): { frames: Frame[]; more: boolean } {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  if (!whole) lines.pop(); // its last line may be cut
  const frames: Frame[] = [];
  let [at, all, more] = [0, 0, false];
  while (at < lines.length) {
    if (lines[at]!.trim() === "") {
      at += 1;
      continue;
    }
    const count = Number(lines[at]);
    if (!Number.isInteger(count) || count < 1) break;
    const cut = at + 2 + count > lines.length;
    if (cut && (whole || frames.length > 0)) break;
    const shown = Math.min(count, ATOMS_MAX, lines.length - at - 2);
    if (frames.length >= FRAMES_MAX || all + shown > ALL_MAX) return { frames, more: true };
    const [species, position] = columns(lines[at + 1] ?? "");
    const frame: Frame = [];
    for (const line of lines.slice(at + 2, at + 2 + shown)) {
      const words = line.trim().split(/\s+/);
      const [x, y, z] = [0, 1, 2].map((i) => numberOf(words[position + i] ?? "")) as [number, number, number];
      if (words.length < 4 || !finite(x, y, z)) return { frames, more };
      frame.push({ element: element(words[species] ?? ""), x, y, z });
    }
    if (shown > 0) frames.push(frame);
    more ||= shown < count;
    all += shown;
    at += 2 + count;
  }
  return { frames, more };
}

/** Where the species and the position stand in an extended XYZ line, by its `Properties=`; plain files: 0 and 1. */
function columns(comment: string): [number, number] {
  const found = /Properties=(\S+)/i.exec(comment)?.[1]?.split(":");
  if (!found) return [0, 1];
  let [column, species, position] = [0, 0, 1];
  for (let i = 0; i + 2 < found.length; i += 3) {
    if (found[i] === "species") species = column;
    if (found[i] === "pos") position = column;
    column += Number(found[i + 2]) || 1;
  }
  return [species, position];
}

/** Frames begin at MODEL, and after END and ENDMDL, as trajectories without MODEL have them. */
function parsePdb(text: string): { frames: Frame[]; more: boolean } {
  const frames: Frame[] = [[]];
  let more = false;
  let all = 0;
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (/^(MODEL|ENDMDL|END)\b/.test(line)) {
      if (frames.at(-1)!.length === 0) continue;
      if (frames.length >= FRAMES_MAX) return { frames, more: true };
      frames.push([]);
    }
    if (!line.startsWith("ATOM") && !line.startsWith("HETATM")) continue;
    const [x, y, z] = [numberOf(line.slice(30, 38)), numberOf(line.slice(38, 46)), numberOf(line.slice(46, 54))];
    if (!finite(x, y, z)) continue;
    all += 1;
    if (frames.at(-1)!.length >= ATOMS_MAX || all > ALL_MAX) more = true;
    else frames.at(-1)!.push({ element: elementOfPdb(line), x, y, z });
  }
  return { frames: frames.filter((frame) => frame.length > 0), more };
}

/** By its own columns, else by the atom's name, whose first column is empty for one-letter elements: ` CA ` is carbon, `CA  ` calcium. */
function elementOfPdb(line: string): string {
  const own = line.slice(76, 78).trim();
  if (/^[A-Za-z]{1,2}$/.test(own)) return element(own);
  const name = line.slice(12, 16);
  return element(/^[A-Za-z]/.test(name) && line.startsWith("HETATM") ? name.slice(0, 2) : name.slice(0, 2).replace(/[\d ]/g, "")[0] ?? name.trim());
}

const SYMBOLS = (
  "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe " +
  "Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr"
).split(" ");

/** Covalent radii in ångström (rounded) and usual colours; what is not listed is drawn grey. */
const KNOWN: Record<string, [number, string]> = {
  H: [0.31, "#e8e8e8"], C: [0.76, "#4a4a4a"], N: [0.71, "#3050f8"], O: [0.66, "#e0241b"], F: [0.57, "#7ac943"], P: [1.07, "#ff8000"],
  S: [1.05, "#d9b310"], Cl: [1.02, "#1fa81f"], Br: [1.2, "#a62929"], I: [1.39, "#940094"], Si: [1.11, "#c9a97a"], Na: [1.66, "#8a4fd0"],
  Li: [1.28, "#b25ad0"], Mg: [1.41, "#5aa800"], Al: [1.21, "#9f8f8f"], K: [2.03, "#8f40d4"], Ca: [1.76, "#4fa000"], Ti: [1.6, "#8a8d92"],
  Fe: [1.32, "#c06030"], Cu: [1.32, "#c88033"], Zn: [1.22, "#7d80b0"], Ag: [1.45, "#a0a0a8"], Au: [1.36, "#d9a400"], Pt: [1.36, "#a8a8b8"],
};

export const radiusOf = (symbol: string): number => KNOWN[symbol]?.[0] ?? 1.2;
export const colourOf = (symbol: string): string => KNOWN[symbol]?.[1] ?? "#9aa0a8";

/** Pairs of atoms near enough to be bonded: closer than 1.2 times the sum of their radii. Grid cells keep it linear. */
export function bonds(frame: Frame): [number, number][] {
  const side = 3.2;
  const cells = new Map<number, number[]>();
  const least = frame.reduce(([x, y, z], a) => [Math.min(x, a.x), Math.min(y, a.y), Math.min(z, a.z)] as const, [Infinity, Infinity, Infinity] as const);
  // 1,000 cells a side fit a small integer, which maps find fast; cells further off share keys, which costs looks and no bond.
  const key = (x: number, y: number, z: number) => (((x + 1) % 1000) * 1000 + ((y + 1) % 1000)) * 1000 + ((z + 1) % 1000);
  const cell = (atom: Atom) => [Math.floor((atom.x - least[0]) / side), Math.floor((atom.y - least[1]) / side), Math.floor((atom.z - least[2]) / side)] as const;
  const radius = Float64Array.from(frame, (atom) => radiusOf(atom.element));
  const found: [number, number][] = [];
  frame.forEach((atom, i) => {
    const [cx, cy, cz] = cell(atom);
    // Those before it only, so that each pair is looked at once.
    for (let dx = -1; dx <= 1; dx += 1)
      for (let dy = -1; dy <= 1; dy += 1)
        for (let dz = -1; dz <= 1; dz += 1)
          for (const j of cells.get(key(cx + dx, cy + dy, cz + dz)) ?? []) {
            const other = frame[j]!;
            const [x, y, z] = [atom.x - other.x, atom.y - other.y, atom.z - other.z];
            const far = x * x + y * y + z * z;
            const near = 1.2 * (radius[i]! + radius[j]!);
            if (far > 0.09 && far < near * near) found.push([j, i]);
          }
    const own = key(cx, cy, cz);
    const there = cells.get(own);
    if (there) there.push(i);
    else cells.set(own, [i]);
  });
  return found;
}
