// Where the run's steps went and why there, what else was considered, and which pools could not run them.

import { Alert, Anchor, Badge, Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Empty, Figure, Loaded } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amount, duration, plain, priced, size } from "@/lib/format";
import { useRunPlacement } from "@/queries/places";

export function Placement({ run }: { run: string }) {
  const { t } = useTranslation(["placement", "why", "base"]);
  const placement = useRunPlacement(run);
  return (
    <Loaded query={placement}>
      {(data) =>
        data.rows.length === 0 ? (
          <Empty title={t("none")} hint={t("noneHint")} />
        ) : (
          <Stack gap="md">
            {data.truncated && <Alert color="yellow" p="xs">{t("truncated", { count: data.attempts })}</Alert>}
            {data.rows.map((row) => (
              <Paper key={`${row.template} ${row.site} ${row.pool} ${row.why}`} withBorder p="sm" component="section" aria-label={`${plain(row.template)} ${plain(row.pool)}`}>
                <Stack gap="xs">
                  <Group justify="space-between" gap="xs">
                    <Title order={3} size="h6">
                      {plain(row.template)} → {plain(row.pool)} · {plain(row.site)}
                    </Title>
                    <Group gap="xs">
                      <Badge variant="outline" color="gray" tt="none">{t("steps", { count: row.attempts })}</Badge>
                      <Anchor component={Link} size="sm" to={`/runs/${run}/steps?step=${encodeURIComponent(row.example)}`}>{t("why:look")}</Anchor>
                    </Group>
                  </Group>
                  <Text size="sm" fw={600}>{t(`because.${row.why}`, { defaultValue: plain(row.sentence) })}</Text>
                  <Group gap="lg">
                    {row.expected_run_ms !== null && <Figure label={t("expectedRun")} value={duration(row.expected_run_ms)} />}
                    {row.real_run_ms !== null && <Figure label={t("realRun")} value={duration(row.real_run_ms)} />}
                    {row.bytes_to_move > 0 && <Figure label={t("moved")} value={size(row.bytes_to_move)} />}
                  </Group>
                  <WideTable minWidth={420}>
                    <Table fz="xs">
                      <Table.Thead>
                        <Table.Tr>
                          <Table.Th>{t("pool")}</Table.Th>
                          <Table.Th>{t("start")}</Table.Th>
                          <Table.Th>{t("finish")}</Table.Th>
                          <Table.Th>{t("bytes")}</Table.Th>
                          <Table.Th>{priced(t("price"))}</Table.Th>
                          <Table.Th>{t("verdict")}</Table.Th>
                        </Table.Tr>
                      </Table.Thead>
                      <Table.Tbody>
                        {row.considered.map((place, i) => (
                          <Table.Tr key={i}>
                            <Table.Th scope="row">{plain(place.pool)} · {plain(place.site)}</Table.Th>
                            <Table.Td>{t("after", { time: duration(place.start_in_ms) })}</Table.Td>
                            <Table.Td>{t("after", { time: duration(place.finish_in_ms) })}</Table.Td>
                            <Table.Td>{place.bytes_to_move > 0 ? t("inTime", { bytes: size(place.bytes_to_move), time: duration(place.transfer_ms) }) : "–"}</Table.Td>
                            <Table.Td>{place.price_micros > 0 ? amount(place.price_micros) : t("free")}</Table.Td>
                            <Table.Td>{place.not_chosen === "" ? <b>{t("chosen")}</b> : t(`not.${place.not_chosen}`, { defaultValue: t(`base:reason.${place.not_chosen}`, { defaultValue: place.not_chosen }) })}</Table.Td>
                          </Table.Tr>
                        ))}
                        {row.refused.map((pool) => (
                          <Table.Tr key={`${pool.site} ${pool.pool}`}>
                            <Table.Th scope="row">{plain(pool.pool)} · {plain(pool.site)}</Table.Th>
                            <Table.Td colSpan={5}>{t("refused", { reason: plain(pool.sentence) })}</Table.Td>
                          </Table.Tr>
                        ))}
                      </Table.Tbody>
                    </Table>
                  </WideTable>
                </Stack>
              </Paper>
            ))}
          </Stack>
        )
      }
    </Loaded>
  );
}
