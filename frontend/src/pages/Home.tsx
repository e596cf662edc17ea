// What a scientist wants to know first: what waits and why, what is left of the money, are the pools well.

import { Alert, Anchor, Button, Group, Progress, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Figure, Loaded, Page, RunMark, Simulated } from "@/components/parts";
import { RunTable } from "@/components/RunTable";
import { DayBars } from "@/components/DayBars";
import { WideTable } from "@/components/WideTable";
import { AskNote } from "@/features/late/AskNote";
import { LateNote } from "@/features/late/LateNote";
import { rangeText } from "@/features/money/amounts";
import { about, ago, cores, duration, inCurrency, money, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { useOverview } from "@/queries";

const SILENT_MS = 60_000;

export function Home() {
  const { t, i18n } = useTranslation();
  const project = useProject();
  const overview = useOverview(project);
  const now = useNow(true);
  return (
    <Page title={t("home.title")}>
      <Loaded query={overview}>
        {(data) => (
          <Stack gap="md">
            {data.paused !== "" && <Alert color="yellow">{t("home.paused", { reason: plain(data.paused) })}</Alert>}
            <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
              <Card title={t("home.budget")} aside={<Anchor component={Link} to="/money" size="sm">{t("nav.money")}</Anchor>}>
                <Group gap="xl">
                  <Figure label={t("home.left")} value={money(data.budget.budget_micros)} />
                  <Figure label={t("home.held")} value={money(data.budget.held_micros)} />
                  <Figure label={t("home.spent")} value={money(data.budget.spent_micros)} />
                  <Figure label={t("home.week")} value={money(data.spent_week_micros)} />
                  <Figure label={t("home.ahead")} value={inCurrency(about(data.forecast.week.total.expected))} hint={rangeText(data.forecast.week.total)} />
                </Group>
                <Progress.Root size="lg" mt="sm" aria-hidden>
                  <Progress.Section value={part(data.budget.spent_micros, data.budget.granted_micros)} color="gray" />
                  <Progress.Section value={part(data.budget.held_micros, data.budget.granted_micros)} color="yellow" />
                  <Progress.Section value={part(data.budget.budget_micros, data.budget.granted_micros)} color="green" />
                </Progress.Root>
                <Text size="xs" c={data.forecast.runs_out.earliest === null ? "dimmed" : undefined} mt="xs">
                  {data.forecast.runs_out.earliest === null
                    ? t("home.lastsLong")
                    : t("home.lastsUntil", { zone: data.forecast.zone, day: data.forecast.runs_out.expected ?? data.forecast.runs_out.earliest })}
                </Text>
              </Card>
              <Card title={t("home.days")}>
                <DayBars days={data.days} />
              </Card>
              <Card title={t("home.pools")} aside={<Anchor component={Link} to="/pools" size="sm">{t("nav.pools")}</Anchor>}>
                <Stack gap="xs">
                  {data.pools.map((pool) => (
                    <div key={pool.id}>
                      <Group justify="space-between" gap="xs">
                        <Group gap={6}>
                          <Text size="sm" fw={500}>
                            {plain(pool.name)}
                          </Text>
                          {pool.simulated && <Simulated />}
                        </Group>
                        <Text size="xs" c={pool.sync_age_ms === null || pool.sync_age_ms > SILENT_MS ? "red" : "dimmed"}>
                          {pool.paused_reason !== ""
                            ? t("pools.paused", { reason: plain(pool.paused_reason) })
                            : pool.sync_age_ms === null
                              ? t("home.neverSeen")
                              : pool.sync_age_ms > SILENT_MS
                                ? t("home.silent", { time: duration(pool.sync_age_ms) })
                                : t(pool.used_cpu_millis > pool.capacity_cpu_millis ? "home.coresAhead" : "home.cores", { used: cores(pool.used_cpu_millis), capacity: cores(pool.capacity_cpu_millis), ahead: cores(pool.used_cpu_millis - pool.capacity_cpu_millis) })}
                        </Text>
                      </Group>
                      <Progress value={part(pool.used_cpu_millis, pool.capacity_cpu_millis)} size="sm" aria-label={plain(pool.name)} />
                    </div>
                  ))}
                  {data.pools.length === 0 && <Text size="sm">{t("pools.none")}</Text>}
                </Stack>
              </Card>
            </SimpleGrid>
            <Card title={t("home.stuck")} aside={<Text size="sm" c="dimmed">{t("home.steps", { waiting: data.waiting, running: data.running })}</Text>}>
              {data.attention.length === 0 ? (
                <Text size="sm">{t("home.nothingWaits")}</Text>
              ) : (
                <WideTable minWidth={420}>
                  <Table>
                    <Table.Tbody>
                      {data.attention.map(({ run, answer, code, waiting, since_ms, late }) => (
                        <Table.Tr key={run.id}>
                          <Table.Td>
                            <Anchor component={Link} to={`/runs/${run.id}`} size="sm">
                              {plain(run.name)}
                            </Anchor>
                          </Table.Td>
                          <Table.Td>
                            <RunMark state={run.state} suspended={run.suspended} />
                          </Table.Td>
                          <Table.Td>
                            {answer && <AskNote run={run.id} answer={answer} now={now} />}
                            {late && <LateNote late={late} />}
                            {(waiting > 0 || run.suspended) && (
                              <Text size="sm" c={late ? "dimmed" : undefined} span={!late}>
                                {[waiting > 0 ? t("home.waitingSteps", { count: waiting }) : "", code !== "" ? t(`reason.${code}`, { defaultValue: code }) : "", since_ms !== null ? t("home.since", { when: ago(since_ms, now, i18n.language) }) : ""].filter((part) => part !== "").join(" · ")}
                              </Text>
                            )}
                          </Table.Td>
                        </Table.Tr>
                      ))}
                    </Table.Tbody>
                  </Table>
                </WideTable>
              )}
            </Card>
            <Card title={t("home.recent")} aside={<Anchor component={Link} to="/runs" size="sm">{t("nav.runs")}</Anchor>}>
              {data.recent.length === 0 ? (
                <Empty title={t("home.empty")} action={<Button component={Link} to="/launch" size="xs">{t("home.firstRun")}</Button>} />
              ) : (
                <RunTable runs={data.recent} />
              )}
            </Card>
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

const part = (some: number, all: number) => (all > 0 ? Math.min(100, (100 * some) / all) : 0);
