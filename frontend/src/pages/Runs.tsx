// All runs of the project; the filters are in the address, so that a list can be sent to somebody.

import { Button, Chip, Group, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { useProject } from "@/app/project";
import { ErrorNote } from "@/components/ErrorNote";
import { Empty, More, Page } from "@/components/parts";
import { RunTable } from "@/components/RunTable";
import { RUN_STATES, type RunState } from "@/lib/states";
import { useRuns } from "@/queries";

export function Runs() {
  const { t } = useTranslation();
  const project = useProject();
  const [params, setParams] = useSearchParams();
  const states = (params.get("state") ?? "").split(",").filter((s): s is RunState => s in RUN_STATES);
  const search = params.get("search") ?? "";
  const [typed, setTyped] = useState(search);
  const runs = useRuns(project, { state: states, search });
  const change = (key: string, value: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (value === "") next.delete(key);
        else next.set(key, value);
        return next;
      },
      { replace: true },
    );
  const searchLater = useDebouncedCallback((value: string) => change("search", value), 300);
  const rows = runs.data?.pages.flatMap((page) => page.results) ?? [];
  const filtered = states.length > 0 || search !== "";
  return (
    <Page title={t("runs.title")} actions={<Button component={Link} to="/launch" size="xs">{t("nav.launch")}</Button>}>
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
      </Group>
      {runs.isError && <ErrorNote error={runs.error} again={() => void runs.refetch()} />}
      {rows.length > 0 && <RunTable runs={rows} />}
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
