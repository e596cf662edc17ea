// The price book of every pool: its versions and from when each applies; new ones by a form or by CSV.

import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Empty, More, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amount, plain, priced } from "@/lib/format";
import { type PriceBook, type PriceVersion, usePriceBooks } from "@/queries/prices";
import { Load } from "./Load";
import { NewVersion } from "./NewVersion";
import { SCALARS } from "./rates";

const COLOUR: Record<PriceVersion["state"], string> = { now: "green", next: "blue", past: "gray", replaced: "gray" };

export function Prices() {
  const { t } = useTranslation(["prices", "base"]);
  const books = usePriceBooks();
  const rows = books.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack>
      <Group justify="space-between" align="flex-start">
        <Text size="sm" maw={720}>{t("what")}</Text>
        <Group gap="xs">
          <Button size="xs" variant="default" component="a" href="/api/v1/admin/prices.csv" download>{t("download")}</Button>
          <Load />
        </Group>
      </Group>
      {books.isError && <ErrorNote error={books.error} again={() => void books.refetch()} />}
      {books.isSuccess && rows.length === 0 && <Empty title={t("none")} hint={t("noneHint")} />}
      {rows.map((book) => <Book key={book.pool_id} book={book} />)}
      <More query={books} />
    </Stack>
  );
}

function Book({ book }: { book: PriceBook }) {
  const { t } = useTranslation(["prices", "base"]);
  const name = `${plain(book.site)}/${plain(book.pool)}`;
  return (
    <Card title={name} aside={<NewVersion pool={book.pool_id} name={name} base={book.versions.find((v) => v.state === "now") ?? null} />}>
      {book.versions.length === 0 ? (
        <Text size="sm" c="dimmed">{t("free")}</Text>
      ) : (
        <WideTable minWidth={760}>
          <Table fz="xs" verticalSpacing={4}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("version")}</Table.Th>
                <Table.Th>{t("from")}</Table.Th>
                {SCALARS.map((rate) => <Table.Th key={rate} ta="right">{priced(t(`rate.${rate}`))}</Table.Th>)}
                <Table.Th>{priced(t("devices"))}</Table.Th>
                <Table.Th>{t("by")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {book.versions.map((version) => (
                <Table.Tr key={version.version}>
                  <Table.Th scope="row">
                    <Group gap={6} wrap="nowrap">
                      {version.version}
                      <Badge size="sm" color={COLOUR[version.state]} variant="light" radius="sm" tt="none" style={{ flexShrink: 0 }} c={`var(--mantine-color-${COLOUR[version.state]}-light-color)`}>{t(`state.${version.state}`)}</Badge>
                    </Group>
                  </Table.Th>
                  <Table.Td><When ms={Date.parse(version.valid_from)} /></Table.Td>
                  {SCALARS.map((rate) => <Table.Td key={rate} ta="right" style={{ fontVariantNumeric: "tabular-nums" }}>{amount(version[rate])}</Table.Td>)}
                  <Table.Td>{Object.entries(version.device_hour_micros).map(([device, micros]) => `${plain(device)} ${amount(micros)}`).join(", ") || "–"}</Table.Td>
                  <Table.Td>{plain(version.created_by) || "–"}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
      {book.more > 0 && <Text size="xs" c="dimmed">{t("older", { count: book.more })}</Text>}
    </Card>
  );
}
