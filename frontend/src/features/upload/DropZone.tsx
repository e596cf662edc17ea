// Where files are dropped or chosen; what came is handed on with its paths.

import { Button, Group, Paper, Text } from "@mantine/core";
import { IconFile, IconFolder } from "@tabler/icons-react";
import { useRef, useState, type DragEvent } from "react";
import { useTranslation } from "react-i18next";
import { filesOfDrop, filesOfInput } from "./dropped";

type Chosen = { path: string; file: File }[];

export function DropZone({ label, compact, onChosen }: { label?: string; compact?: boolean; onChosen: (chosen: Chosen) => void }) {
  const { t } = useTranslation(["data", "base"]);
  const [over, setOver] = useState(false);
  const [reading, setReading] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    setReading(true);
    try {
      onChosen(await filesOfDrop(event.dataTransfer));
    } finally {
      setReading(false);
    }
  };
  return (
    <Paper
      withBorder
      p={compact ? "xs" : "lg"}
      role="group"
      aria-label={label ?? t("upload.drop")}
      data-drop
      onDragOver={(e) => (e.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => void take(e)}
      style={{ borderStyle: "dashed", borderWidth: 2, borderColor: over ? "var(--mantine-primary-color-filled)" : undefined, background: over ? "var(--mantine-primary-color-light)" : undefined }}
    >
      <Group justify="center" gap="sm">
        <Text size="sm">{reading ? t("upload.reading") : t("upload.drop")}</Text>
        {!compact && <Text size="sm" c="dimmed">{t("upload.or")}</Text>}
        <Button size="xs" variant="default" leftSection={<IconFile size={14} />} onClick={() => files.current?.click()}>{t("upload.chooseFiles")}</Button>
        <Button size="xs" variant="default" leftSection={<IconFolder size={14} />} onClick={() => folder.current?.click()}>{t("upload.chooseFolder")}</Button>
      </Group>
      <input ref={files} type="file" multiple hidden aria-label={t("upload.chooseFiles")} onChange={(e) => (onChosen(filesOfInput(e.currentTarget.files)), (e.currentTarget.value = ""))} />
      <input ref={folder} type="file" hidden aria-label={t("upload.chooseFolder")} {...{ webkitdirectory: "" }} onChange={(e) => (onChosen(filesOfInput(e.currentTarget.files)), (e.currentTarget.value = ""))} />
    </Paper>
  );
}
