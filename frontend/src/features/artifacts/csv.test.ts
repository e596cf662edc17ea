import { describe, expect, it } from "vitest";
import { numericColumns, parseCsv, ROWS_MAX } from "./csv";

describe("CSV", () => {
  it("reads quotes, doubled quotes, separators and line ends inside them", () => {
    expect(parseCsv('a,b\r\n"x,1","say ""hi""\nthere"\n')).toEqual({ head: ["a", "b"], rows: [["x,1", 'say "hi"\nthere']], total: 1 });
  });
  it("counts what it does not show", () => {
    const sheet = parseCsv(`n\n${"1\n".repeat(ROWS_MAX + 10)}`);
    expect(sheet.rows).toHaveLength(ROWS_MAX);
    expect(sheet.total).toBe(ROWS_MAX + 10);
  });
  it("tells numbers from words", () => {
    expect(numericColumns(parseCsv("name,x,y\na,1,2e-3\nb,2,\nc,3,0.1\n"))).toEqual([1, 2]);
  });
});
