import { Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Card } from "@/components/parts";
import { plain, size } from "@/lib/format";

/** Which sites' caches hold how much; with `files`, of one version that has so many. */
export function Copies({ copies, files }: { copies: Schemas["CopyOut"][]; files?: number }) {
  const { t } = useTranslation(["data", "base"]);
  return (
    <Card title={t("caches")}>
      <Stack gap={4}>
        {copies.length === 0 && <Text size="sm">{t("noCopies")}</Text>}
        {copies.map((copy) => (
          <Group key={copy.site} justify="space-between">
            <Text size="sm">{plain(copy.site)}</Text>
            <Text size="sm" c="dimmed">
              {files === undefined ? t("copy", { files: copy.files, size: size(copy.size_bytes) }) : copy.files === files ? t("whole") : t("part", { files: copy.files, all: files })}
            </Text>
          </Group>
        ))}
        {copies.length > 0 && <Text size="xs" c="dimmed">{t("cachesHint")}</Text>}
      </Stack>
    </Card>
  );
}
