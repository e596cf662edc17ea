// A new schedule of a pipeline or of a run: lines that say in words when they come, each with its fault under it.

import { ActionIcon, Alert, Button, Group, List, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { usePipelineNames, usePreview, useScheduleMake } from "@/queries/schedules";
import { Moment } from "./parts";

const POLICIES = ["Allow", "Forbid", "Replace"] as const;
const ZONES: string[] = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];

export interface Source {
  run: string;
  pipeline: string;
  name: string;
}

export function ScheduleForm({ project, zone, source, done, close }: { project: string; zone: string; source: Source; done: (id: string) => void; close: () => void }) {
  const { t } = useTranslation(["schedules", "base"]);
  const make = useScheduleMake(project);
  const pipelines = usePipelineNames(project, source.run === "");
  const [pipeline, setPipeline] = useState(source.pipeline);
  const [name, setName] = useState(nameFrom(source.name));
  const [lines, setLines] = useState(["0 2 * * *"]);
  const [where, setWhere] = useState(zone);
  const [policy, setPolicy] = useState<(typeof POLICIES)[number]>("Allow");
  const [asked] = useDebouncedValue({ lines, where }, 250);
  const preview = usePreview(asked.lines, asked.where);
  const zones = [...new Set([zone, "UTC", Intl.DateTimeFormat().resolvedOptions().timeZone, ...ZONES])];
  const wrong = preview.data ? preview.data.zone_error !== "" || preview.data.lines.some((line) => line.error !== "") : true;
  const nameWrong = name !== "" && !/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/.test(name);
  const change = (index: number, text: string) => setLines(lines.map((line, i) => (i === index ? text : line)));
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        make.mutate({ name, schedules: lines, timezone: where, policy, ...(source.run ? { run: source.run } : { pipeline }) }, { onSuccess: (made) => done(made.id) });
      }}
    >
      <Stack gap="sm">
        {source.run ? (
          <Text size="sm">{t("form.ofRun", { name: plain(source.name || source.run) })}</Text>
        ) : (
          <Select label={t("form.pipeline")} description={t("form.pipelineHint")} searchable required value={pipeline || null} onChange={(v) => { setPipeline(v ?? ""); if (name === "") setName(nameFrom(pipelines.data?.results.find((p) => p.id === v)?.name ?? "")); }} data={(pipelines.data?.results ?? []).map((p) => ({ value: p.id, label: plain(p.title || p.name) }))} />
        )}
        <TextInput label={t("form.name")} required value={name} maxLength={52} error={nameWrong ? t("form.nameWrong") : undefined} onChange={(e) => setName(e.target.value)} />
        {lines.map((line, index) => (
          <ScheduleLine key={index} first={index === 0} value={line} change={(text) => change(index, text)} remove={lines.length > 1 ? () => setLines(lines.filter((_, i) => i !== index)) : undefined} told={preview.data?.lines[index]?.text === line ? preview.data.lines[index] : undefined} />
        ))}
        <Group><Button size="compact-xs" variant="subtle" disabled={lines.length >= 20} onClick={() => setLines([...lines, "0 14 * * *"])}>{t("form.another")}</Button></Group>
        <Group grow align="flex-start">
          <Select label={t("form.zone")} description={where === zone ? t("form.zoneOwn") : t("form.zoneOther", { zone: plain(zone) })} searchable limit={50} allowDeselect={false} value={where} error={preview.data?.zone_error || undefined} onChange={(v) => setWhere(v ?? zone)} data={zones} />
          <Select label={t("form.policy")} allowDeselect={false} value={policy} onChange={(v) => setPolicy((v ?? "Allow") as typeof policy)} data={POLICIES.map((value) => ({ value, label: t(`policy.${value}`) }))} />
        </Group>
        {preview.isError && <ErrorNote error={preview.error} again={() => void preview.refetch()} />}
        {preview.data && preview.data.next_ms.length > 0 && (
          <Alert color="gray" variant="light" title={t("form.next", { zone: plain(where) })}>
            <List size="sm">{preview.data.next_ms.map((ms) => <List.Item key={ms}><Moment ms={ms} zone={where} /></List.Item>)}</List>
          </Alert>
        )}
        {make.isError && <ErrorNote error={make.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>{t("base:app.close")}</Button>
          <Button type="submit" loading={make.isPending} disabled={wrong || nameWrong || name === "" || (source.run === "" && pipeline === "")}>{t("form.make")}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function ScheduleLine({ first, value, change, remove, told }: { first: boolean; value: string; change: (text: string) => void; remove: (() => void) | undefined; told: { error: string; words: { en: string; zh: string } | null } | undefined }) {
  const { t, i18n } = useTranslation("schedules");
  const words = told?.words ? (i18n.language.startsWith("zh") ? told.words.zh : told.words.en) : "";
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      <TextInput style={{ flexGrow: 1 }} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }} label={t(first ? "form.line" : "form.lineMore")} description={words || t("form.lineHint")} inputWrapperOrder={["label", "input", "description", "error"]} value={value} maxLength={200} error={told?.error ? plain(told.error) : undefined} onChange={(e) => change(e.target.value)} />
      {remove && <ActionIcon variant="subtle" color="red" aria-label={t("form.lineRemove")} onClick={remove} mb={28}><IconTrash size={16} /></ActionIcon>}
    </Group>
  );
}

/** A usable name near what the thing is called. */
const nameFrom = (text: string) => text.toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+/, "").slice(0, 52).replace(/-+$/, "");
