// A parameter that names data: one of the project's datasets, or a file dropped here that becomes one.

import { Code, Select, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { DropZone } from "@/features/upload/DropZone";
import { JobRow } from "@/features/upload/JobRow";
import { startUpload, useUploads } from "@/features/upload/jobs";
import { planOf, type Problem } from "@/features/upload/plan";
import { plain } from "@/lib/format";
import { distinct } from "@/lib/named";
import { launchKey } from "@/queries/launch";

export interface KnownDataset {
  name: string;
  version: number;
}

interface Field {
  label: ReactNode;
  description?: string;
  required: boolean;
  error?: string;
  "data-parameter": string;
}

/** The value is a volume claim: `methanol` (the newest when the run starts) or `methanol-v2`. */
export function DataField({ field, name, value, datasets, onChange }: { field: Field; name: string; value: string; datasets: KnownDataset[]; onChange: (value: string) => void }) {
  const { t } = useTranslation(["launch", "data", "base"]);
  const project = useProject();
  const client = useQueryClient();
  const [job, setJob] = useState<number | null>(null);
  const [problems, setProblems] = useState<Problem[]>([]);
  const view = useUploads(project).find((u) => u.id === job);
  const drop = (chosen: { path: string; file: File }[]) => {
    const plan = planOf(chosen);
    setProblems(plan.problems);
    if (plan.problems.length > 0) return;
    const started = startUpload({ project, name: plan.name || name, description: "", sources: plan.sources }, (now) => {
      if (now.state !== "done") return;
      onChange(`${now.name}-v${now.version}`);
      void client.invalidateQueries({ queryKey: launchKey(project) });
    });
    setJob(started.view.id);
  };
  const known = datasets.filter((d) => d.version > 0).flatMap((d) => [
    { value: d.name, label: t("newest", { name: d.name, n: d.version }) },
    { value: `${d.name}-v${d.version}`, label: `${d.name}-v${d.version}` },
  ]);
  const data = distinct(value !== "" && !known.some((k) => k.value === value) ? [{ value, label: value }, ...known] : known);
  return (
    <Stack gap={6}>
      <Select {...field} data={data} value={value || null} onChange={(v) => onChange(v ?? "")} searchable clearable={!field.required} placeholder={t("pickData")} />
      {view && view.state !== "done" ? <JobRow view={view} /> : <DropZone compact label={t("dropFor", { name: plain(name) })} onChosen={drop} />}
      {view?.state === "done" && <Text size="xs" role="status">{t("dropped")} <Code>{view.name}-v{view.version}</Code></Text>}
      {problems.map((p, i) => <Text key={i} size="xs" c="red" role="alert">{t(`data:upload.problem.${p.kind}`, { ...p })}</Text>)}
    </Stack>
  );
}
