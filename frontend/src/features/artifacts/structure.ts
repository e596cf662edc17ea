// Atoms out of XYZ (also extended, many frames), PDB and CIF text. Pure; lengths in ångström. Bad input gives no frame.

export interface Atom {
  element: string;
  x: number;
  y: number;
  z: number;
}

export type Frame = Atom[];

export const ATOMS_MAX = 20_000;
const FRAMES_MAX = 500;

export function parseStructure(name: string, text: string): Frame[] {
  const kind = name.toLowerCase().split(".").pop();
  if (kind === "pdb") return parsePdb(text);
  if (kind === "cif") return parseCif(text);
  return parseXyz(text);
}

const element = (word: string) => {
  const letters = word.replace(/[^A-Za-z]/g, "").slice(0, 2);
  return letters === "" ? "X" : letters[0]!.toUpperCase() + letters.slice(1).toLowerCase();
};

const finite = (...values: number[]) => values.every(Number.isFinite);

function parseXyz(text: string): Frame[] {
  const lines = text.split(/\r?\n/);
  const frames: Frame[] = [];
  let at = 0;
  while (at < lines.length && frames.length < FRAMES_MAX) {
    if (lines[at]!.trim() === "") {
      at += 1;
      continue;
    }
    const count = Number(lines[at]);
    if (!Number.isInteger(count) || count < 1 || count > ATOMS_MAX || at + 2 + count > lines.length) break;
    const [species, position] = columns(lines[at + 1] ?? "");
    const frame: Frame = [];
    for (const line of lines.slice(at + 2, at + 2 + count)) {
      const words = line.trim().split(/\s+/);
      const [x, y, z] = [Number(words[position]), Number(words[position + 1]), Number(words[position + 2])];
      if (words.length < 4 || !finite(x, y, z)) return frames;
      frame.push({ element: element(words[species] ?? ""), x, y, z });
    }
    frames.push(frame);
    at += 2 + count;
  }
  return frames;
}

/** Where the species and the position stand in an extended XYZ line, by its `Properties=`; plain files: 0 and 1. */
function columns(comment: string): [number, number] {
  const found = /Properties=(\S+)/.exec(comment)?.[1]?.split(":");
  if (!found) return [0, 1];
  let [column, species, position] = [0, 0, 1];
  for (let i = 0; i + 2 < found.length; i += 3) {
    if (found[i] === "species") species = column;
    if (found[i] === "pos") position = column;
    column += Number(found[i + 2]) || 1;
  }
  return [species, position];
}

function parsePdb(text: string): Frame[] {
  const frames: Frame[] = [[]];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("MODEL") && frames.at(-1)!.length > 0 && frames.length < FRAMES_MAX) frames.push([]);
    if (!line.startsWith("ATOM") && !line.startsWith("HETATM")) continue;
    const [x, y, z] = [Number(line.slice(30, 38)), Number(line.slice(38, 46)), Number(line.slice(46, 54))];
    const word = line.slice(76, 78).trim() || line.slice(12, 14).trim();
    if (finite(x, y, z) && frames.at(-1)!.length < ATOMS_MAX) frames.at(-1)!.push({ element: element(word), x, y, z });
  }
  return frames.filter((frame) => frame.length > 0);
}

function parseCif(text: string): Frame[] {
  const value = (key: string) => Number(/^(-?[\d.]+)/.exec(new RegExp(`^${key}\\s+(\\S+)`, "m").exec(text)?.[1] ?? "")?.[1]);
  const [a, b, c] = [value("_cell_length_a"), value("_cell_length_b"), value("_cell_length_c")];
  const [al, be, ga] = (["alpha", "beta", "gamma"] as const).map((k) => ((value(`_cell_angle_${k}`) || 90) * Math.PI) / 180) as [number, number, number];
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line, i) => line.trim() === "loop_" && lines.slice(i + 1, i + 40).some((l) => /^\s*_atom_site_(fract|Cartn|cartn)_x/.test(l)));
  if (start < 0) return [];
  const heads: string[] = [];
  let at = start + 1;
  while (at < lines.length && lines[at]!.trim().startsWith("_")) heads.push(lines[at++]!.trim().toLowerCase());
  const column = (...names: string[]) => heads.findIndex((head) => names.includes(head));
  const symbol = column("_atom_site_type_symbol") >= 0 ? column("_atom_site_type_symbol") : column("_atom_site_label");
  const fractional = column("_atom_site_fract_x") >= 0;
  const [ix, iy, iz] = ["x", "y", "z"].map((axis) => column(`_atom_site_${fractional ? "fract" : "cartn"}_${axis}`)) as [number, number, number];
  const frame: Frame = [];
  const vz = [Math.cos(be), (Math.cos(al) - Math.cos(be) * Math.cos(ga)) / Math.sin(ga)] as const;
  const tall = Math.sqrt(Math.max(0, 1 - vz[0] ** 2 - vz[1] ** 2));
  for (; at < lines.length && frame.length < ATOMS_MAX; at += 1) {
    const words = lines[at]!.trim().split(/\s+/);
    if (words.length < heads.length || /^(loop_|_|#|data_)/.test(words[0] ?? "")) break;
    const [u, v, w] = [ix, iy, iz].map((i) => Number.parseFloat(words[i] ?? "")) as [number, number, number];
    if (!finite(u, v, w)) break;
    const place = fractional
      ? { x: a * u + b * Math.cos(ga) * v + c * vz[0] * w, y: b * Math.sin(ga) * v + c * vz[1] * w, z: c * tall * w }
      : { x: u, y: v, z: w };
    if (!finite(place.x, place.y, place.z)) break;
    frame.push({ element: element(words[symbol] ?? ""), ...place });
  }
  return frame.length > 0 ? [frame] : [];
}

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
  const cells = new Map<string, number[]>();
  const key = (x: number, y: number, z: number) => `${x},${y},${z}`;
  const cell = (atom: Atom) => [Math.floor(atom.x / side), Math.floor(atom.y / side), Math.floor(atom.z / side)] as const;
  frame.forEach((atom, i) => {
    const at = key(...cell(atom));
    (cells.get(at) ?? cells.set(at, []).get(at)!).push(i);
  });
  const found: [number, number][] = [];
  frame.forEach((atom, i) => {
    const [cx, cy, cz] = cell(atom);
    for (let dx = -1; dx <= 1; dx += 1)
      for (let dy = -1; dy <= 1; dy += 1)
        for (let dz = -1; dz <= 1; dz += 1)
          for (const j of cells.get(key(cx + dx, cy + dy, cz + dz)) ?? []) {
            if (j <= i) continue;
            const other = frame[j]!;
            const far = Math.hypot(atom.x - other.x, atom.y - other.y, atom.z - other.z);
            if (far > 0.3 && far < 1.2 * (radiusOf(atom.element) + radiusOf(other.element))) found.push([i, j]);
          }
  });
  return found;
}
