// Why a step failed: the cause, what shows it, and what to run it again with.

import { Badge, Code, Group, Stack, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Figure } from "@/components/parts";
import { duration, plain, size } from "@/lib/format";
import { useTaskStart } from "@/queries/explain";
import { Framed } from "./Framed";
import { Options } from "./Options";

export function TaskFailure({ run, task }: { run: string; task: string }) {
  const { t } = useTranslation(["why", "base"]);
  const start = useTaskStart(task, false);
  const failure = start.data?.failure;
  if (!start.data || !failure) return null;
  return (
    <Framed color="red" title={t("failed")}>
      <Stack gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600}>{t(`cause.${failure.cause}`, { defaultValue: failure.cause })}</Text>
          <Badge size="sm" variant="outline" color="gray" tt="none">{t(`whose.${failure.whose}`)}</Badge>
        </Group>
        <Text size="xs" c="dimmed">{plain(failure.sentence)}</Text>
        <Group gap="lg">
          {failure.exit_code !== null && <Figure label={t("exitCode")} value={failure.exit_code} />}
          {failure.memory_bytes > 0 && <Figure label={t("peak")} value={failure.peak_memory_bytes === null ? "–" : `${size(failure.peak_memory_bytes)} / ${size(failure.memory_bytes)}`} />}
          {failure.ran_ms !== null && <Figure label={t("ran")} value={`${duration(failure.ran_ms)} / ${duration(failure.walltime_s * 1000)}`} />}
          {failure.attempts > 1 && <Figure label={t("attempts")} value={failure.attempts} />}
        </Group>
        {failure.log.length > 0 && (
          <div>
            <Text size="xs" c="dimmed">{t("lastLines")}</Text>
            <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{failure.log.map(plain).join("\n")}</Code>
          </div>
        )}
        {start.data.options.length > 0 && (
          <div>
            <Title order={5} size="sm" mb={4}>{t("mend")}</Title>
            <Options run={run} start={start.data} />
          </div>
        )}
      </Stack>
    </Framed>
  );
}
