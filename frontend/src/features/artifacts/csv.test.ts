import { describe, expect, it } from "vitest";
import { numericColumns, parseCsv, ROWS_MAX, separatorOf } from "./csv";
import { numberOf } from "./numbers";

describe("CSV", () => {
  it("reads quotes, doubled quotes, separators and line ends inside them", () => {
    expect(parseCsv('a,b\r\n"x,1","say ""hi""\nthere"\n')).toEqual({ head: ["a", "b"], rows: [["x,1", 'say "hi"\nthere']], total: 1, decimalComma: false });
  });
  it("counts what it does not show", () => {
    const sheet = parseCsv(`n\n${"1\n".repeat(ROWS_MAX + 10)}`);
    expect(sheet.rows).toHaveLength(ROWS_MAX);
    expect(sheet.total).toBe(ROWS_MAX + 10);
  });
  it("finds the separator, and a comma that is a decimal point", () => {
    const sheet = parseCsv("t;x\r\n0,5;1,25\r\n1,5;-3,5E+02\r\n");
    expect(sheet).toMatchObject({ head: ["t", "x"], decimalComma: true, total: 2 });
    expect(numericColumns(sheet)).toEqual([0, 1]);
    expect(separatorOf("a\tb,c\n1\t2,3\n")).toBe("\t");
    expect(separatorOf('"a;b",c\n"d;e",f\n')).toBe(",");
    expect(parseCsv("one\ntwo\n").rows).toEqual([["two"]]);
  });
  it("takes numbers of Fortran, and says nothing of missing ones", () => {
    const sheet = parseCsv("e,f\n1.5D+03,NaN\n-2d0,1\n,inf\n.5,2\n");
    expect(numericColumns(sheet)).toEqual([0, 1]);
    expect(["1.5D+03", "-2d0", ".5", "+3", "1e5"].map((c) => numberOf(c))).toEqual([1500, -2, 0.5, 3, 1e5]);
    for (const none of ["", "NaN", "1,5", "d5", "1 2"]) expect(numberOf(none)).toBeNaN();
  });
  it("names columns by a comment, or by their place, where there is no head", () => {
    expect(parseCsv("# made by hand\n# t, x\n0,1\n1,2\n")).toMatchObject({ head: ["t", "x"], total: 2, rows: [["0", "1"], ["1", "2"]] });
    expect(parseCsv("0,1\n1,2\n").head).toEqual(["1", "2"]);
    expect(parseCsv("a,b\r1,2\r3,4").total).toBe(2);
  });
  it("tells numbers from words", () => {
    expect(numericColumns(parseCsv("name,x,y\na,1,2e-3\nb,2,\nc,3,0.1\n"))).toEqual([1, 2]);
  });
  it("leaves out the half row of a text that breaks off, and takes the others whole", () => {
    expect(parseCsv("a,b\n1,2\n3,4", ",", false).rows).toEqual([["1", "2"]]);
    expect(parseCsv("a,b\n1,2\n3,\"x\ny", ",", false).rows).toEqual([["1", "2"]]);
    expect(parseCsv("a,b\n1,2\n", ",", false).rows).toEqual([["1", "2"]]);
    expect(parseCsv("\ufeffa,b\n1,\n", ",").rows).toEqual([["1", ""]]);
    expect(parseCsv("a,b\n1,").rows).toEqual([["1", ""]]);
  });
  it("counts rows that are not kept, with quotes and without", () => {
    const many = "1,2\r\n".repeat(ROWS_MAX + 100);
    expect([parseCsv(`a,b\r\n${many}`).total, parseCsv(`a,b\r\n${many}"x\ny",2\r\n3,4`).total]).toEqual([ROWS_MAX + 100, ROWS_MAX + 102]);
    expect(parseCsv(`a,b\r\n${many}3,4`, ",", false).total).toBe(ROWS_MAX + 100);
  });
});
