import { expect, it } from "vitest";
import { readNotebook } from "./notebook";

const notebook = (...outputs: unknown[]) => JSON.stringify({ nbformat: 4, cells: [{ cell_type: "markdown", source: ["# A\n", "b"] }, { cell_type: "code", execution_count: 2, source: "1", outputs }, 7] });

it("gives a notebook's cells with what they printed and drew, and nothing that could run", () => {
  const found = readNotebook(
    notebook(
      { output_type: "stream", name: "stdout", text: ["x\n", "y"] },
      { output_type: "display_data", data: { "image/png": "aGk=\n", "text/plain": "<Figure>" } },
      { output_type: "execute_result", data: { "text/html": "<script>1</script>", "text/plain": ["z"] } },
      { output_type: "display_data", data: { "image/png": '"><script>' } },
      { output_type: "error", ename: "E", evalue: "v", traceback: ["one", "two"] },
    ),
  );
  expect(found?.cells.map((cell) => [cell.kind, cell.source, cell.count])).toEqual([["markdown", "# A\nb", null], ["code", "1", 2]]);
  expect(found?.cells[1]?.parts.map((part) => [part.kind, part.text])).toEqual([["text", "x\ny"], ["picture", "aGk="], ["text", "z"], ["error", "one\ntwo"]]);
});

it("is none of what breaks off or is something else", () => {
  expect(readNotebook(notebook().slice(0, -5))).toBeNull();
  expect(readNotebook("[]")).toBeNull();
  expect(readNotebook('{"cells": 1}')).toBeNull();
});
