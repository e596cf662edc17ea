// Numbers as instruments and Fortran write them. Pure.

/** The number in a cell: also `1.5D+03`, `.5`, `+3`, and `1,5` where the comma is the decimal point. NaN: it is none. */
export function numberOf(cell: string, decimalComma = false): number {
  const text = cell.trim();
  if (text === "" || !/^[-+]?[\d.,]/.test(text)) return Number.NaN;
  const direct = Number(text); // nearly always
  if (!Number.isNaN(direct)) return direct;
  const plain = decimalComma ? text.replace(",", ".") : text;
  return Number(plain.replace(/^\+/, "").replace(/(\d\.?)[dD]([-+]?\d)/, "$1e$2"));
}

/** A cell that says "no value here" in a column of numbers. */
export const isMissing = (cell: string): boolean => /^\s*(|[-+]?nan|[-+]?inf(inity)?|na|n\/a|null|none|-|\.|\?)\s*$/i.test(cell);
