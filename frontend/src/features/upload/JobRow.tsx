// One upload as it goes: how far, what holds it up, what can be done about it, what it became.

import { Anchor, Button, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, size } from "@/lib/format";
import type { JobView } from "./job";
import { forgetUpload, jobOf } from "./jobs";

const COLOUR: Record<JobView["state"], string> = { hashing: "blue", sending: "blue", finishing: "blue", paused: "gray", done: "green", failed: "red", cancelled: "gray" };

export function JobRow({ view }: { view: JobView }) {
  const { t } = useTranslation(["data", "base"]);
  const job = jobOf(view.id);
  const live = job?.live ?? false;
  const counted = view.state === "hashing" ? view.hashedBytes : view.sentBytes;
  const part = view.state === "done" ? 100 : view.sizeBytes > 0 ? (100 * counted) / view.sizeBytes : view.filesDone > 0 ? 100 : 0;
  const state = t(`upload.state.${view.state}`);
  return (
    <Paper withBorder p="sm" component="section" aria-label={plain(view.name)} data-upload={view.state}>
      <Stack gap={6}>
        <Group justify="space-between" wrap="wrap" gap="xs">
          <Group gap="xs">
            {view.state === "done" && <IconCircleCheck size={18} color="var(--mantine-color-green-text)" aria-hidden />}
            {view.waiting && <IconAlertTriangle size={18} color="var(--mantine-color-orange-text)" aria-hidden />}
            <Text size="sm" fw={600}>{plain(view.name)}</Text>
            <Text size="sm" role="status">{state}</Text>
          </Group>
          <Group gap="xs">
            {live && view.state !== "finishing" && <Button size="compact-xs" variant="default" onClick={() => job?.pause()}>{t("upload.pause")}</Button>}
            {(view.state === "paused" || view.state === "failed") && (
              <Button size="compact-xs" onClick={() => void job?.go()}>{t(view.state === "paused" ? "upload.resume" : "upload.again")}</Button>
            )}
            {(live || view.state === "paused" || view.state === "failed") && <Button size="compact-xs" variant="default" color="red" onClick={() => void job?.cancel()}>{t("upload.cancel")}</Button>}
            {(view.state === "done" || view.state === "cancelled") && <Button size="compact-xs" variant="subtle" onClick={() => forgetUpload(view.id)}>{t("upload.forget")}</Button>}
          </Group>
        </Group>
        <Progress value={part} color={view.waiting ? "orange" : COLOUR[view.state]} striped={live} aria-label={`${plain(view.name)}: ${state}`} />
        <Group gap="md">
          <Text size="xs" c="dimmed">{t("upload.progress", { done: size(counted), total: size(view.sizeBytes) })}</Text>
          {view.state !== "hashing" && <Text size="xs" c="dimmed">{t("upload.filesDone", { done: view.filesDone, total: view.files })}</Text>}
          {view.hadBytes > 0 && <Text size="xs" c="dimmed">{t("upload.had", { size: size(view.hadBytes) })}</Text>}
        </Group>
        {view.waiting && <Text size="sm">{t("upload.waiting")}</Text>}
        {view.state === "failed" && <ErrorNote error={view.error} />}
        {view.state === "done" && (
          <Text size="sm">
            <Anchor component={Link} to={`/data/${view.dataset}`} size="sm">
              {t(view.isNew ? "upload.madeVersion" : "upload.sameVersion", { name: plain(view.name), n: view.version })}
            </Anchor>{" "}
            {t("upload.verified")}
          </Text>
        )}
      </Stack>
    </Paper>
  );
}
