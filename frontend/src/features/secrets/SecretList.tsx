// What secrets there are: their keys, who set them, when they were used, what names them. No value is ever here.

import { Anchor, Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { More, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { useRest } from "@/queries/rest";
import { secretsAfter, useSecretDelete, vaultKey } from "@/queries/secrets";

export function SecretList({ project, vault }: { project: string; vault: Schemas["VaultOut"] }) {
  const { t } = useTranslation(["secrets", "base"]);
  const list = useRest(vaultKey(project), vault.secrets, secretsAfter(project), (secret) => secret.name);
  const remove = useSecretDelete(project);
  const [leaving, setLeaving] = useState<{ name: string; key?: string } | null>(null);
  const namers = (name: string) => vault.named_by.filter((one) => one.secrets.includes(name));
  const what = leaving ? plain(leaving.key ? `${leaving.name}/${leaving.key}` : leaving.name) : "";
  return (
    <Stack gap="sm">
      <WideTable minWidth={700}>
        <Table fz="sm" verticalSpacing="xs">
          <Table.Thead><Table.Tr>{(["name", "keys", "made", "used", "namedBy"] as const).map((key) => <Table.Th key={key}>{t(`column.${key}`)}</Table.Th>)}<Table.Th aria-label={t("delete")} /></Table.Tr></Table.Thead>
          <Table.Tbody>
            {list.rows.map((secret) => (
              <Table.Tr key={secret.name}>
                <Table.Td fw={500} style={{ overflowWrap: "anywhere" }}>{plain(secret.name)}</Table.Td>
                <Table.Td>
                  <Stack gap={2}>
                    {(secret.keys ?? []).map((key) => (
                      <Group key={key.key} gap={6}>
                        <Text span size="sm" ff="monospace">{plain(key.key)}</Text>
                        <Text span size="xs" c="dimmed">{t("setBy", { name: plain(key.updated_by.replace(/^user:/, "")), version: key.version })}</Text>
                        {vault.may_write && (secret.keys ?? []).length > 1 && <Button size="compact-xs" variant="subtle" color="red" aria-label={t("deleteNamed", { name: plain(`${secret.name}/${key.key}`) })} onClick={() => setLeaving({ name: secret.name, key: key.key })}>{t("delete")}</Button>}
                      </Group>
                    ))}
                  </Stack>
                </Table.Td>
                <Table.Td>{plain(secret.created_by.replace(/^user:/, ""))}<Text size="xs" c="dimmed"><When ms={Date.parse(secret.created_at)} /></Text></Table.Td>
                <Table.Td>{secret.last_used_at ? <When ms={Date.parse(secret.last_used_at)} /> : t("never")}</Table.Td>
                <Table.Td>
                  <Group gap={6}>
                    {namers(secret.name).map((one) => <Anchor key={one.id} component={Link} size="sm" to={one.kind === "pipeline" ? `/pipelines/${one.id}` : `/project/schedules/${one.id}`}>{plain(one.name)}</Anchor>)}
                    {namers(secret.name).length === 0 && <Badge size="sm" variant="light" color="gray" tt="none" c="var(--mantine-color-gray-light-color)">{t("nobody")}</Badge>}
                  </Group>
                </Table.Td>
                <Table.Td ta="right">{vault.may_write && <Button size="compact-xs" variant="light" color="red" aria-label={t("deleteNamed", { name: plain(secret.name) })} onClick={() => setLeaving({ name: secret.name })}>{t("delete")}</Button>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <More query={list} />
      <Dialog opened={leaving !== null} onClose={() => setLeaving(null)} title={t("deleteNamed", { name: what })}>
        <Stack>
          <Text size="sm">{t("deleteHint")}</Text>
          {leaving && namers(leaving.name).length > 0 && <Text size="sm" c="red">{t("deleteNamers", { names: namers(leaving.name).map((one) => plain(one.name)).join(", ") })}</Text>}
          {remove.isError && <ErrorNote error={remove.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setLeaving(null)}>{t("base:app.close")}</Button>
            <Button color="red" loading={remove.isPending} onClick={() => leaving && remove.mutate(leaving, { onSuccess: () => setLeaving(null) })}>{t("delete")}</Button>
          </Group>
        </Stack>
      </Dialog>
    </Stack>
  );
}
