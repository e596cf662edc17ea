// All runs of the project; the filters are in the address, so that a list can be sent to somebody.

import { Button, Chip, Group, Pill, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { useProject } from "@/app/project";
import { ErrorNote } from "@/components/ErrorNote";
import { Empty, More, Page } from "@/components/parts";
import { RunTable } from "@/components/RunTable";
import { BulkBar } from "@/features/many/BulkBar";
import { filtersOf } from "@/features/many/filters";
import { SavedFilters } from "@/features/many/SavedFilters";
import { useAddressSetter } from "@/lib/address";
import { plain } from "@/lib/format";
import { RUN_STATES, type RunState } from "@/lib/states";
import { useMe, useRuns } from "@/queries";

export function Runs() {
  const { t } = useTranslation(["base", "many"]);
  const project = useProject();
  const [params, setParams] = useSearchParams();
  const states = (params.get("state") ?? "").split(",").filter((s): s is RunState => s in RUN_STATES);
  const search = params.get("search") ?? "";
  const labels = params.getAll("label");
  const submittedBy = params.get("submitted_by") ?? "";
  const me = useMe();
  const [typed, setTyped] = useState(search);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const runs = useRuns(project, { state: states, search, label: labels, submittedBy });
  const put = useAddressSetter();
  const change = (key: string, value: string) => put({ [key]: value });
  const searchLater = useDebouncedCallback((value: string) => change("search", value), 300);
  const rows = runs.data?.pages.flatMap((page) => page.results) ?? [];
  const filtered = Object.keys(filtersOf(params)).length > 0;
  const dropLabel = (label: string) => put({ label: labels.filter((l) => l !== label) });
  return (
    <Page
      title={t("runs.title")}
      actions={
        <>
          <SavedFilters project={project} params={params} />
          <Button component={Link} to={`/runs/table?${params}`} size="xs" variant="default">{t("many:table")}</Button>
          <Button component={Link} to="/launch" size="xs">{t("nav.launch")}</Button>
        </>
      }
    >
      <Group align="end">
        <TextInput
          size="xs"
          w={260}
          aria-label={t("app.search")}
          placeholder={t("runs.searchHint")}
          value={typed}
          onChange={(e) => {
            setTyped(e.target.value);
            searchLater(e.target.value);
          }}
        />
        <Chip.Group multiple value={states} onChange={(value) => change("state", value.join(","))}>
          <Group gap={6} role="group" aria-label={t("runs.filter")}>
            {Object.entries(RUN_STATES).map(([state, { word }]) => (
              <Chip key={state} value={state} size="xs">
                {t(`state.${word}`)}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        {me.data?.actor && (
          <Chip size="xs" checked={submittedBy === me.data.actor} onChange={(on) => change("submitted_by", on ? me.data.actor : "")}>
            {t("many:mine")}
          </Chip>
        )}
        {labels.map((label) => (
          <Pill key={label} withRemoveButton onRemove={() => dropLabel(label)} removeButtonProps={{ "aria-label": t("many:dropLabel", { label: plain(label) }), "aria-hidden": false, tabIndex: 0 }}>
            {plain(label)}
          </Pill>
        ))}
      </Group>
      <BulkBar project={project} runs={rows.filter((run) => chosen.has(run.id))} onDone={(left) => setChosen(new Set(left))} />
      {runs.isError && <ErrorNote error={runs.error} again={() => void runs.refetch()} />}
      {rows.length > 0 && <RunTable runs={rows} selection={{ ids: chosen, onChange: setChosen }} />}
      {runs.isSuccess && rows.length === 0 && (
        <Empty
          title={t(filtered ? "runs.none" : "home.empty")}
          action={
            filtered ? (
              <Button size="xs" variant="default" onClick={() => { setTyped(""); setParams({}, { replace: true }); }}>
                {t("runs.clear")}
              </Button>
            ) : (
              <Button component={Link} to="/launch" size="xs">{t("home.firstRun")}</Button>
            )
          }
        />
      )}
      <More query={runs} />
    </Page>
  );
}
