import { Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Card } from "@/components/parts";
import { plain } from "@/lib/format";

type Use = Schemas["UseOut"];
const PLACE: Record<Use["kind"], (id: string) => string | null> = { run: (id) => `/runs/${id}`, pipeline: (id) => `/pipelines/${id}`, schedule: () => null };

export function Uses({ uses }: { uses: Use[] }) {
  const { t } = useTranslation(["data", "base"]);
  return (
    <Card title={t("uses")}>
      {uses.length === 0 ? <Text size="sm">{t("noUses")}</Text> : <UseList uses={uses} />}
    </Card>
  );
}

export function UseList({ uses }: { uses: Use[] }) {
  const { t } = useTranslation(["data", "base"]);
  return (
    <Stack gap={4}>
        {uses.map((use) => {
          const place = PLACE[use.kind](use.id);
          return (
            <Group key={`${use.kind} ${use.id}`} gap={6}>
              <Text size="xs" c="dimmed">{t(`kind.${use.kind}`)}</Text>
              {place ? <Anchor component={Link} to={place} size="sm">{plain(use.name)}</Anchor> : <Text size="sm">{plain(use.name)}</Text>}
              <Text size="xs" c="dimmed">{use.version ? t("version", { n: use.version }) : t("newest")}</Text>
              {use.blocks && <Badge size="sm" variant="light" color="orange" tt="none">{t("blocks")}</Badge>}
            </Group>
          );
        })}
    </Stack>
  );
}
