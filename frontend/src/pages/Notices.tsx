// All a person was told of, their rules, and the project's webhooks.

import { Button, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, More, Page } from "@/components/parts";
import { Line } from "@/features/notices/Line";
import { Rules } from "@/features/notices/Rules";
import { Webhooks } from "@/features/notices/Webhooks";
import { useNotices, useRead } from "@/queries/notices";

export function Notices() {
  const { t } = useTranslation("notices");
  const project = useProject();
  const list = useNotices();
  const read = useRead();
  const rows = list.data?.pages.flatMap((page) => page.results) ?? [];
  const unread = rows.some((row) => row.read_at_ms === null);
  return (
    <Page title={t("title")} actions={unread && <Button size="xs" variant="default" loading={read.isPending} onClick={() => read.mutate(undefined)}>{t("readAll")}</Button>}>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Card title={t("latest")}>
          {list.isError && <ErrorNote error={list.error} again={() => void list.refetch()} />}
          {list.isSuccess && rows.length === 0 && <Text size="sm">{t("empty")}</Text>}
          <Stack gap="sm">{rows.map((notice) => <Line key={notice.id} notice={notice} />)}</Stack>
          <More query={list} />
        </Card>
        <Stack>
          <Card title={t("rules.title")}>
            <Rules />
          </Card>
          <Card title={t("hooks.title", { project })}>
            <Webhooks project={project} />
          </Card>
        </Stack>
      </SimpleGrid>
    </Page>
  );
}
