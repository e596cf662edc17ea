// What one member's runs cost in the project, over time and by one thing; whose is in the address, at first the reader's own.

import { Group, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Card, Loaded } from "@/components/parts";
import { useAddress } from "@/lib/address";
import { useMe } from "@/queries";
import { BY_OF_MEMBER, useSpend } from "@/queries/money";
import { daysAgo } from "./amounts";
import { Rows } from "./Breakdown";
import { Spending } from "./Spending";

const PERIODS = [7, 30, 90, 365] as const;

export function OfMember({ project }: { project: string }) {
  const { t } = useTranslation(["money", "base"]);
  const me = useMe();
  const mine = me.data?.user?.username ?? "";
  const [chosen, choose] = useAddress({ days: "30", by: "step", member: "" });
  const [typed, setTyped] = useState(chosen.member);
  const [asked] = useDebouncedValue(typed, 300);
  const member = asked.trim() || mine;
  const days = PERIODS.find((n) => String(n) === chosen.days) ?? 30;
  const by = BY_OF_MEMBER.find((one) => one === chosen.by) ?? "step";
  const spend = useSpend(project, { by, since: daysAgo(new Date().toISOString().slice(0, 10), days), member: member === "" ? "" : member.includes(":") ? member : `user:${member}` });
  return (
    <Stack>
      <Group align="flex-end">
        <TextInput size="xs" label={t("member.whose")} placeholder={mine} value={typed} maxLength={64} onChange={(e) => { setTyped(e.target.value); choose({ member: e.target.value }); }} />
        <SegmentedControl size="xs" aria-label={t("period")} value={String(days)} onChange={(value) => choose({ days: value })} data={PERIODS.map((n) => ({ value: String(n), label: t("days", { count: n }) }))} />
        <SegmentedControl size="xs" aria-label={t("by.title")} value={by} onChange={(value) => choose({ by: value })} data={BY_OF_MEMBER.map((value) => ({ value, label: t(`by.${value}`) }))} />
      </Group>
      <Loaded query={spend}>
        {(data) => (
          <>
            <Card title={t("spend.title")}><Spending days={data.days} currency={data.currency} /></Card>
            <Card title={t("went")}><Rows by={by} rows={data.rows} more={data.more} none={t("nothingSpent")} /></Card>
          </>
        )}
      </Loaded>
    </Stack>
  );
}
