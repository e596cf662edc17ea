// A project's money: what is left and until when, what comes, where it went, statements, prices; in tabs of their own, what one member spent, and quotas. One request each.

import { Group, SegmentedControl, SimpleGrid, Stack, Tabs, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useNavigate, useParams } from "react-router";
import { useProject } from "@/app/project";
import { Card, Figure, Loaded, Page } from "@/components/parts";
import { daysAgo } from "@/features/money/amounts";
import { Breakdown } from "@/features/money/Breakdown";
import { Forecast } from "@/features/money/Forecast";
import { Months, PriceBook } from "@/features/money/Months";
import { OfMember } from "@/features/money/OfMember";
import { Quotas } from "@/features/money/Quotas";
import { Spending } from "@/features/money/Spending";
import { useAddress } from "@/lib/address";
import { money } from "@/lib/format";
import { BY, useMoney } from "@/queries/money";

const PERIODS = [7, 30, 90, 365] as const;

const TABS = ["spending", "member", "quotas"] as const;

export function Money() {
  const { tab = "spending" } = useParams();
  const { t } = useTranslation(["money", "base"]);
  const project = useProject();
  const navigate = useNavigate();
  return (
    <Page title={t("title", { project })}>
      <Tabs value={(TABS as readonly string[]).includes(tab) ? tab : "spending"} onChange={(value) => void navigate(`/money/${value}`, { replace: true })} keepMounted={false}>
        <Tabs.List mb="md">{TABS.map((name) => <Tabs.Tab key={name} value={name}>{t(`${name}.tab`)}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="spending"><Accounts project={project} /></Tabs.Panel>
        <Tabs.Panel value="member"><OfMember project={project} /></Tabs.Panel>
        <Tabs.Panel value="quotas"><Card title={t("quotas.title")}><Quotas project={project} /></Card></Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Accounts({ project }: { project: string }) {
  const { t } = useTranslation(["money", "base"]);
  const [chosen, choose] = useAddress({ days: "30", by: "step", label: "" });
  const days = PERIODS.find((n) => String(n) === chosen.days) ?? 30;
  const ask = { by: BY.find((by) => by === chosen.by) ?? BY[0], label: chosen.label };
  const since = daysAgo(new Date().toISOString().slice(0, 10), days);
  const found = useMoney(project, { ...ask, since });
  return (
    <Loaded query={found}>
      {(data) => (
        <Stack gap="md">
          <Card title={t("balance")} aside={<Text size="xs" c="dimmed">{t("rules", { currency: data.currency, zone: data.zone })}</Text>}>
            <Group gap="xl">
              <Figure label={t("base:home.left")} value={money(data.budget.budget_micros)} />
              <Figure label={t("base:home.held")} value={money(data.budget.held_micros)} />
              <Figure label={t("base:home.spent")} value={money(data.budget.spent_micros)} />
              <Figure label={t("base:project.granted")} value={money(data.budget.granted_micros)} />
            </Group>
          </Card>
          <Card title={t("comes")}>
            <Forecast forecast={data.forecast} />
          </Card>
          <Card
            title={t("spend.title")}
            aside={
              <SegmentedControl
                size="xs"
                aria-label={t("period")}
                value={String(days)}
                onChange={(value) => choose({ days: value })}
                data={PERIODS.map((n) => ({ value: String(n), label: t("days", { count: n }) }))}
              />
            }
          >
            <Spending days={data.days} currency={data.currency} />
          </Card>
          <Card title={t("went")}>
            <Breakdown data={data} ask={{ ...ask, since }} onAsk={({ by, label }) => choose({ by, label })} />
          </Card>
          <SimpleGrid cols={{ base: 1, lg: 2 }}>
            <Card title={t("months.title")}>
              <Months project={project} months={data.months} zone={data.zone} />
            </Card>
            <Card title={t("prices.title")}>
              <PriceBook prices={data.prices} currency={data.currency} />
            </Card>
          </SimpleGrid>
        </Stack>
      )}
    </Loaded>
  );
}
