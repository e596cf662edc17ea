// What a person wants to hear of, where, and when not.

import { Button, Checkbox, Group, NumberInput, Stack, Table, Text, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { WideTable } from "@/components/WideTable";
import { useSetRules, useTestNotice } from "@/queries/notices";

const clock = (minute: number | null) => (minute === null ? "" : `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`);
const minuteOf = (text: string) => (/^\d\d:\d\d$/.test(text) ? Number(text.slice(0, 2)) * 60 + Number(text.slice(3)) : null);

export function Rules({ rules: data }: { rules: Schemas["RulesOut"] }) {
  const { t } = useTranslation("notices");
  const set = useSetRules();
  const test = useTestNotice();
  return (
    <Stack gap="sm">
      {set.isError && <ErrorNote error={set.error} />}
      <WideTable minWidth={300}>
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("rules.kind")}</Table.Th>
              <Table.Th>{t("rules.page")}</Table.Th>
              <Table.Th>{t("rules.email")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.kinds.map((row) => (
              <Table.Tr key={row.kind}>
                <Table.Th scope="row" fw={400}>{t(`name.${row.kind}`)}</Table.Th>
                {(["page", "email"] as const).map((channel) => (
                  <Table.Td key={channel}>
                    <Checkbox
                      checked={row[channel]}
                      aria-label={`${t(`name.${row.kind}`)}: ${t(`rules.${channel}`)}`}
                      disabled={set.isPending || (channel === "email" && data.email === "")}
                      onChange={(event) => set.mutate({ channels: { [row.kind]: { [channel]: event.currentTarget.checked } } })}
                    />
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <Text size="xs" c="dimmed">{data.email === "" ? t("rules.noEmail") : t("rules.emailTo", { email: data.email })}</Text>
      <Group align="flex-end">
        <NumberInput
          size="xs"
          w={150}
          min={0}
          max={1440}
          label={t("rules.group")}
          defaultValue={data.group_minutes}
          onBlur={(event) => {
            const minutes = Number(event.currentTarget.value);
            if (Number.isInteger(minutes) && minutes !== data.group_minutes) set.mutate({ group_minutes: minutes });
          }}
        />
        <TextInput size="xs" type="time" label={t("rules.quietFrom")} value={clock(data.quiet_from_minute)} onChange={(event) => set.mutate({ quiet_from_minute: minuteOf(event.currentTarget.value), quiet_until_minute: minuteOf(event.currentTarget.value) === null ? null : (data.quiet_until_minute ?? 420) })} />
        <TextInput size="xs" type="time" label={t("rules.quietUntil")} value={clock(data.quiet_until_minute)} onChange={(event) => set.mutate({ quiet_until_minute: minuteOf(event.currentTarget.value), quiet_from_minute: minuteOf(event.currentTarget.value) === null ? null : (data.quiet_from_minute ?? 1320) })} />
        <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>{t("test")}</Button>
      </Group>
    </Stack>
  );
}
