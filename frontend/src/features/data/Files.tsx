import { Anchor, Code, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { More } from "@/components/parts";
import { plain, size } from "@/lib/format";
import { useVersionFiles } from "@/queries/data";

/** A version's files, page by page, searched by the server: ten thousand are no more work than ten. */
export function Files({ id, number, name }: { id: string; number: number; name: string }) {
  const { t } = useTranslation(["data", "base"]);
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text, 250);
  const files = useVersionFiles(id, number, search);
  const first = files.data?.pages[0];
  const entries = files.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <Stack gap="xs">
      <TextInput size="xs" aria-label={t("searchFiles")} placeholder={t("searchFiles")} value={text} maxLength={200} onChange={(e) => setText(e.currentTarget.value)} />
      {first && <Text size="xs" c="dimmed" role="status">{t("found", { found: first.found, all: first.files })}, {size(first.size_bytes)}</Text>}
      {files.isError && <ErrorNote error={files.error} again={() => void files.refetch()} />}
      <Table.ScrollContainer minWidth={360}>
        <Table fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("path")}</Table.Th>
              <Table.Th>{t("size")}</Table.Th>
              <Table.Th>{t("digest")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {entries.map((e) => {
              const shown = plain(e.path) || plain(name);
              return (
                <Table.Tr key={e.path}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>
                    <Anchor fz="xs" href={`/api/v1/datasets/${id}/versions/${number}/content?path=${encodeURIComponent(e.path)}`} download aria-label={t("download", { path: shown })}>
                      {shown}
                    </Anchor>
                  </Table.Td>
                  <Table.Td style={{ whiteSpace: "nowrap" }}>{size(e.size)}</Table.Td>
                  <Table.Td><Code>{e.sha256.slice(0, 16)}</Code></Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <More query={files} />
    </Stack>
  );
}
