// A table wider than a phone: it scrolls in its own frame, and on a phone each row becomes a card in which every cell says
// its column's name (`WideTable.css`). The names are read from the table's own head, so that no page writes them twice.

import { Table } from "@mantine/core";
import { useLayoutEffect, useRef, type ReactNode } from "react";
import "./WideTable.css";

export function WideTable({ minWidth, children }: { minWidth: number; children: ReactNode }) {
  const frame = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    for (const table of frame.current?.querySelectorAll("table") ?? []) nameCells(table);
  });
  return (
    <div className="wide-table" ref={frame}>
      <Table.ScrollContainer minWidth={minWidth}>{children}</Table.ScrollContainer>
    </div>
  );
}

/** Gives each cell of the body and the foot its column's name; one that spans columns, or whose column has none, gets none. */
function nameCells(table: HTMLTableElement): void {
  const names = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent?.trim() ?? "");
  for (const part of [...table.tBodies, ...(table.tFoot ? [table.tFoot] : [])])
    for (const row of part.rows)
      for (const [at, cell] of [...row.cells].entries()) {
        const before = [...row.cells].slice(0, at).reduce((sum, one) => sum + one.colSpan, 0);
        const name = cell.colSpan > 1 || cell.textContent === "" && cell.childElementCount === 0 ? "" : (names[before] ?? "");
        if (name === "") cell.removeAttribute("data-label");
        else if (cell.dataset.label !== name) cell.dataset.label = name;
      }
}
