// What a person was told, what they want to hear of, and where a project's events go. One request.

import { Button, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { Card, Loaded, More, Page } from "@/components/parts";
import { Line } from "@/features/notices/Line";
import { Rules } from "@/features/notices/Rules";
import { Webhooks } from "@/features/notices/Webhooks";
import { noticesAfter, noticesKey, useNotices, useRead } from "@/queries/notices";
import { useRest } from "@/queries/rest";

export function Notices() {
  const { t } = useTranslation("notices");
  const project = useProject();
  const page = useNotices(project);
  const read = useRead();
  const unread = page.data?.notices.results.some((row) => row.read_at_ms === null) ?? false;
  return (
    <Page title={t("title")} actions={unread && <Button size="xs" variant="default" loading={read.isPending} onClick={() => read.mutate(undefined)}>{t("readAll")}</Button>}>
      <Loaded query={page}>
        {({ notices, rules, webhooks }) => (
          <SimpleGrid cols={{ base: 1, lg: 2 }}>
            <Card title={t("latest")}>
              <Latest project={project} first={notices} />
            </Card>
            <Stack>
              <Card title={t("rules.title")}>
                <Rules rules={rules} />
              </Card>
              <Card title={t("hooks.title", { project })}>
                {webhooks ? <Webhooks project={project} first={webhooks} /> : <Text size="sm">{t("hooks.forbidden")}</Text>}
              </Card>
            </Stack>
          </SimpleGrid>
        )}
      </Loaded>
    </Page>
  );
}

function Latest({ project, first }: { project: string; first: Schemas["NoticesPage"] }) {
  const { t } = useTranslation("notices");
  const list = useRest([...noticesKey(project), "list"], first, noticesAfter, (row) => row.id);
  if (list.rows.length === 0) return <Text size="sm">{t("empty")}</Text>;
  return (
    <Stack gap="sm">
      {list.rows.map((notice) => <Line key={notice.id} notice={notice} />)}
      <More query={list} />
    </Stack>
  );
}
