// Stop new steps in a pool or on a node, with or without giving back what runs; and let it take steps again.

import { Button, Checkbox, Group, NumberInput, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { type Target, useCordon, useUncordon } from "@/queries/places";

export function CordonButton({ target, name, cordoned }: { target: Target; name: string; cordoned: boolean }) {
  const { t } = useTranslation(["pools", "base"]);
  const [opened, { open, close }] = useDisclosure(false);
  const [reason, setReason] = useState("");
  const [drain, setDrain] = useState(false);
  const [minutes, setMinutes] = useState<number | string>(10);
  const project = useProject();
  const cordon = useCordon(project);
  const uncordon = useUncordon(project);
  if (cordoned)
    return (
      <Stack gap={4} align="flex-end">
        <Button size="compact-xs" variant="default" aria-label={t("uncordonName", { name })} loading={uncordon.isPending} onClick={() => uncordon.mutate(target)}>{t("uncordon")}</Button>
        {uncordon.isError && <ErrorNote error={uncordon.error} />}
      </Stack>
    );
  const send = () =>
    cordon.mutate({ target, reason: reason.trim(), graceS: drain ? Math.round(Number(minutes) * 60) : null }, { onSuccess: close });
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={t("cordonName", { name })} onClick={open}>{t("cordon")}</Button>
      <Dialog opened={opened} onClose={close} title={t("cordonName", { name })}>
        <form onSubmit={(e) => { e.preventDefault(); send(); }}>
          <Stack gap="sm">
            <Text size="sm">{t("cordonWhat")}</Text>
            <TextInput label={t("reason")} description={t("reasonWhat")} value={reason} maxLength={200} required data-autofocus onChange={(e) => setReason(e.currentTarget.value)} />
            <Checkbox label={t("drain")} description={t("drainWhat")} checked={drain} onChange={(e) => setDrain(e.currentTarget.checked)} />
            {drain && <NumberInput label={t("grace")} value={minutes} onChange={setMinutes} min={0} max={43_200} allowDecimal={false} />}
            {cordon.isError && <ErrorNote error={cordon.error} />}
            <Group justify="flex-end">
              <Button variant="default" size="xs" onClick={close}>{t("base:app.close")}</Button>
              <Button size="xs" type="submit" color={drain ? "red" : undefined} loading={cordon.isPending} disabled={reason.trim() === ""}>{drain ? t("doDrain") : t("cordon")}</Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </>
  );
}
