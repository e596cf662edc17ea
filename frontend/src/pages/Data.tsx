import { Code, Group, Select, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page, When } from "@/components/parts";
import { plain, size } from "@/lib/format";
import { useDatasetFiles, useDatasets, useDatasetVersions } from "@/queries";

export function Data() {
  const { t } = useTranslation();
  const datasets = useDatasets(useProject());
  const [params, setParams] = useSearchParams();
  const chosen = params.get("dataset") ?? "";
  return (
    <Page title={t("data.title")}>
      <Loaded query={datasets}>
        {(data) => {
          if (data.results.length === 0) return <Empty title={t("data.empty")} hint={t("data.emptyHint")} />;
          const dataset = data.results.find((d) => d.id === chosen);
          return (
            <Stack>
              <Table.ScrollContainer minWidth={560}>
                <Table highlightOnHover>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t("data.name")}</Table.Th>
                      <Table.Th>{t("data.versions")}</Table.Th>
                      <Table.Th>{t("data.files")}</Table.Th>
                      <Table.Th>{t("data.size")}</Table.Th>
                      <Table.Th>{t("data.made")}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {data.results.map((d) => (
                      <Table.Tr key={d.id} bg={d.id === chosen ? "var(--mantine-primary-color-light)" : undefined}>
                        <Table.Td>
                          <UnstyledButton onClick={() => setParams({ dataset: d.id }, { replace: true })} fz="sm" c="var(--mantine-color-anchor)">
                            {plain(d.name)}
                          </UnstyledButton>
                          <Text size="xs" c="dimmed">{plain(d.description)}</Text>
                        </Table.Td>
                        <Table.Td>{d.latest?.number ?? 0}</Table.Td>
                        <Table.Td>{d.latest?.files ?? ""}</Table.Td>
                        <Table.Td>{d.latest?.size_bytes === undefined ? "" : size(d.latest.size_bytes)}</Table.Td>
                        <Table.Td><When ms={Date.parse(d.created_at)} /></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              {dataset && <Versions id={dataset.id} name={dataset.name} latest={dataset.latest?.number ?? 0} />}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Versions({ id, name, latest }: { id: string; name: string; latest: number }) {
  const { t } = useTranslation();
  const versions = useDatasetVersions(id);
  const [number, setNumber] = useState(latest);
  const files = useDatasetFiles(id, number);
  return (
    <Card
      title={plain(name)}
      aside={
        <Select size="xs" w={130} aria-label={t("data.versions")} value={String(number)} allowDeselect={false} onChange={(v) => setNumber(Number(v))}
          data={(versions.data?.results ?? []).map((v) => ({ value: String(v.number), label: t("pipelines.version", { n: v.number }) }))} />
      }
    >
      {number === 0 ? (
        <Text size="sm">{t("app.none")}</Text>
      ) : (
        <Loaded query={files}>
          {(data) => (
            <>
              <Group mb={4}>
                <Text size="sm">{t("artifacts.files", { count: data.files })}, {size(data.size_bytes)}</Text>
                <Code>claimName: {plain(name)}</Code>
              </Group>
              <Table fz="xs">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t("data.path")}</Table.Th>
                    <Table.Th>{t("data.size")}</Table.Th>
                    <Table.Th>{t("data.digest")}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {data.entries.map((e) => (
                    <Table.Tr key={e.path}>
                      <Table.Td style={{ overflowWrap: "anywhere" }}>
                        <a href={`/api/v1/datasets/${id}/versions/${number}/content?path=${encodeURIComponent(e.path)}`} download>
                          {plain(e.path) || plain(name)}
                        </a>
                      </Table.Td>
                      <Table.Td>{size(e.size)}</Table.Td>
                      <Table.Td><Code>{e.sha256.slice(0, 16)}</Code></Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </>
          )}
        </Loaded>
      )}
    </Card>
  );
}
