// The browsers I am signed in with: recognised by what they are and where they are, ended one by one or all others at once.

import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { ago, plain } from "@/lib/format";
import { useNow } from "@/lib/useNow";
import { useSessionEnd, useSessionsEndOthers } from "@/queries/passkeys";

export function Sessions({ sessions }: { sessions: Schemas["SessionOut"][] }) {
  const { t, i18n } = useTranslation(["passkeys", "base"]);
  const end = useSessionEnd();
  const others = useSessionsEndOthers();
  const now = useNow(false);
  const when = (text: string) => ago(Math.min(Date.parse(text), now), now, i18n.language);
  const device = ({ browser, system }: Schemas["SessionOut"]) =>
    browser && system ? t("sessions.device", { browser, system }) : browser || system || t("sessions.unknown");
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">{t("sessions.hint")}</Text>
      <Stack gap="xs" component="ul" style={{ listStyle: "none", padding: 0, margin: 0 }}>
        {sessions.map((session) => (
          <Group component="li" key={session.id} justify="space-between" wrap="nowrap" gap="sm" data-session>
            <Stack gap={0} style={{ minWidth: 0 }}>
              <Group gap="xs">
                <Text size="sm" fw={500}>{plain(device(session))}</Text>
                {session.this && <Badge size="sm" variant="light" color="green" tt="none" autoContrast>{t("sessions.this")}</Badge>}
              </Group>
              <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
                {t("sessions.times", { made: when(session.created_at), seen: when(session.last_seen_at) })}
                {session.address && ` · ${t("sessions.from", { address: plain(session.address) })}`}
              </Text>
            </Stack>
            {!session.this && (
              <Button size="compact-xs" color="red" variant="light" style={{ flexShrink: 0 }} aria-label={t("sessions.endNamed", { name: plain(device(session)) })} loading={end.isPending && end.variables === session.id} onClick={() => end.mutate(session.id)}>{t("sessions.end")}</Button>
            )}
          </Group>
        ))}
      </Stack>
      {end.isError && <ErrorNote error={end.error} />}
      {others.isError && <ErrorNote error={others.error} />}
      {sessions.some((session) => !session.this) && (
        <Group><Button size="xs" color="red" variant="light" loading={others.isPending} onClick={() => others.mutate()}>{t("sessions.endOthers")}</Button></Group>
      )}
      {others.isSuccess && <Text size="sm" role="status">{t("sessions.ended", { count: others.data.ended })}</Text>}
    </Stack>
  );
}
