// A notebook to be read: its cells, and below each what came of it.

import { Code, Group, ScrollArea, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { cleanText } from "@/features/logs/clean";
import { plain } from "@/lib/format";
import type { Cells, Part } from "./notebook";

export function Notebook({ cells }: { cells: Cells }) {
  const { t } = useTranslation("preview");
  return (
    <ScrollArea.Autosize mah={640} tabIndex={0}>
      <Stack gap="sm" data-notebook>
        {cells.cells.map((cell, i) => (
          <Stack key={i} gap={4}>
            {cell.kind === "markdown" ? (
              <Text size="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{plain(cell.source)}</Text>
            ) : (
              <Group gap="xs" align="flex-start" wrap="nowrap">
                <Text size="xs" c="dimmed" w={36} ta="right">{cell.kind === "code" ? `[${cell.count ?? " "}]` : ""}</Text>
                <Code block style={{ flex: 1, minWidth: 0 }}>{plain(cell.source)}</Code>
              </Group>
            )}
            {cell.parts.map((part, j) => <Came key={j} part={part} label={t("pictureOfCell", { n: i + 1 })} />)}
          </Stack>
        ))}
        {cells.cells.length === 0 && <Text size="sm">{t("noCells")}</Text>}
        {cells.more && <Text size="xs" role="note">{t("moreCells", { shown: cells.cells.length })}</Text>}
      </Stack>
    </ScrollArea.Autosize>
  );
}

function Came({ part, label }: { part: Part; label: string }) {
  if (part.kind === "picture") return <img src={`data:${part.type};base64,${part.text}`} alt={label} style={{ maxWidth: "100%", maxHeight: 480, marginInlineStart: 46, background: "#fff", width: "fit-content" }} />;
  return <pre style={{ margin: "0 0 0 46px", fontSize: 12, whiteSpace: "pre-wrap", overflowWrap: "anywhere", color: part.kind === "error" ? "var(--mantine-color-red-text)" : undefined }}>{plain(cleanText(part.text))}</pre>;
}
