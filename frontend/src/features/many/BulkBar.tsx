// What can be done with the runs that are ticked.

import { Alert, Button, Group, List, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { LIVE } from "@/lib/states";
import { useBulk } from "@/queries/many";

type Run = Schemas["RunOut"];
type Deed = "cancel" | "delete" | "label";

export function BulkBar({ project, runs, onDone }: { project: string; runs: Run[]; onDone: (left: string[]) => void }) {
  const { t } = useTranslation(["many", "base"]);
  const bulk = useBulk(project);
  const [asking, setAsking] = useState<Deed | null>(null);
  const [label, setLabel] = useState({ key: "", value: "" });
  const live = runs.filter((run) => LIVE.has(run.state));
  const ended = runs.filter((run) => !LIVE.has(run.state));
  const which = asking === "cancel" ? live : asking === "delete" ? ended : runs;
  const refused = bulk.data?.filter((row) => !row.done) ?? [];
  const act = () => {
    const body = asking === "label" ? { deed: asking, runs: which.map((r) => r.id), ...(label.value === "" ? { drop: [label.key] } : { labels: { [label.key]: label.value } }) } : { deed: asking!, runs: which.map((r) => r.id) };
    bulk.mutate(body, { onSuccess: (rows) => { setAsking(null); onDone(rows.filter((row) => !row.done).map((row) => row.id)); } });
  };
  return (
    <>
      {runs.length > 0 && (
        <Paper withBorder p="xs" role="region" aria-label={t("chosen", { count: runs.length })}>
          <Group gap="xs">
            <Text size="sm" fw={600}>{t("chosen", { count: runs.length })}</Text>
            <Button size="xs" variant="light" color="red" disabled={live.length === 0} onClick={() => setAsking("cancel")}>{t("base:run.cancel")}</Button>
            <Button size="xs" variant="default" onClick={() => setAsking("label")}>{t("label")}</Button>
            <Button size="xs" variant="default" disabled={ended.length === 0} onClick={() => setAsking("delete")}>{t("delete")}</Button>
            {runs.length === 2 && <Button size="xs" variant="default" component={Link} to={`/runs/compare?a=${runs[1]!.id}&b=${runs[0]!.id}`}>{t("compare")}</Button>}
            {runs.length > 1 && runs.length <= 100 && <Button size="xs" variant="default" component={Link} to={`/runs/table?${runs.map((r) => `run=${r.id}`).join("&")}`}>{t("table")}</Button>}
            <Button size="xs" variant="subtle" onClick={() => onDone([])}>{t("unselect")}</Button>
          </Group>
        </Paper>
      )}
      {refused.length > 0 && (
        <Alert color="yellow" title={t("refused", { count: refused.length })} withCloseButton onClose={() => bulk.reset()} closeButtonLabel={t("base:app.close")}>
          <List size="sm">{refused.slice(0, 20).map((row) => <List.Item key={row.id}>{plain(row.name || row.id)}: {plain(row.detail)} {plain(row.next_step)}</List.Item>)}</List>
        </Alert>
      )}
      <Dialog opened={asking !== null} onClose={() => setAsking(null)} title={asking ? t(`ask.${asking}`, { count: which.length }) : ""}>
        <Stack>
          {asking === "delete" && <Text size="sm">{t("deleteHint")}</Text>}
          {asking === "cancel" && <Text size="sm">{t("base:run.cancelAsk")}</Text>}
          {asking === "label" && (
            <Group grow align="flex-start">
              <TextInput label={t("labelKey")} value={label.key} maxLength={63} data-autofocus onChange={(e) => setLabel({ ...label, key: e.target.value })} />
              <TextInput label={t("labelValue")} description={t("labelEmpty")} inputWrapperOrder={["label", "input", "description"]} value={label.value} maxLength={120} onChange={(e) => setLabel({ ...label, value: e.target.value })} />
            </Group>
          )}
          <List size="sm">{which.slice(0, 10).map((run) => <List.Item key={run.id}>{run.job_number} · {plain(run.name)}</List.Item>)}</List>
          {which.length > 10 && <Text size="sm">{t("andMore", { count: which.length - 10 })}</Text>}
          {bulk.isError && <ErrorNote error={bulk.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(null)}>{t("base:app.close")}</Button>
            <Button color={asking === "label" ? undefined : "red"} loading={bulk.isPending} disabled={which.length === 0 || (asking === "label" && label.key === "")} onClick={act}>
              {asking === "cancel" ? t("base:run.cancel") : asking === "delete" ? t("delete") : t("label")}
            </Button>
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}
