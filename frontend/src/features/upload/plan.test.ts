import { describe, expect, it } from "vitest";
import { nameOf, nameProblem, partAt, planOf, usable } from "./plan";

const file = (name: string, size = 1) => ({ name, size }) as File;
const chosen = (...paths: string[]) => paths.map((path) => ({ path, file: file(path.split("/").at(-1)!) }));

describe("what chosen files come to", () => {
  it("takes a folder's name off its files and gives it to the dataset", () => {
    const plan = planOf(chosen("Methanol 2/b.xyz", "Methanol 2/a/c.xyz"));
    expect(plan.sources.map((s) => s.path)).toEqual(["a/c.xyz", "b.xyz"]);
    expect([plan.name, plan.sizeBytes, plan.problems]).toEqual(["methanol-2", 2, []]);
  });
  it("makes one file the dataset itself", () => {
    const plan = planOf(chosen("Train Set.v2.csv"));
    expect(plan.sources.map((s) => s.path)).toEqual([""]);
    expect(plan.name).toBe("train-set");
  });
  it("keeps loose files under their names and says what cannot be taken", () => {
    const plan = planOf(chosen("a.txt", "a.txt", "b\\c.txt"));
    expect(plan.problems).toEqual([{ kind: "twice", path: "a.txt" }, { kind: "path", path: "b\\c.txt" }]);
    expect(planOf([]).problems).toEqual([{ kind: "none" }]);
  });
  it("refuses paths that would leave their folder", () => {
    for (const path of ["", "/a", "a//b", "../a", "a/./b", "a\u0000", "x".repeat(256), "é".repeat(128)]) expect(usable(path)).toBe(false);
    for (const path of ["a", "a/b..c", "能量/a b.csv", "x".repeat(255)]) expect(usable(path)).toBe(true);
  });
  it("makes names the server takes", () => {
    for (const text of ["Ünïcode data_set", "--x--", "A".repeat(90), "run-v3"]) expect(nameProblem(nameOf(text))).toBe(false);
    expect(["", "A", "-a", "a-v1", "a".repeat(64)].every(nameProblem)).toBe(true);
  });
  it("cuts the last part short", () => {
    expect(partAt(16, 20, 8)).toEqual([16, 20]);
  });
});
