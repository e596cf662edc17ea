// A Jupyter notebook's cells as they may be shown: text, code, what it printed and drew. Pure; HTML and scripts of outputs are
// left out, for what can run is not shown. Follows the nbformat 4 schema.

const CELLS_MAX = 500;
const TEXT_MAX = 20_000; // characters of one part

export interface Part {
  kind: "text" | "error" | "picture";
  /** Of a picture base64 as it stands in the file. */
  text: string;
  type: string;
}

export interface Cell {
  kind: "markdown" | "code" | "raw";
  source: string;
  count: number | null;
  parts: Part[];
}

export interface Cells {
  cells: Cell[];
  more: boolean;
}

/** Null: it is no notebook, or breaks off. */
export function readNotebook(text: string): Cells | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  const list = isObject(found) ? found.cells : undefined;
  if (!Array.isArray(list)) return null;
  return { cells: list.slice(0, CELLS_MAX).filter(isObject).map(cellOf), more: list.length > CELLS_MAX };
}

type Loose = Record<string, unknown>;
const isObject = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);

/** The schema's multi-line strings are a text or a list of its lines. */
const linesOf = (value: unknown): string => (Array.isArray(value) ? value.filter((line) => typeof line === "string").join("") : typeof value === "string" ? value : "");

function cellOf(cell: Loose): Cell {
  const kind = cell.cell_type === "markdown" || cell.cell_type === "raw" ? cell.cell_type : "code";
  const outputs = Array.isArray(cell.outputs) ? cell.outputs.filter(isObject) : [];
  return { kind, source: linesOf(cell.source).slice(0, TEXT_MAX), count: typeof cell.execution_count === "number" ? cell.execution_count : null, parts: outputs.slice(0, 50).flatMap(partsOf) };
}

function partsOf(output: Loose): Part[] {
  if (output.output_type === "error") {
    const lines = Array.isArray(output.traceback) ? output.traceback.filter((line) => typeof line === "string").join("\n") : "";
    return [{ kind: "error", text: (lines || `${linesOf(output.ename)}: ${linesOf(output.evalue)}`).slice(0, TEXT_MAX), type: "" }];
  }
  if (output.output_type === "stream") return [{ kind: output.name === "stderr" ? "error" : "text", text: linesOf(output.text).slice(0, TEXT_MAX), type: "" }];
  const data = isObject(output.data) ? output.data : {};
  for (const type of ["image/png", "image/jpeg"]) {
    const text = linesOf(data[type]).replace(/\s+/g, "");
    if (/^[A-Za-z0-9+/=]+$/.test(text)) return [{ kind: "picture", text, type }];
  }
  const text = linesOf(data["text/plain"]);
  return text === "" ? [] : [{ kind: "text", text: text.slice(0, TEXT_MAX), type: "" }];
}
