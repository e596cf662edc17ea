// CSV and TSV text as rows, and which columns are numbers. Pure; quotes as in RFC 4180.

export const ROWS_MAX = 5_000;

export interface Sheet {
  head: string[];
  rows: string[][];
  total: number;
}

export function parseCsv(text: string, separator = ","): Sheet {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  let total = 0;
  const end = () => {
    row.push(field);
    field = "";
    if (row.length > 1 || row[0] !== "") {
      total += 1;
      if (rows.length <= ROWS_MAX) rows.push(row);
    }
    row = [];
  };
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i]!;
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else quoted = false;
    } else if (c === '"' && field === "") quoted = true;
    else if (c === separator) {
      row.push(field);
      field = "";
    } else if (c === "\n") end();
    else if (c !== "\r") field += c;
  }
  if (field !== "" || row.length > 0) end();
  const [head = [], ...rest] = rows;
  return { head, rows: rest, total: Math.max(0, total - 1) };
}

/** Indexes of columns of which at least nine in ten filled cells are numbers. */
export function numericColumns(sheet: Sheet): number[] {
  return sheet.head.flatMap((_, column) => {
    const filled = sheet.rows.map((row) => row[column] ?? "").filter((cell) => cell.trim() !== "");
    const numbers = filled.filter((cell) => Number.isFinite(Number(cell)));
    return filled.length > 1 && numbers.length >= 0.9 * filled.length ? [column] : [];
  });
}
