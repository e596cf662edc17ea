// New versions from a CSV: read, checked with every error in its line and column, compared, and made all at once.

import { Button, FileButton, Group, Stack, Text, Textarea, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, timeOf } from "@/lib/format";
import { usePricesLoad } from "@/queries/prices";
import { Difference } from "./Difference";

const MOST_BYTES = 512 * 1024;

export function Load() {
  const { t, i18n } = useTranslation(["prices", "base"]);
  const [opened, { open, close }] = useDisclosure(false);
  const [text, setText] = useState("");
  const [large, setLarge] = useState(false);
  const check = usePricesLoad();
  const make = usePricesLoad();
  const edit = (next: string) => {
    setText(next);
    check.reset();
    make.reset();
  };
  const shut = () => {
    close();
    edit("");
  };
  const read = async (file: File | null) => {
    if (!file) return;
    setLarge(file.size > MOST_BYTES);
    if (file.size <= MOST_BYTES) edit(await file.text());
  };
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>{t("upload")}</Button>
      <Dialog opened={opened} onClose={shut} title={t("upload")} size="xl">
        <Stack gap="sm">
          <Text size="sm">{t("uploadWhat")}</Text>
          <Group>
            <FileButton onChange={(file) => void read(file)} accept="text/csv,.csv">{(props) => <Button size="xs" variant="default" {...props}>{t("file")}</Button>}</FileButton>
            {large && <Text size="sm" c="red" role="alert">{t("tooLarge")}</Text>}
          </Group>
          <Textarea label={t("csv")} value={text} onChange={(e) => edit(e.currentTarget.value)} minRows={6} maxRows={14} autosize spellCheck={false} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12, whiteSpace: "pre", overflowX: "auto" } }} />
          {check.isError && <ErrorNote error={check.error} />}
          {make.isError && <ErrorNote error={make.error} />}
          {check.data?.length === 0 && <Text size="sm" role="status">{t("nothingNew")}</Text>}
          {!make.isSuccess && check.data?.map((one) => (
            <Stack key={one.line} gap={4}>
              <Title order={4} size="sm">{t("line", { line: one.line, name: `${plain(one.site)}/${plain(one.pool)}`, when: one.valid_from === null ? t("now") : timeOf(Date.parse(one.valid_from), i18n.language) })}</Title>
              <Difference preview={one} />
            </Stack>
          ))}
          {make.isSuccess && <Text size="sm" role="status">{t("made", { count: make.data.length })}</Text>}
          <Group justify="flex-end">
            <Button size="xs" variant="default" onClick={shut}>{t("base:app.close")}</Button>
            <Button size="xs" variant="default" disabled={text.trim() === ""} loading={check.isPending} onClick={() => check.mutate({ csv: text, check: true })}>{t("check")}</Button>
            {check.data && check.data.length > 0 && !make.isSuccess && (
              <Button size="xs" loading={make.isPending} onClick={() => make.mutate({ csv: text, check: false })}>{t("makeAll", { count: check.data.length })}</Button>
            )}
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}
