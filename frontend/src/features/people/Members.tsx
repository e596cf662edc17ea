// Who is in the project and as what. Who may change it sees controls, everybody else the list.

import { Badge, Button, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { More } from "@/components/parts";
import { plain } from "@/lib/format";
import { ROLES, useMemberAdd, useMemberChange, useMemberRemove, type Role } from "@/queries/people";
import { useRest } from "@/queries/rest";
import { membersAfter, settingsKey } from "@/queries/settings";

export function Members({ project, first, mine, may }: { project: string; first: Schemas["MembersPage"]; mine: string; may: boolean }) {
  const { t } = useTranslation(["people", "base"]);
  const members = useRest([...settingsKey(project), "members"], first, membersAfter(project), (m) => m.username);
  const add = useMemberAdd(project);
  const change = useMemberChange(project);
  const remove = useMemberRemove(project);
  const [username, setUsername] = useState("");
  const [role, setRole] = useState<Role>("member");
  const [leaving, setLeaving] = useState("");
  const roles = ROLES.map((value) => ({ value, label: t(`roles.${value}`) }));
  const failed = [change, remove].find((deed) => deed.isError);
  return (
    <Stack gap="sm">
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {members.rows.map((m) => (
            <Table.Tr key={m.username}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(m.username)}</Table.Td>
              <Table.Td visibleFrom="xs">{plain(`${m.first_name} ${m.last_name}`)}</Table.Td>
              <Table.Td w={150}>
                {may ? (
                  <Select size="xs" aria-label={t("roleOf", { name: plain(m.username) })} data={roles} value={m.role} allowDeselect={false} disabled={change.isPending} onChange={(v) => v && v !== m.role && change.mutate({ username: m.username, role: v as Role })} />
                ) : (
                  <Badge variant="light" tt="none">{t(`roles.${m.role}`, { defaultValue: m.role })}</Badge>
                )}
              </Table.Td>
              <Table.Td ta="right" w={90}>
                {(may || m.username === mine) && (
                  <Button size="compact-xs" variant="subtle" color="red" aria-label={m.username === mine ? t("leave") : t("removeNamed", { name: plain(m.username) })} onClick={() => setLeaving(m.username)}>{t(m.username === mine ? "leave" : "remove")}</Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <More query={members} />
      {failed && <ErrorNote error={failed.error} />}
      {may && (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            add.mutate({ username, role }, { onSuccess: () => setUsername("") });
          }}
        >
          <Group align="flex-end" gap="sm">
            <TextInput size="xs" label={t("base:login.username")} required value={username} maxLength={64} onChange={(e) => setUsername(e.target.value)} />
            <Select size="xs" w={140} label={t("role")} data={roles} value={role} allowDeselect={false} onChange={(v) => setRole((v ?? "member") as Role)} />
            <Button size="xs" type="submit" loading={add.isPending} disabled={username === ""}>{t("memberAdd")}</Button>
          </Group>
          {add.isError && <ErrorNote error={add.error} />}
        </form>
      )}
      <Dialog opened={leaving !== ""} onClose={() => setLeaving("")} title={leaving === mine ? t("leave") : t("removeNamed", { name: plain(leaving) })}>
        <Stack>
          <Text size="sm">{t("removeHint", { name: plain(leaving) })}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setLeaving("")}>{t("base:app.close")}</Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate(leaving, { onSettled: () => setLeaving("") })}>{t(leaving === mine ? "leave" : "remove")}</Button>
          </Group>
        </Stack>
      </Dialog>
    </Stack>
  );
}
