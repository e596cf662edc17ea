import { describe, expect, it } from "vitest";
import { bonds, parseStructure } from "./structure";

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
  it("bonds what is near", () => {
    expect(bonds(parseStructure("a.xyz", WATER)[0]!).sort()).toEqual([[0, 1], [0, 2]]);
  });
});
