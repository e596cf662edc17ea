// Small parts every page uses.

import { Alert, Badge, Button, Group, Loader, Paper, Progress, Stack, Text, Title, Tooltip } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { duration, plain, timeInZone, timeOf } from "@/lib/format";
import { PHASES, RUN_STATES, TASK_STATES, type Phase, type RunState, type TaskState } from "@/lib/states";
import { useNow } from "@/lib/useNow";
import { ErrorNote } from "./ErrorNote";

/** `tab`: which of the page's tabs is shown, so that the browser's title tells them apart. */
export function Page({ title, tab, actions, children }: { title: string; tab?: string; actions?: ReactNode; children: ReactNode }) {
  const { t } = useTranslation();
  useDocumentTitle(t("app.documentTitle", { page: plain(tab ? `${tab} · ${title}` : title) }));
  return (
    <Stack gap="md" maw={1600} mx="auto">
      <Group justify="space-between" align="center">
        <Title order={2} size="h3" style={{ overflowWrap: "anywhere" }}>
          {plain(title)}
        </Title>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

export function Card({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title} style={{ minWidth: 0, overflowX: "auto" }}>
      <Group justify="space-between" mb="xs">
        <Title order={3} size="h5">
          {title}
        </Title>
        {aside}
      </Group>
      {children}
    </Paper>
  );
}

const Mark = ({ color, word }: { color: string; word: string }) => {
  const { t } = useTranslation();
  return (
    <Badge color={color} variant="light" autoContrast radius="sm" tt="none" miw={72} styles={{ label: { overflow: "visible" } }} style={{ overflow: "visible" }} c={`var(--mantine-color-${color}-light-color)`}>
      {t(`state.${word}`)}
    </Badge>
  );
};

export const RunMark = ({ state, suspended }: { state: RunState; suspended?: boolean }) =>
  suspended && (state === "running" || state === "pending") ? <Mark color="orange" word="suspended" /> : <Mark {...RUN_STATES[state]} />;
export const PhaseMark = ({ phase }: { phase: Phase }) => <Mark {...PHASES[phase]} />;
export const TaskMark = ({ state }: { state: TaskState }) => <Mark {...TASK_STATES[state]} />;

/** A query's three states; `children` only ever sees data. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const { t } = useTranslation();
  if (query.data !== undefined)
    return (
      <>
        {query.isError && <ErrorNote error={query.error} again={() => void query.refetch()} />}
        {children(query.data)}
      </>
    );
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />;
  return <Loader aria-label={t("app.loading")} size="sm" />;
}

export function Empty({ title, hint, action }: { title: string; hint?: string; action?: ReactNode }) {
  return (
    <Alert variant="light" color="gray" title={title}>
      <Stack gap="xs" align="flex-start">
        {hint && <Text size="sm">{hint}</Text>}
        {action}
      </Stack>
    </Alert>
  );
}

export function Figure({ label, value, hint }: { label: string; value: ReactNode; hint?: string }) {
  return (
    <Stack gap={0}>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={600} style={{ fontVariantNumeric: "tabular-nums" }}>
        {value}
      </Text>
      {hint && (
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      )}
    </Stack>
  );
}

export function Steps({ done, failed, total, label }: { done: number; failed: number; total: number; label: string }) {
  const part = (n: number) => (total > 0 ? (100 * n) / total : 0);
  return (
    <Tooltip label={label}>
      <Progress.Root size="sm" w={120} aria-label={label}>
        <Progress.Section value={part(done - failed)} color="green" aria-label={label} />
        <Progress.Section value={part(failed)} color="red" aria-label={label} />
      </Progress.Root>
    </Tooltip>
  );
}

/** A duration that goes on while its end is unknown. */
export function Took({ from, to }: { from: number | null; to: number | null }) {
  const now = useNow(from !== null && to === null);
  return <>{from === null ? "–" : duration((to ?? now) - from)}</>;
}

export function When({ ms }: { ms: number | null | undefined }) {
  const { i18n } = useTranslation();
  return <time dateTime={ms ? new Date(ms).toISOString() : undefined} title={timeInZone(ms, i18n.language)}>{timeOf(ms, i18n.language)}</time>;
}

export function Simulated() {
  const { t } = useTranslation();
  return (
    <Badge size="xs" color="grape" variant="outline" tt="none">
      {t("app.simulated")}
    </Badge>
  );
}

export function More({ query }: { query: { failed?: Error | null; hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  const { t } = useTranslation();
  return (
    <>
      {query.failed && <ErrorNote error={query.failed} />}
      {query.hasNextPage && (
        <Button variant="default" size="xs" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {t("app.more")}
        </Button>
      )}
    </>
  );
}
