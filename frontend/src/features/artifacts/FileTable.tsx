// The files of a dataset's version or of an artifact: page by page and searched by the server, so that ten thousand are no more
// work than ten; each is downloaded by its name, and shown below it on demand.

import { Anchor, Button, Code, Loader, Stack, Table, Text, TextInput } from "@mantine/core";
import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import { Fragment, lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { More } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain, size } from "@/lib/format";

const Preview = lazy(async () => ({ default: (await import("./Preview")).Preview }));

interface Asked {
  files: UseInfiniteQueryResult<InfiniteData<Schemas["FilesOut"]>>;
  search: string;
  onSearch: (text: string) => void;
  /** Where a path's bytes are. */
  address: (path: string) => string;
  /** Of what is one file without a path. */
  name: string;
}

export function FileTable({ files, search, onSearch, address, name }: Asked) {
  const { t } = useTranslation(["data", "base"]);
  const [shown, setShown] = useState<string | null>(null);
  const first = files.data?.pages[0];
  const entries = files.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <Stack gap="xs">
      <TextInput size="xs" aria-label={t("searchFiles")} placeholder={t("searchFiles")} value={search} maxLength={200} onChange={(e) => onSearch(e.currentTarget.value)} />
      {first && <Text size="xs" c="dimmed" role="status">{t("found", { found: first.found, all: first.files })}, {size(first.size_bytes)}</Text>}
      {files.isError && <ErrorNote error={files.error} again={() => void files.refetch()} />}
      <WideTable minWidth={360}>
        <Table fz="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("path")}</Table.Th>
              <Table.Th>{t("size")}</Table.Th>
              <Table.Th>{t("digest")}</Table.Th>
              <Table.Th aria-label={t("base:artifacts.preview")} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {entries.map((e) => {
              const path = plain(e.path) || plain(name);
              const open = shown === e.path;
              return (
                <Fragment key={e.path}>
                  <Table.Tr>
                    <Table.Td style={{ overflowWrap: "anywhere" }}>
                      <Anchor fz="xs" href={address(e.path)} download aria-label={t("download", { path })}>{path}</Anchor>
                    </Table.Td>
                    <Table.Td style={{ whiteSpace: "nowrap" }}>{size(e.size)}</Table.Td>
                    <Table.Td><Code>{e.sha256.slice(0, 16)}</Code></Table.Td>
                    <Table.Td ta="right">
                      <Button size="compact-xs" variant="default" aria-expanded={open} aria-label={`${t("base:artifacts.preview")}: ${path}`} onClick={() => setShown(open ? null : e.path)}>{t("base:artifacts.preview")}</Button>
                    </Table.Td>
                  </Table.Tr>
                  {open && (
                    <Table.Tr data-shown>
                      <Table.Td colSpan={4} maw={0}>
                        <Suspense fallback={<Loader size="sm" />}>
                          <Preview url={address(e.path)} name={e.path === "" ? name : e.path.split("/").pop()!} bytes={e.size} />
                        </Suspense>
                      </Table.Td>
                    </Table.Tr>
                  )}
                </Fragment>
              );
            })}
          </Table.Tbody>
        </Table>
      </WideTable>
      <More query={files} />
    </Stack>
  );
}
