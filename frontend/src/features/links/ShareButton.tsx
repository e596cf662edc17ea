// A short address of the view as it is now: tab, step, filters, log line are all in its address.

import { Button, Code, CopyButton, Group, Popover, Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";
import { useProject } from "@/app/project";
import { ErrorNote } from "@/components/ErrorNote";
import { useLinkMake } from "@/queries/links";

const addressOf = (code: string) => `${window.location.origin}/s/${code}`;
const LIVES_DAYS = [1, 7, 30, 365] as const;

export function ShareButton({ of = "" }: { of?: string }) {
  const { t } = useTranslation(["links", "base"]);
  const shown = useProject();
  const project = of || shown;
  const location = useLocation();
  const make = useLinkMake(project);
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const [days, setDays] = useState("30");
  const toggle = () => {
    make.reset();
    setOpen(!open);
  };
  return (
    <Popover opened={open} onChange={setOpen} width={340} trapFocus withRoles position="bottom-end">
      <Popover.Target>
        <Button size="xs" variant="default" onClick={toggle}>{t("share")}</Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            make.mutate({ address: location.pathname + location.search + location.hash, days: Number(days), note });
          }}
        >
          <Stack gap="xs">
            <Text size="sm">{t("hint", { project })}</Text>
            <TextInput size="xs" label={t("note")} value={note} maxLength={200} onChange={(e) => setNote(e.target.value)} />
            <Select size="xs" label={t("lives")} comboboxProps={{ withinPortal: false }} allowDeselect={false} value={days} onChange={(v) => setDays(v ?? "30")} data={LIVES_DAYS.map((n) => ({ value: String(n), label: t("days", { count: n }) }))} />
            {make.isError && <ErrorNote error={make.error} />}
            {make.data ? (
              <Group wrap="nowrap" role="status">
                <Code style={{ overflowWrap: "anywhere" }}>{addressOf(make.data.code)}</Code>
                <CopyButton value={addressOf(make.data.code)}>{({ copied, copy }) => <Button size="compact-xs" variant="default" style={{ flexShrink: 0 }} onClick={copy}>{t(copied ? "base:app.copied" : "base:app.copy")}</Button>}</CopyButton>
              </Group>
            ) : (
              <Button size="xs" type="submit" loading={make.isPending}>{t("make")}</Button>
            )}
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
