// From a pipeline to a run: choose or write it, fill in its parameters, see what it would cost, launch.

import { Alert, Badge, Button, Fieldset, Group, List, Loader, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { idempotencyKey, type Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { Entry, ErrorNote } from "@/components/ErrorNote";
import { Card, Page } from "@/components/parts";
import { Sketch } from "@/features/graph/Sketch";
import { dropDraft, EMPTY, loadDraft, saveDraft, type Draft } from "@/features/launch/draft";
import { grouped, ParameterField, type Parameter } from "@/features/launch/ParameterField";
import { QuoteView, type Choice } from "@/features/launch/Quote";
import { microsOf, plain } from "@/lib/format";
import { useGallery } from "@/queries/gallery";
import { useDatasets, useLint, usePipelines, useQuote, useRun, useRunManifest, useSubmit, type QuoteAsk } from "@/queries";

const Editor = lazy(async () => ({ default: (await import("@/features/launch/Editor")).Editor }));
const OWN = "";
const OBJECTIVES = ["fastest", "balanced", "cheapest"] as const;

const STARTER = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: hello-
spec:
  entrypoint: main
  arguments:
    parameters:
    - name: who
      value: world
  templates:
  - name: main
    script:
      image: busybox
      command: [sh]
      source: |
        echo "hello {{workflow.parameters.who}}"
`;

export function Launch() {
  const { t, i18n } = useTranslation(["base", "launch"]);
  const project = useProject();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const from = params.get("from") ?? "";
  const asked = params.get("pipeline") ?? "";
  const pipelines = usePipelines(project);
  const datasets = useDatasets(project);
  const known = useMemo(() => (datasets.data?.results ?? []).map((d) => ({ name: d.name, version: d.latest?.number ?? 0 })), [datasets.data]);
  const kept = useMemo(() => (from || asked ? null : loadDraft(project)), [project, from, asked]);
  const [draft, setDraft] = useState<Draft>(kept ?? { ...EMPTY, pipeline: asked, manifest: STARTER });
  const change = (some: Partial<Draft>) => setDraft((old) => ({ ...old, ...some }));
  useEffect(() => saveDraft(project, draft), [project, draft]);
  useOrigin(from, change);

  const pipeline = pipelines.data?.results.find((p) => p.name === draft.pipeline || p.id === draft.pipeline);
  const own = draft.pipeline === OWN;
  const [manifest] = useDebouncedValue(draft.manifest, 500);
  const lint = useLint(project, own ? manifest : "");
  const parameters: Parameter[] = own ? (lint.data?.parameters ?? []) : (pipeline?.parameters ?? []);
  const findings = own ? (lint.data?.findings ?? []) : [];
  const wrong = findings.filter((f) => f.severity === "error");

  const values = useMemo(() => Object.fromEntries(Object.entries(draft.parameters).filter(([name, value]) => value !== "" && parameters.some((p) => p.name === name))), [draft.parameters, parameters]);
  const missing = parameters.filter((p) => p.required && !values[p.name]);
  const base = useMemo<QuoteAsk | null>(() => {
    if (missing.length > 0) return null; // the form says what is missing; a quote would only be refused
    if (own ? manifest.trim() === "" || wrong.length > 0 || lint.isPending : !pipeline) return null;
    return { project, ...(own ? { manifest } : { pipeline: pipeline!.name }), parameters: values, priority: draft.priority as never, objective: "" as never };
  }, [missing.length, own, manifest, wrong.length, lint.isPending, pipeline, project, values, draft.priority]);
  const [ask] = useDebouncedValue(base, 400);
  const fastest = useQuote(ask && { ...ask, objective: "fastest" as never });
  const balanced = useQuote(ask && { ...ask, objective: "balanced" as never });
  const cheapest = useQuote(ask && { ...ask, objective: "cheapest" as never });
  const plainQuote = useQuote(ask);
  const byName = { fastest, balanced, cheapest };
  const choices = OBJECTIVES.flatMap((objective): Choice[] => (byName[objective].data ? [{ objective, quote: byName[objective].data }] : []));
  const quote = draft.objective === "" ? plainQuote : byName[draft.objective as Choice["objective"]];

  const gallery = useGallery(project, !own);
  const sketch = (own ? lint.data?.sketch.nodes : gallery.data?.pipelines.find((g) => g.pipeline.name === pipeline?.name)?.sketch.nodes) ?? [];
  const submit = useSubmit();
  const key = useRef(idempotencyKey());
  const maxCost = draft.maxCost.trim() === "" ? null : microsOf(draft.maxCost);
  const badCost = draft.maxCost.trim() !== "" && maxCost === null;
  const launch = () => {
    const body = {
      project,
      ...(own ? { manifest: draft.manifest } : { pipeline: pipeline!.name }),
      name: draft.name,
      parameters: values,
      objective: draft.objective,
      priority: draft.priority,
      ...(maxCost !== null ? { max_cost_micros: maxCost } : {}),
    } as unknown as Schemas["RunSubmitRequest"];
    submit.mutate(
      { body, key: key.current },
      {
        onSuccess: (run) => {
          dropDraft(project);
          void navigate(`/runs/${run.id}`);
        },
        onError: () => (key.current = idempotencyKey()), // the body may change now; the same key would be refused
      },
    );
  };
  return (
    <Page title={t("launch.title")}>
      {kept && <Badge variant="light" color="gray" tt="none">{t("launch.restored")}</Badge>}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <Stack>
          <Card title={t("launch.pipeline")}>
            <Stack gap="sm">
              <Select
                aria-label={t("launch.pick")}
                data={[{ value: "own", label: t("launch.own") }, ...(pipelines.data?.results.map((p) => ({ value: p.name, label: p.title ? `${plain(p.name)} — ${plain(p.title)}` : plain(p.name) })) ?? [])]}
                value={own ? "own" : (pipeline?.name ?? draft.pipeline)}
                allowDeselect={false}
                searchable
                onChange={(value) => change({ pipeline: value === "own" ? OWN : (value ?? OWN), parameters: {} })}
              />
              {own && (
                <Suspense fallback={<Loader size="sm" aria-label={t("app.loading")} />}>
                  <Editor value={draft.manifest} findings={findings} label={t("launch.manifest")} onChange={(text) => change({ manifest: text })} />
                </Suspense>
              )}
              {own && lint.isError && <ErrorNote error={lint.error} />}
              {findings.length > 0 && (
                <Alert color={wrong.length > 0 ? "red" : "yellow"} title={t(wrong.length > 0 ? "launch.errors" : "launch.warnings")} p="xs">
                  <List size="sm">
                    {findings.slice(0, 30).map((f, i) => (
                      <List.Item key={i}>
                        <Entry entry={{ ...f, code: undefined }} />
                      </List.Item>
                    ))}
                  </List>
                </Alert>
              )}
            </Stack>
          </Card>
          <Card title={t("launch.parameters")}>
            <Stack gap="sm">
              {parameters.length === 0 && <Text size="sm">{t("launch.noParameters")}</Text>}
              {grouped(parameters, i18n.language.slice(0, 2)).map(({ title, parameters: some }) => (
                <Fieldset key={title} legend={title === "" ? undefined : plain(title)} variant={title === "" ? "unstyled" : "default"}>
                  <Stack gap="sm">
                    {some.map((parameter) => (
                      <ParameterField
                        key={parameter.name}
                        parameter={parameter}
                        value={draft.parameters[parameter.name] ?? parameter.value ?? parameter.default ?? ""}
                        datasets={known}
                        onChange={(value) => setDraft((old) => ({ ...old, parameters: { ...old.parameters, [parameter.name]: value } }))}
                      />
                    ))}
                  </Stack>
                </Fieldset>
              ))}
            </Stack>
          </Card>
        </Stack>
        <Stack>
          {sketch.length > 0 && (
            <Card title={t("launch:preview")}>
              <Sketch nodes={sketch} height={200} />
            </Card>
          )}
          <Card title={t("launch.quote")} aside={quote.isFetching ? <Loader size="xs" aria-label={t("app.loading")} /> : undefined}>
            {quote.isError ? (
              <ErrorNote error={quote.error} />
            ) : quote.data && ask ? (
              <QuoteView quote={quote.data} choices={choices} objective={draft.objective} onObjective={(objective) => change({ objective })} />
            ) : (
              <Text size="sm" c="dimmed">–</Text>
            )}
          </Card>
          <Card title={t("launch.submit")}>
            <Stack gap="sm">
              <TextInput label={t("launch.name")} value={draft.name} maxLength={120} onChange={(e) => change({ name: e.target.value })} />
              <Stack gap={4}>
                <Text size="sm" fw={500}>{t("launch.objective")}</Text>
                <SegmentedControl
                  aria-label={t("launch.objective")}
                  data={[{ value: "", label: t("launch.default") }, ...OBJECTIVES.map((value) => ({ value, label: t(`launch.${value}`) }))]}
                  value={draft.objective}
                  onChange={(objective) => change({ objective })}
                  size="xs"
                />
              </Stack>
              <Select
                label={t("launch.priority")}
                data={(["interactive", "normal", "opportunistic"] as const).map((value) => ({ value, label: t(`launch.${value}`) }))}
                value={draft.priority}
                allowDeselect={false}
                onChange={(value) => change({ priority: value ?? "normal" })}
              />
              <TextInput
                label={t("launch.maxCost")}
                description={t("launch.maxCostHelp")}
                inputMode="decimal"
                value={draft.maxCost}
                error={badCost ? t("launch.badMoney") : undefined}
                onChange={(e) => change({ maxCost: e.target.value })}
              />
              {submit.isError && <ErrorNote error={submit.error} />}
              <Group>
                <Button onClick={launch} loading={submit.isPending} disabled={!base || badCost || missing.length > 0}>
                  {t("launch.submit")}
                </Button>
                {missing.length > 0 && <Text size="xs" c="red">{t("launch.required")}: {missing.map((p) => plain(p.name)).join(", ")}</Text>}
              </Group>
            </Stack>
          </Card>
        </Stack>
      </SimpleGrid>
    </Page>
  );
}

/** Fill the form from a run that was: the same manifest or pipeline, the same inputs. */
function useOrigin(from: string, change: (some: Partial<Draft>) => void): void {
  const run = useRun(from);
  const manifest = useRunManifest(from);
  const done = useRef("");
  useEffect(() => {
    if (from === "" || done.current === from || !run.data || !manifest.data) return;
    done.current = from;
    change({
      pipeline: run.data.pipeline?.name ?? OWN,
      manifest: manifest.data.text,
      parameters: run.data.parameters,
      objective: run.data.objective,
      priority: run.data.priority,
      name: run.data.name,
    });
  }, [from, run.data, manifest.data, change]);
}
