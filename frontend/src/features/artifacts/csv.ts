// CSV and TSV text as rows, and which columns are numbers. Pure; quotes as in RFC 4180.

import { isMissing, numberOf } from "./numbers";

export const ROWS_MAX = 5_000;
const SNIFFED_LINES = 20;

export interface Sheet {
  head: string[];
  rows: string[][];
  total: number;
  /** `1,5` is a number: such files separate by something else. */
  decimalComma: boolean;
}

/** The separator that splits the first lines into equally many columns, most of them; a tab before a semicolon before a comma. */
export function separatorOf(text: string): string {
  const lines = text.slice(0, 64 * 1024).split(/\r\n|\n|\r/).filter((line) => line !== "" && !line.startsWith("#")).slice(0, SNIFFED_LINES);
  let best = ",";
  let most = 0;
  for (const separator of ["\t", ";", ",", "|"]) {
    const counts = lines.map((line) => columnsOf(line, separator));
    const same = counts.filter((n) => n === counts[0]).length;
    if (counts[0]! > 1 && same >= 0.9 * counts.length && same > most) [best, most] = [separator, same];
  }
  return best;
}

function columnsOf(line: string, separator: string): number {
  let count = 1;
  let quoted = false;
  for (const c of line) {
    if (c === '"') quoted = !quoted;
    else if (c === separator && !quoted) count += 1;
  }
  return count;
}

/** `whole`: the text does not break off; else its last row, which may be half a row, is left out. */
export function parseCsv(text: string, separator = separatorOf(text), whole = true): Sheet {
  const [comments, body] = withoutComments(text.replace(/^\ufeff/, ""));
  const plainField = separator === "|" || separator === "\t" || separator === ";" || separator === "," ? new RegExp(`[^${separator}\r\n]*`, "y") : /[^\r\n]*/y;
  const rows: string[][] = [];
  let row: string[] = [];
  let total = 0;
  let at = 0;
  const lastQuote = body.lastIndexOf('"');
  const end = () => {
    if (row.length > 1 || row[0] !== "") {
      total += 1;
      if (rows.length <= ROWS_MAX) rows.push(row);
    }
    row = [];
  };
  while (at < body.length) {
    if (rows.length > ROWS_MAX && row.length === 0 && at > lastQuote) {
      total += linesFrom(body, at, whole);
      break;
    }
    let field = "";
    if (body[at] === '"') [field, at] = quotedFrom(body, at);
    plainField.lastIndex = at;
    const rest = plainField.exec(body)![0];
    row.push(field + rest);
    at += rest.length;
    if (at >= body.length) {
      if (whole) end();
      break;
    }
    const c = body[at]!;
    at += c === "\r" && body[at + 1] === "\n" ? 2 : 1; // a lone \r: line ends of old instruments
    if (c !== separator) end();
    else if (at >= body.length && whole) {
      row.push("");
      end();
    }
  }
  const decimalComma = separator !== "," && rows.slice(0, 50).flat().some((cell) => /^\s*[-+]?\d+,\d+([eEdD][-+]?\d+)?\s*$/.test(cell));
  return { ...headed(rows, total, comments, separator, decimalComma), decimalComma };
}

/** A quoted field from its first quote on, and where it ends. */
function quotedFrom(body: string, start: number): [string, number] {
  let field = "";
  for (let at = start + 1; ; ) {
    const quote = body.indexOf('"', at);
    if (quote < 0) return [field + body.slice(at), body.length];
    field += body.slice(at, quote);
    if (body[quote + 1] !== '"') return [field, quote + 1];
    field += '"';
    at = quote + 2;
  }
}

/** How many rows follow that need no look inside. */
function linesFrom(body: string, start: number, whole: boolean): number {
  let count = 0;
  let from = start;
  for (const found of body.slice(start).matchAll(/\r\n|\n|\r/g)) {
    if (start + found.index > from) count += 1;
    from = start + found.index + found[0].length;
  }
  return count + (whole && from < body.length ? 1 : 0);
}

/** Lines before the table that begin with #, and the table. */
function withoutComments(text: string): [string[], string] {
  const comments: string[] = [];
  let at = 0;
  while (text[at] === "#") {
    const end = /\r\n|\n|\r/.exec(text.slice(at, at + 10_000));
    if (!end) break;
    comments.push(text.slice(at + 1, at + end.index).trim());
    at += end.index + end[0].length;
  }
  return [comments, text.slice(at)];
}

/** The first row names the columns unless it is all numbers; then a comment before it with as many words may, else numbers do. */
function headed(rows: string[][], total: number, comments: string[], separator: string, decimalComma: boolean): Omit<Sheet, "decimalComma"> {
  const [first = [], ...rest] = rows;
  const numbers = first.length > 0 && first.every((cell) => Number.isFinite(numberOf(cell, decimalComma)));
  if (!numbers) return { head: first, rows: rest, total: Math.max(0, total - 1) };
  const words = (comments.at(-1) ?? "").split(separator).map((word) => word.trim());
  return { head: words.length === first.length ? words : first.map((_, i) => String(i + 1)), rows: rows.slice(0, ROWS_MAX), total };
}

/** Indexes of columns, of the first so many, of which at least nine in ten filled cells are numbers. */
export function numericColumns(sheet: Sheet, columns = 100): number[] {
  return sheet.head.slice(0, columns).flatMap((_, column) => {
    const filled = sheet.rows.map((row) => row[column] ?? "").filter((cell) => !isMissing(cell));
    const numbers = filled.filter((cell) => Number.isFinite(numberOf(cell, sheet.decimalComma)));
    return filled.length > 1 && numbers.length >= 0.9 * filled.length ? [column] : [];
  });
}
