// From chosen files to a running upload: what they are, which dataset they become, and how the uploads of this tab go.

import { Alert, Autocomplete, Button, Group, List, Stack, Text, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { plain, size } from "@/lib/format";
import { DropZone } from "./DropZone";
import { JobRow } from "./JobRow";
import { startUpload, useUploads } from "./jobs";
import { nameProblem, planOf, type Plan } from "./plan";

export interface Known {
  name: string;
  version: number;
}

/** `fixed` is the dataset a new version is for; without it the name is asked for. */
export function Uploader({ project, known, fixed }: { project: string; known: Known[]; fixed?: string }) {
  const { t } = useTranslation(["data", "base"]);
  const client = useQueryClient();
  const uploads = useUploads(project);
  const [plan, setPlan] = useState<Plan | null>(null);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const choose = (chosen: { path: string; file: File }[]) => {
    const made = planOf(chosen);
    setPlan(made);
    setName(fixed ?? made.name);
  };
  const old = known.find((d) => d.name === name);
  const bad = name === "" || nameProblem(name);
  const start = () => {
    startUpload({ project, name, description, sources: plan!.sources }, (view) => {
      if (view.state === "done") void client.invalidateQueries({ predicate: ({ queryKey }) => ["dataset", "project-data", "launch"].includes(String(queryKey[0])) });
    });
    setPlan(null);
    setDescription("");
  };
  return (
    <Stack gap="sm">
      {plan === null && <DropZone onChosen={choose} />}
      {plan !== null && (
        <Stack gap="sm">
          <Text size="sm" fw={500}>{t("upload.chosen", { count: plan.sources.length, size: size(plan.sizeBytes) })}</Text>
          {plan.problems.length > 0 && (
            <Alert color="red" p="xs" role="alert">
              <List size="sm">
                {plan.problems.map((p, i) => <List.Item key={i}>{t(`upload.problem.${p.kind}`, { ...p, ...("path" in p ? { path: plain(p.path) } : {}) })}</List.Item>)}
              </List>
            </Alert>
          )}
          {fixed === undefined && (
            <Autocomplete
              label={t("upload.name")}
              description={t("upload.nameHelp")}
              data={known.map((d) => d.name)}
              value={name}
              maxLength={63}
              error={name !== "" && bad ? t("upload.badName") : undefined}
              onChange={setName}
              data-dataset-name
            />
          )}
          {!bad && <Text size="sm">{old ? t("upload.nextVersion", { n: old.version + 1, name }) : t("upload.newDataset")}</Text>}
          {!old && fixed === undefined && <TextInput label={t("upload.description")} value={description} maxLength={400} onChange={(e) => setDescription(e.currentTarget.value)} />}
          <Group>
            <Button size="sm" disabled={bad || plan.problems.length > 0} onClick={start} data-start-upload>{t("upload.start")}</Button>
            <Button size="sm" variant="default" onClick={() => setPlan(null)}>{t("upload.other")}</Button>
          </Group>
        </Stack>
      )}
      {uploads.map((view) => <JobRow key={view.id} view={view} />)}
    </Stack>
  );
}
