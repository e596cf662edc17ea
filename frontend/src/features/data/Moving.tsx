import { Anchor, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Card } from "@/components/parts";
import { plain, size } from "@/lib/format";

/** Bytes on their way, to or from which site, and for which run. */
export function Moving({ moving, total }: { moving: Schemas["MovingOut"][]; total: number }) {
  const { t } = useTranslation(["data", "base"]);
  return (
    <Card title={t("moving")}>
      <Stack gap={4}>
        {moving.length === 0 && <Text size="sm">{t("nothingMoves")}</Text>}
        {moving.map((m) => (
          <Group key={m.id} gap={6}>
            <Text size="sm">{size(m.size_bytes)}</Text>
            <Text size="sm">{t(m.direction === "in" ? "to" : "fromSite", { site: plain(m.site) })}</Text>
            <Anchor component={Link} to={`/runs/${m.run_id}`} size="sm">{t("forRun", { run: plain(m.run_name) })}</Anchor>
            <Text size="xs" c="dimmed">{t(m.state === "planned" ? "planned" : "onItsWay")}</Text>
          </Group>
        ))}
        {total > moving.length && <Text size="xs" c="dimmed">{t("movingMore", { count: total })}</Text>}
      </Stack>
    </Card>
  );
}
