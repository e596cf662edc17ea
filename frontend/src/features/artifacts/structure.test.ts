import { describe, expect, it } from "vitest";
import { ATOMS_MAX, bonds, FRAMES_MAX, parseStructure, readStructure } from "./structure";

const WATER = "3\ncomment\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n";

describe("structures", () => {
  it("reads every frame of an XYZ file", () => {
    const frames = parseStructure("a.xyz", WATER + WATER);
    expect(frames).toHaveLength(2);
    expect(frames[0]!.map((a) => a.element)).toEqual(["O", "H", "H"]);
  });
  it("finds species and position in extended XYZ by its header", () => {
    const text = '1\nLattice="1 0 0" Properties=id:I:1:species:S:1:pos:R:3:forces:R:3\n7 Cu 1 2 3 0 0 0\n';
    expect(parseStructure("a.extxyz", text)[0]).toEqual([{ element: "Cu", x: 1, y: 2, z: 3 }]);
  });
  it("stops at what is not right instead of guessing", () => {
    expect(parseStructure("a.xyz", "3\n\nO 0 0 0\n")).toEqual([]);
    expect(parseStructure("a.xyz", "1\n\nO 0 zero 0\n")).toEqual([]);
    expect(parseStructure("a.xyz", "999999999\n\n")).toEqual([]);
    expect(parseStructure("a.cif", "data_x\nloop_\n_other\n1\n")).toEqual([]);
  });
  it("reads PDB columns and CIF fractions", () => {
    const pdb = "ATOM      1  CA  ALA A   1      11.104   6.134  -6.504  1.00  0.00           C\nEND\n";
    expect(parseStructure("a.pdb", pdb)[0]).toEqual([{ element: "C", x: 11.104, y: 6.134, z: -6.504 }]);
    const cif = "data_NaCl\n_cell_length_a 4.0(1)\n_cell_length_b 4.0\n_cell_length_c 4.0\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nNa1 0 0 0\nCl1 0.5 0.5 0.5\n";
    const [frame] = parseStructure("a.cif", cif);
    expect(frame!.map((a) => a.element)).toEqual(["Na", "Cl"]);
    expect(frame![1]!.x).toBeCloseTo(2);
    expect(frame![1]!.z).toBeCloseTo(2);
  });
  it("fills a cell by the operations in the file, each place once", () => {
    const rows = ["'x, y, z'", "'-x,-y,z'", "'x+1/2, y+1/2, z'", "-x+1/2,-y+1/2,z"];
    const cif = `data_x\r\n_cell_length_a 4\r\n_cell_length_b 4\r\n_cell_length_c 4\r\n_symmetry_space_group_name_H-M 'C 2'\r\nloop_\r\n_symmetry_equiv_pos_as_xyz\r\n${rows.join("\r\n")}\r\nloop_\r\n_atom_site_label\r\n_atom_site_fract_x\r\n_atom_site_fract_y\r\n_atom_site_fract_z\r\nNa1 0 0 0\r\nCl1 0.25(1) 0.1 .5\r\nO1 ? ? ?\r\n`;
    const found = readStructure("a.cif", cif);
    expect(found.symmetry).toBe("applied");
    expect(found.frames[0]!.map((a) => a.element)).toEqual(["Na", "Na", "Cl", "Cl", "Cl", "Cl"]);
    expect(found.frames[0]![1]).toMatchObject({ x: 2, y: 2, z: 0 });
    expect(readStructure("a.cif", cif.replace(/loop_\r\n_symm[^]*?(?=loop_)/, "")).symmetry).toBe("missing");
  });
  it("reads mmCIF with models", () => {
    const heads = ["group_PDB", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z", "pdbx_PDB_model_num"].map((h) => `_atom_site.${h}`).join("\n");
    const frames = parseStructure("a.cif", `data_1\nloop_\n${heads}\nATOM C 1 2 3 1\nATOM O 1 2 4 1\nATOM C 2 2 3 2\n#\n`);
    expect(frames.map((f) => f.length)).toEqual([2, 1]);
    expect(frames[0]![1]).toEqual({ element: "O", x: 1, y: 2, z: 4 });
  });
  it("reads models, and frames that END alone parts", () => {
    const atom = "ATOM      1  CA  ALA A   1      11.104   6.134  -6.504  1.00  0.00\r\n";
    expect(parseStructure("a.pdb", `MODEL        1\r\n${atom}ENDMDL\r\nMODEL        2\r\n${atom}ENDMDL\r\nEND\r\n`)).toHaveLength(2);
    const frames = parseStructure("a.pdb", `${atom}END\n${atom}${atom}END\n`);
    expect(frames.map((f) => f.map((a) => a.element))).toEqual([["C"], ["C", "C"]]);
    expect(parseStructure("a.pdb", "HETATM    1 CA    CA A   1      11.104   6.134  -6.504\n")[0]![0]!.element).toBe("Ca");
  });
  it("takes atomic numbers and Fortran's exponents, and says when there is more", () => {
    expect(parseStructure("a.xyz", "1\r\n\r\n6 1.0D+00 -2d-1 .5\r\n")).toEqual([[{ element: "C", x: 1, y: -0.2, z: 0.5 }]]);
    const found = readStructure("a.xyz", "1\n\nH 0 0 0\n".repeat(FRAMES_MAX + 1));
    expect([found.frames.length, found.more]).toEqual([FRAMES_MAX, true]);
  });
  it("shows of a frame too large as much as it may, and of one that breaks off what there is", () => {
    const count = ATOMS_MAX + 2;
    const large = `${count}\n\n${"H 0 0 0\n".repeat(count)}`;
    const found = readStructure("a.xyz", large + WATER);
    expect([found.frames.map((f) => f.length), found.more]).toEqual([[ATOMS_MAX, 3], true]);
    const cut = readStructure("a.xyz", "1000\n\nH 0 0 0\nH 0 0 1\nH 0 0 1.", false);
    expect([cut.frames.map((f) => f.length), cut.more]).toEqual([[2], true]);
    expect(readStructure("a.xyz", `${WATER}3\n\nO 0 0`, false).frames).toHaveLength(1);
  });
  it("bonds what is near", () => {
    expect(bonds(parseStructure("a.xyz", WATER)[0]!).sort()).toEqual([[0, 1], [0, 2]]);
  });
});
