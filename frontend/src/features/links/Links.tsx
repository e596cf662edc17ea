// A project's share links: where each leads, who made it, until when; revoked by its maker or a maintainer.

import { Anchor, Button, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { More, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { useLinkRevoke } from "@/queries/links";
import { useRest } from "@/queries/rest";
import { linksAfter, settingsKey } from "@/queries/settings";

export function Links({ project, first, mine, may }: { project: string; first: Schemas["LinksPage"]; mine: string; may: boolean }) {
  const { t } = useTranslation(["links", "base"]);
  const links = useRest([...settingsKey(project), "links"], first, linksAfter(project), (row) => row.id);
  const revoke = useLinkRevoke(project);
  const now = useNow(false);
  const rows = links.rows;
  return (
    <Stack gap="xs">
      {revoke.isError && <ErrorNote error={revoke.error} />}
      {rows.length === 0 && <Text size="sm" c="dimmed">{t("none")}</Text>}
      {rows.length > 0 && (
        <WideTable minWidth={520}>
          <Table fz="sm">
            <Table.Thead><Table.Tr><Table.Th>{t("view")}</Table.Th><Table.Th>{t("by")}</Table.Th><Table.Th>{t("until")}</Table.Th><Table.Th aria-label={t("revoke")} /></Table.Tr></Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={row.id}>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>
                    <Anchor component={Link} size="sm" to={`/s/${row.code}`}>{plain(row.note || row.address)}</Anchor>
                    {row.note && <Text size="xs" c="dimmed">{plain(row.address)}</Text>}
                  </Table.Td>
                  <Table.Td>{plain(row.created_by.replace(/^user:/, ""))}</Table.Td>
                  <Table.Td>{row.expires_at_ms <= now ? t("over") : <When ms={row.expires_at_ms} />}</Table.Td>
                  <Table.Td ta="right">
                    {(may || row.created_by === mine) && (
                      <Button size="compact-xs" color="red" variant="light" aria-label={t("revokeNamed", { name: plain(row.note || row.address) })} loading={revoke.isPending && revoke.variables === row.id} onClick={() => revoke.mutate(row.id)}>{t("revoke")}</Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
      <More query={links} />
    </Stack>
  );
}
