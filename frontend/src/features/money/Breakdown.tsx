// What the money went to, by one thing at a time; what was lost on failed and cancelled work stands apart.

import { Anchor, Group, NativeSelect, Progress, SegmentedControl, Stack, Table, Text, VisuallyHidden } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { WideTable } from "@/components/WideTable";
import { amount, plain, priced } from "@/lib/format";
import { BY, type By, type MoneyAsk } from "@/queries/money";

export function Breakdown({ data, ask, onAsk }: { data: Schemas["MoneyOut"]; ask: MoneyAsk; onAsk: (ask: MoneyAsk) => void }) {
  const { t } = useTranslation("money");
  return (
    <Stack gap="sm">
      <Group>
        <SegmentedControl
          size="xs"
          visibleFrom="sm"
          aria-label={t("by.title")}
          value={ask.by}
          onChange={(by) => onAsk({ ...ask, by: by as By, label: "" })}
          data={BY.map((value) => ({ value, label: t(`by.${value}`) }))}
        />
        <NativeSelect
          size="xs"
          hiddenFrom="sm"
          aria-label={t("by.title")}
          value={ask.by}
          onChange={(event) => onAsk({ ...ask, by: event.currentTarget.value as By, label: "" })}
          data={BY.map((value) => ({ value, label: t(`by.${value}`) }))}
        />
        {data.by === "label" && data.labels.length > 0 && (
          <NativeSelect size="xs" aria-label={t("by.key")} value={data.label} data={data.labels} onChange={(event) => onAsk({ ...ask, label: event.currentTarget.value })} />
        )}
      </Group>
      <Rows by={data.by as By} rows={data.rows} more={data.more} none={data.by === "label" && data.labels.length === 0 ? t("noLabels") : t("nothingSpent")} />
    </Stack>
  );
}

/** What each cost, the dearest first. */
export function Rows({ by, rows, more, none }: { by: By; rows: Schemas["SpendRowOut"][]; more: boolean; none: string }) {
  const { t } = useTranslation("money");
  const most = Math.max(1, ...rows.map((row) => row.spent_micros));
  return (
    <Stack gap="sm">
      {rows.length === 0 ? (
        <Text size="sm">{none}</Text>
      ) : (
        <WideTable minWidth={420}>
          <Table fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t(`by.${by}`)}</Table.Th>
                <Table.Th w="26%"><VisuallyHidden>{t("share")}</VisuallyHidden></Table.Th>
                <Table.Th ta="right">{priced(t("spent"))}</Table.Th>
                <Table.Th ta="right">{priced(t("lost"))}</Table.Th>
                <Table.Th ta="right">{t("attempts")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={row.name}>
                  <Table.Th scope="row" fw={500} style={{ minWidth: 110, overflowWrap: "anywhere" }}>
                    {row.name === "" ? (
                      <Text size="sm" c="dimmed" span>{t("by.none")}</Text>
                    ) : by === "run" ? (
                      <Anchor component={Link} to={`/runs/${row.name}/cost`} size="sm">{row.name.slice(-12)}</Anchor>
                    ) : by === "member" ? (
                      <Anchor component={Link} to={`/money/member?member=${encodeURIComponent(row.name.replace(/^user:/, ""))}`} size="sm">{plain(row.name.replace(/^user:/, ""))}</Anchor>
                    ) : (
                      plain(row.name)
                    )}
                  </Table.Th>
                  <Table.Td>
                    <Progress.Root size="md" aria-hidden>
                      <Progress.Section value={(100 * Math.max(0, row.spent_micros - row.lost_micros)) / most} color="blue" />
                      <Progress.Section value={(100 * Math.max(0, row.lost_micros)) / most} color="red" />
                    </Progress.Root>
                  </Table.Td>
                  <Table.Td ta="right">{amount(row.spent_micros)}</Table.Td>
                  <Table.Td ta="right" c={row.lost_micros > 0 ? "red" : "dimmed"}>{amount(row.lost_micros)}</Table.Td>
                  <Table.Td ta="right">{row.attempts}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
      {more && <Text size="xs" c="dimmed">{t("moreRows", { count: rows.length })}</Text>}
    </Stack>
  );
}
