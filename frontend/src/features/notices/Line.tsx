// One notice as a line: the sentence, the project, how long ago; it leads to what it speaks of.

import { Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { ago, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";

type Notice = Schemas["NoticeOut"];
const COLOUR: Record<Notice["kind"], string> = {
  run_succeeded: "green",
  run_failed: "red",
  step_waiting: "yellow",
  step_suspended: "orange",
  budget: "yellow",
  agent_silent: "red",
  disk_full: "red",
  webhook_off: "yellow",
  change_asked: "blue",
  test: "gray",
};

export function Line({ notice, onOpen }: { notice: Notice; onOpen?: () => void }) {
  const { t, i18n } = useTranslation("notices");
  const now = useNow(true);
  const sentence = plain(notice.text ?? "");
  const run = notice.data.run_id;
  const to = typeof run === "string" ? `/runs/${run}${notice.project ? `?project=${notice.project}` : ""}` : notice.kind === "budget" ? "/money" : "";
  return (
    <Group gap="sm" wrap="nowrap" align="flex-start">
      <span aria-hidden style={{ flex: "none", width: 8, height: 8, marginTop: 7, borderRadius: 4, background: notice.read_at_ms === null ? `var(--mantine-color-${COLOUR[notice.kind]}-filled)` : "transparent" }} />
      <Stack gap={0} style={{ minWidth: 0 }}>
        {to === "" ? (
          <Text size="sm">{sentence}</Text>
        ) : (
          <Anchor component={Link} to={to} size="sm" c="inherit" fw={notice.read_at_ms === null ? 600 : undefined} {...(onOpen ? { onClick: onOpen } : {})}>
            {sentence}
          </Anchor>
        )}
        <Group gap="xs">
          <Text size="xs" c="dimmed">
            {notice.project !== null && `${plain(notice.project ?? "")} · `}
            {ago(notice.updated_at_ms, now, i18n.language)}
          </Text>
          {notice.count > 1 && <Badge size="xs" variant="light" color="gray" tt="none">{t("times", { count: notice.count })}</Badge>}
        </Group>
      </Stack>
    </Group>
  );
}
