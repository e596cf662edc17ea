// What the project's steps can read: datasets, room, copies, what moves, and uploads.

import { Anchor, Grid, Group, Progress, SimpleGrid, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, More, Page, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { Copies } from "@/features/data/Copies";
import { Moving } from "@/features/data/Moving";
import { Unfinished } from "@/features/data/Unfinished";
import { Uploader } from "@/features/upload/Uploader";
import { useAddress } from "@/lib/address";
import { plain, size } from "@/lib/format";
import { dataKey, datasetsFound, useProjectData } from "@/queries/data";
import { useRest } from "@/queries/rest";

const NOTHING = { results: [], next: null };

export function Data() {
  const { t } = useTranslation(["data", "base"]);
  const project = useProject();
  const [{ search: text }, choose] = useAddress({ search: "" });
  const [search] = useDebouncedValue(text.slice(0, 80), 250);
  const whole = useProjectData(project, search);
  const list = useRest([...dataKey(project), "list", search], whole.data?.datasets ?? NOTHING, datasetsFound(project, search), (d) => d.id);
  const rows = list.rows;
  return (
    <Page title={t("title")}>
      <Text size="sm" c="dimmed">{t("intro")}</Text>
      <Grid>
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Stack>
            <Card title={t("upload.title")}>
              <Uploader project={project} known={rows.map((d) => ({ name: d.name, version: d.latest?.number ?? 0 }))} />
            </Card>
            <TextInput aria-label={t("search")} placeholder={t("search")} value={text} onChange={(e) => choose({ search: e.currentTarget.value })} maxLength={80} />
            {whole.isSuccess && rows.length === 0 && (search ? <Text size="sm">{t("nothingFound")}</Text> : <Empty title={t("empty")} hint={t("emptyHint")} />)}
            {rows.length > 0 && (
              <WideTable minWidth={520}>
                <Table highlightOnHover>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{t("name")}</Table.Th>
                      <Table.Th>{t("versions")}</Table.Th>
                      <Table.Th>{t("files")}</Table.Th>
                      <Table.Th>{t("size")}</Table.Th>
                      <Table.Th>{t("made")}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {rows.map((d) => (
                      <Table.Tr key={d.id}>
                        <Table.Td>
                          <Anchor component={Link} to={`/data/${d.id}`} size="sm">{plain(d.name)}</Anchor>
                          <Text size="xs" c="dimmed">{plain(d.description)}</Text>
                        </Table.Td>
                        <Table.Td>{d.latest?.number ?? 0}</Table.Td>
                        <Table.Td>{d.latest?.files ?? ""}</Table.Td>
                        <Table.Td>{d.latest ? size(d.latest.size_bytes!) : ""}</Table.Td>
                        <Table.Td><When ms={Date.parse(d.created_at)} /></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </WideTable>
            )}
            <More query={list} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Loaded query={whole}>
            {(data) => (
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 1 }}>
                <Card title={t("kept")}>
                  <Group gap="xs" mb={4}>
                    <Text fw={600}>{size(data.size_bytes)}</Text>
                    {data.max_bytes !== null && <Text size="sm" c="dimmed">{t("room", { size: size(data.max_bytes) })}</Text>}
                  </Group>
                  {data.max_bytes !== null && <Progress value={(100 * data.size_bytes) / data.max_bytes} aria-label={t("kept")} />}
                </Card>
                <Copies copies={data.copies} />
                <Moving moving={data.moving} total={data.moving_total} />
                {data.uploads.length > 0 && <Unfinished project={project} uploads={data.uploads} />}
              </SimpleGrid>
            )}
          </Loaded>
        </Grid.Col>
      </Grid>
    </Page>
  );
}
