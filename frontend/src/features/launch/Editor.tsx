// The manifest as text, with the server's findings at their lines.

import { yaml } from "@codemirror/lang-yaml";
import { linter, lintGutter, type Diagnostic } from "@codemirror/lint";
import { useComputedColorScheme } from "@mantine/core";
import CodeMirror from "@uiw/react-codemirror";
import { useMemo } from "react";
import type { Schemas } from "@/api/client";
import { plain } from "@/lib/format";

export function Editor({ value, findings, label, onChange }: { value: string; findings: Schemas["FindingOut"][]; label: string; onChange: (text: string) => void }) {
  const scheme = useComputedColorScheme("light");
  const extensions = useMemo(
    () => [
      yaml(),
      lintGutter(),
      linter((view): Diagnostic[] =>
        findings
          .filter((f) => f.line > 0 && f.line <= view.state.doc.lines)
          .map((f) => {
            const line = view.state.doc.line(f.line);
            const from = Math.min(line.to, line.from + Math.max(0, f.column - 1));
            return { from, to: Math.max(from, line.to), severity: f.severity, message: plain([f.detail, f.nearest && `→ ${f.nearest}`, f.next_step].filter(Boolean).join(" ")) };
          }),
      ),
    ],
    [findings],
  );
  return (
    <CodeMirror
      value={value}
      height="420px"
      theme={scheme}
      extensions={extensions}
      aria-label={label}
      onChange={onChange}
      style={{ border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, overflow: "hidden", fontSize: 13 }}
    />
  );
}
