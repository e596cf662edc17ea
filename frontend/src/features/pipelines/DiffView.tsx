import { ScrollArea } from "@mantine/core";
import { plain } from "@/lib/format";
import { diffLines } from "./diff";

const TINT = { same: undefined, added: "rgba(43, 138, 62, 0.18)", removed: "rgba(201, 42, 42, 0.18)" } as const;
const SIGN = { same: " ", added: "+", removed: "-" } as const;

/** Two texts as one with what went and came; without `signs` and equal they are simply the text. */
export function DiffView({ before, after, signs }: { before: string; after: string; signs: boolean }) {
  return (
    <ScrollArea>
      <pre tabIndex={0} style={{ margin: 0, fontSize: 12.5, lineHeight: 1.5 }}>
        {diffLines(before, after).map((line, i) => (
          <div key={i} style={{ background: TINT[line.kind] }}>
            {signs ? `${SIGN[line.kind]} ` : ""}
            {plain(line.text)}
          </div>
        ))}
      </pre>
    </ScrollArea>
  );
}
