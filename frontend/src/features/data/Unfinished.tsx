import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { Card } from "@/components/parts";
import { ago, plain, size } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { useUploadDiscard } from "@/queries/data";

/** Large files of which only a part came, from whichever browser: to go on with, or to let go of. */
export function Unfinished({ project, uploads }: { project: string; uploads: Schemas["UploadOut"][] }) {
  const { t, i18n } = useTranslation(["data", "base"]);
  const now = useNow(true);
  const discard = useUploadDiscard(project);
  return (
    <Card title={t("unfinished")}>
      <Stack gap="xs">
        <Text size="sm">{t("unfinishedHint")}</Text>
        {discard.isError && <ErrorNote error={discard.error} />}
        {uploads.map((u) => (
          <Stack key={u.id} gap={2}>
            <Group justify="space-between" wrap="nowrap">
              <Text size="sm" style={{ overflowWrap: "anywhere" }}>{plain(u.name) || u.sha256.slice(0, 12)}</Text>
              <Button size="compact-xs" variant="default" loading={discard.isPending && discard.variables === u.id} onClick={() => discard.mutate(u.id)} aria-label={`${t("discard")}: ${plain(u.name)}`}>
                {t("discard")}
              </Button>
            </Group>
            <Progress size="sm" value={(100 * u.offset_bytes) / Math.max(1, u.size_bytes)} aria-label={plain(u.name) || u.id} />
            <Text size="xs" c="dimmed">
              {t("upload.progress", { done: size(u.offset_bytes), total: size(u.size_bytes) })} · {plain(u.created_by)} · {t("expires", { when: ago(u.expires_at_ms ?? now, now, i18n.language) })}
            </Text>
          </Stack>
        ))}
      </Stack>
    </Card>
  );
}
