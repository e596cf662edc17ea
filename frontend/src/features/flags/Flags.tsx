// Feature flags with what each turns on, whose word holds, and the word said right here.

import { Badge, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { Loaded, When } from "@/components/parts";
import { plain } from "@/lib/format";
import { useFlagSet, useFlags } from "@/queries/flags";

/** Those of the installation, which administrators turn. */
export function InstallationFlags() {
  const flags = useFlags();
  return <Loaded query={flags}>{(rows) => <Flags rows={rows} may={() => true} />}</Loaded>;
}

/** `may`: the reader may turn a flag of this kind here. Without a project: the installation's. */
export function Flags({ rows, project = "", may }: { rows: Schemas["FlagOut"][]; project?: string; may: (flag: Schemas["FlagOut"]) => boolean }) {
  const { t } = useTranslation(["flags", "base"]);
  const set = useFlagSet(project);
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">{t(project ? "hintProject" : "hint")}</Text>
      {set.isError && <ErrorNote error={set.error} />}
      {rows.map((flag) => (
        <Group key={flag.name} justify="space-between" align="flex-start" gap="sm">
          <Stack gap={2} style={{ flex: "1 1 280px", minWidth: 0 }}>
            <Group gap="xs">
              <Text fw={600} size="sm">{t(`flag.${flag.name}.title`, { defaultValue: flag.name })}</Text>
              <Badge variant="light" size="sm" tt="none" color={flag.on ? "green" : "gray"}>{t(flag.on ? "on" : "off")}</Badge>
            </Group>
            <Text size="sm">{t(`flag.${flag.name}.does`, { defaultValue: flag.does })}</Text>
            <Text size="xs" c="dimmed">
              {t(`source.${flag.source}`, { who: plain(flag.set_by.replace(/^user:/, "")) })}
              {flag.set_at_ms !== null && <> · <When ms={flag.set_at_ms} /></>} · {flag.name} · {t("since", { month: flag.since })}
              {!may(flag) && <> · {t(flag.maintainers ? "askMaintainer" : "askAdmin")}</>}
            </Text>
          </Stack>
          <SegmentedControl
            size="xs"
            aria-label={t("wordOf", { name: flag.name })}
            disabled={!may(flag) || set.isPending}
            value={flag.own === null ? "none" : flag.own ? "on" : "off"}
            onChange={(word) => set.mutate({ name: flag.name, on: word === "none" ? null : word === "on" })}
            data={[{ value: "none", label: t(project ? "asInstallation" : "asDefault") }, { value: "on", label: t("on") }, { value: "off", label: t("off") }]}
          />
        </Group>
      ))}
    </Stack>
  );
}
