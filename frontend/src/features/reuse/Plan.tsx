// What is taken over and from where, what runs and why, and what that saves: before a launch, and of a run that is there.

import { Anchor, Badge, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Figure } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { duration, money, moneyRange, plain } from "@/lib/format";

type Plan = Schemas["ReusePlanOut"];
const COLOUR: Record<Schemas["ReuseRowOut"]["verdict"], string> = { reused: "teal", runs: "gray", later: "yellow" };

/** `saved`: what running the taken-over steps again would cost now, where that was priced. */
export function ReusePlan({ plan, saved }: { plan: Plan; saved?: Schemas["SavedRangeOut"] | null }) {
  const { t } = useTranslation(["reuse", "base"]);
  return (
    <Stack gap="xs">
      <Group gap="xl">
        <Figure label={t("taken")} value={plan.reused} hint={plan.later > 0 ? t("laterCount", { count: plan.later }) : undefined} />
        <Figure label={t("runAgain")} value={plan.open_ended ? `≥ ${plan.runs}` : plan.runs} />
        {saved ? (
          <>
            <Figure label={t("savedMoney")} value={moneyRange(saved.money_low_micros, saved.money_high_micros)} hint={t("hadCost", { money: money(plan.saved_micros) })} />
            <Figure label={t("savedTime")} value={`${duration(saved.time_low_s * 1000)} – ${duration(saved.time_high_s * 1000)}`} hint={t("hadTaken", { time: duration(plan.saved_ms) })} />
          </>
        ) : (
          <>
            <Figure label={t("savedMoney")} value={money(plan.saved_micros)} />
            <Figure label={t("savedTime")} value={duration(plan.saved_ms)} />
          </>
        )}
      </Group>
      {plan.rows.length > 0 && (
        <WideTable minWidth={420}>
          <Table fz="xs" withTableBorder>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("step")}</Table.Th>
                <Table.Th>{t("what")}</Table.Th>
                <Table.Th>{t("why")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {plan.rows.map((row) => (
                <Table.Tr key={`${row.template} ${row.verdict}`}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(row.template)} × {row.count}</Table.Td>
                  <Table.Td>
                    <Badge size="sm" variant="light" tt="none" miw="max-content" color={COLOUR[row.verdict]} c={`var(--mantine-color-${COLOUR[row.verdict]}-light-color)`}>{t(`verdict.${row.verdict}`)}</Badge>
                  </Table.Td>
                  <Table.Td>
                    {row.examples.map((example) => (
                      <Text key={example.name} size="xs" style={{ overflowWrap: "anywhere" }}>
                        {plain(example.name)}: {row.verdict === "later" ? t("later") : row.verdict === "reused" ? t("sameIn") : plain(example.why)}
                        {example.run !== "" && (
                          <> <Anchor component={Link} fz="xs" to={`/runs/${example.run}`}>{t("job", { number: example.job_number })}</Anchor></>
                        )}
                      </Text>
                    ))}
                    {row.count > row.examples.length && row.examples.length > 0 && <Text size="xs" c="dimmed">{t("andMore", { count: row.count - row.examples.length })}</Text>}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
    </Stack>
  );
}
