// The manifest as text, with the server's findings at their lines.

import { yaml } from "@codemirror/lang-yaml";
import { linter, lintGutter, type Diagnostic } from "@codemirror/lint";
import { useComputedColorScheme } from "@mantine/core";
import CodeMirror, { EditorState, EditorView } from "@uiw/react-codemirror";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { plain } from "@/lib/format";

export function Editor({ value, findings, label, onChange }: { value: string; findings: Schemas["FindingOut"][]; label: string; onChange: (text: string) => void }) {
  const scheme = useComputedColorScheme("light");
  const { i18n } = useTranslation("editor"); // what the editor itself says: its phrases are the keys
  const extensions = useMemo(
    () => [
      EditorView.contentAttributes.of({ "aria-label": label }),
      EditorState.phrases.of(i18n.getResourceBundle(i18n.language.slice(0, 2), "editor") as Record<string, string>),
      // The words of the dark theme are too faint on its own ground.
      EditorView.theme(
        scheme === "dark"
          ? { "&.cm-editor, &.cm-editor .cm-gutters": { background: "#16181c" }, "&.cm-editor .cm-gutters": { color: "#b8b8b8" }, "&.cm-editor .cm-activeLine": { background: "#ffffff0a" } }
          : { "&.cm-editor .cm-gutters": { color: "#495057" } },
      ),
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
    [findings, label, scheme, i18n, i18n.language],
  );
  return (
    <CodeMirror
      value={value}
      height="420px"
      theme={scheme}
      extensions={extensions}
      onChange={onChange}
      style={{ border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, overflow: "hidden", fontSize: 13 }}
    />
  );
}
