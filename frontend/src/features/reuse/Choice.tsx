// The choice at a launch: run everything, or take over results that are already there.

import { Anchor, Radio, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";

/** `value`: "" nothing is taken over, "any" of every run of the project, else a run's id. `from`: the run that is launched again. */
export function ReuseChoice({ value, from, allowed, onChange }: { value: string; from: { id: string; name: string } | null; allowed: Schemas["ReuseAllowedOut"]; onChange: (value: string) => void }) {
  const { t } = useTranslation(["reuse", "base"]);
  return (
    <Stack gap={6}>
      <Radio.Group aria-label={t("title")} description={t("hint")} value={allowed.on ? value : ""} onChange={onChange}>
        <Stack gap={6} mt={6}>
          <Radio size="sm" value="" label={t("none")} disabled={!allowed.on} />
          {from && <Radio size="sm" value={from.id} label={t("fromRun", { name: from.name })} disabled={!allowed.on} />}
          <Radio size="sm" value="any" label={t("any")} disabled={!allowed.on} />
        </Stack>
      </Radio.Group>
      {!allowed.on && (
        <Text size="xs" role="note">
          {t(allowed.by_maintainers ? "offMaintainers" : "offAdmins")} {allowed.by_maintainers && <Anchor component={Link} fz="xs" to="/project">{t("flags")}</Anchor>}
        </Text>
      )}
    </Stack>
  );
}
