// Quotas with their use; who may raise one does it here.

import { Button, Group, NativeSelect, Progress, Stack, Table, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { Loaded, More } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amount, cores, plain, priced, size } from "@/lib/format";
import { distinct } from "@/lib/named";
import { useMe } from "@/queries";
import { LIMITS, limitOf, type Limit } from "./amounts";
import { quotasKey, settableAfter, useQuotas, useSetQuota } from "@/queries/quotas";
import { useRest } from "@/queries/rest";

type Quota = Schemas["QuotaOut"];
const USED: Record<Limit, keyof Quota> = {
  cpu_millis: "used_cpu_millis",
  accelerators: "used_accelerators",
  runs: "used_runs",
  storage_bytes: "used_storage_bytes",
  month_micros: "used_month_micros",
};
const SHOWN: Record<Limit, (value: number) => string> = { cpu_millis: cores, accelerators: String, runs: String, storage_bytes: size, month_micros: amount };

/** What a limit is called, with the unit its figures are in. */
const head = (t: TFunction<"money">, limit: Limit) => (limit === "month_micros" ? priced(t("quotas.month_micros")) : t(`quotas.${limit}`));

export function Quotas({ project }: { project: string }) {
  const { t } = useTranslation("money");
  const quotas = useQuotas(project);
  const admin = useMe().data?.user?.is_admin === true;
  return (
    <Loaded query={quotas}>
      {({ quotas: rows, members }) => (
        <Stack gap="sm">
          <WideTable minWidth={520}>
            <Table fz="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t("quotas.whose")}</Table.Th>
                  {LIMITS.map((limit) => (
                    <Table.Th key={limit}>{head(t, limit)}</Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {rows.map((row) => (
                  <Table.Tr key={row.member ?? ""}>
                    <Table.Th scope="row">{row.member === null ? t("quotas.project") : plain(row.member)}</Table.Th>
                    {LIMITS.map((limit) => (
                      <Table.Td key={limit}>
                        <Use used={Number(row[USED[limit]])} limit={row[limit]} shown={SHOWN[limit]} />
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </WideTable>
          <Text size="xs" c="dimmed">{t("quotas.hint")}</Text>
          {members && <Change project={project} first={members} admin={admin} />}
        </Stack>
      )}
    </Loaded>
  );
}

function Use({ used, limit, shown }: { used: number; limit: number | null; shown: (value: number) => string }) {
  const { t } = useTranslation("money");
  if (limit === null) return <Text size="sm" c="dimmed">{t("quotas.free", { used: shown(used) })}</Text>;
  const part = limit > 0 ? Math.min(100, (100 * used) / limit) : 100;
  return (
    <>
      <Text size="sm">{t("quotas.of", { used: shown(used), limit: shown(limit) })}</Text>
      <Progress value={part} size="xs" color={part >= 100 ? "red" : part >= 80 ? "yellow" : "blue"} aria-hidden />
    </>
  );
}

function Change({ project, first, admin }: { project: string; first: Schemas["MembersPage"]; admin: boolean }) {
  const { t } = useTranslation("money");
  const all = useRest([...quotasKey(project), "members"], first, settableAfter(project), (m) => m.username);
  const members = all.rows;
  const set = useSetQuota(project);
  const [member, setMember] = useState("");
  const [limit, setLimit] = useState<Limit>("cpu_millis");
  const [text, setText] = useState("");
  const who = member === "" && !admin ? (members[0]?.username ?? "") : member;
  const value = text.trim() === "" ? null : limitOf(limit, text);
  const wrong = text.trim() !== "" && value === null;
  return (
    <Stack gap="xs" component="form" onSubmit={(event: React.FormEvent) => { event.preventDefault(); set.mutate({ ...(who === "" ? {} : { member: who }), [limit]: value }); }}>
      {set.isError && <ErrorNote error={set.error} />}
      <Group align="flex-end">
        <NativeSelect
          size="xs"
          label={t("quotas.whose")}
          value={who}
          onChange={(e) => setMember(e.currentTarget.value)}
          data={distinct([...(admin ? [{ value: "", label: t("quotas.project") }] : []), ...members.map((m) => ({ value: m.username, label: plain(m.username) }))])}
        />
        <NativeSelect
          size="xs"
          label={t("quotas.what")}
          value={limit}
          onChange={(e) => setLimit(e.currentTarget.value as Limit)}
          data={LIMITS.filter((one) => who === "" || one !== "storage_bytes").map((one) => ({ value: one, label: head(t, one) }))}
        />
        <TextInput size="xs" w={130} label={t("quotas.most")} placeholder={t("quotas.none")} value={text} error={wrong} onChange={(e) => setText(e.currentTarget.value)} />
        <More query={all} />
        <Button type="submit" size="xs" variant="default" disabled={wrong} loading={set.isPending}>{t("quotas.set")}</Button>
      </Group>
    </Stack>
  );
}
