// From a pipeline to a run: choose or write it, fill in its parameters, see what it would cost, launch.

import { Alert, Badge, Button, Fieldset, Group, List, Loader, SegmentedControl, Select, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { idempotencyKey, type Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { Entry, ErrorNote } from "@/components/ErrorNote";
import { Card, More, Page } from "@/components/parts";
import { Sketch } from "@/features/graph/Sketch";
import { dropDraft, EMPTY, loadDraft, nameFor, OWN, saveDraft, type Draft } from "@/features/launch/draft";
import { grouped, isData, ParameterField, type Parameter } from "@/features/launch/ParameterField";
import { SavePipeline } from "@/features/pipelines/SavePipeline";
import { QuoteView } from "@/features/launch/Quote";
import { ReuseChoice } from "@/features/reuse/Choice";
import { ReusePlan } from "@/features/reuse/Plan";
import { microsOf, plain, priced } from "@/lib/format";
import { distinct, own } from "@/lib/named";
import { useSubmit } from "@/queries";
import { datasetsAfter, launchKey, pipelinesAfter, useLaunch, useLaunchCheck, type LaunchAsk } from "@/queries/launch";
import { useRest } from "@/queries/rest";

const Editor = lazy(async () => ({ default: (await import("@/features/launch/Editor")).Editor }));
const OWN_OPTION = ":own"; // no pipeline can be called so
const NOTHING = { results: [], next: null };
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
  const { t, i18n } = useTranslation(["base", "launch", "reuse"]);
  const project = useProject();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const from = params.get("from") ?? "";
  // As the page was opened; what is chosen later is in the draft, and in the address for who comes back.
  const [asked] = useState(() => params.get("pipeline") ?? "");
  const [ownAsked] = useState(() => params.get("source") === "own");
  const page = useLaunch(project, asked, from);
  const pipelines = useRest([...launchKey(project), "pipelines"], page.data?.pipelines ?? NOTHING, pipelinesAfter(project), (p) => p.id);
  const datasets = useRest([...launchKey(project), "datasets"], page.data?.datasets ?? NOTHING, datasetsAfter(project), (d) => d.id);
  const known = datasets.rows.map((d) => ({ name: d.name, version: d.latest?.number ?? 0 }));
  const kept = useMemo(() => (from || asked ? null : loadDraft(project)), [project, from, asked]);
  const [draft, setDraft] = useState<Draft>({ ...(kept ?? { ...EMPTY, pipeline: asked, manifest: STARTER }), ...(ownAsked ? { pipeline: OWN } : {}) });
  const change = (some: Partial<Draft>) => setDraft((old) => ({ ...old, ...some }));
  useEffect(() => saveDraft(project, draft), [project, draft]);
  useOrigin(page.data?.run ?? null, params.get("reuse") === "run", change);

  const asking = page.data?.pipeline ?? null; // it may be behind the first page of the list
  const listed = asking && !pipelines.rows.some((p) => p.id === asking.id) ? [asking, ...pipelines.rows] : pipelines.rows;
  const pipeline = listed.find((p) => p.name === draft.pipeline || p.id === draft.pipeline) ?? null;
  const ownManifest = draft.pipeline === OWN;
  const again = page.data?.run ?? null;
  const allowed = page.data?.reuse ?? { on: false, by_maintainers: true };
  const reuse = allowed.on && (draft.reuse === "any" || draft.reuse === again?.id) ? draft.reuse : ""; // a kept draft may name a run that is not shown
  const filled = useMemo<LaunchAsk | null>(() => {
    if (ownManifest ? draft.manifest.trim() === "" : pipeline === null) return null;
    const values = Object.fromEntries(Object.entries(draft.parameters).filter(([, value]) => value !== ""));
    return { ...(ownManifest ? { manifest: draft.manifest } : { pipeline: pipeline!.name }), parameters: values, objective: draft.objective as never, priority: draft.priority as never, ...(reuse !== "" ? { reuse, name: draft.name } : {}) };
  }, [ownManifest, draft.manifest, draft.parameters, draft.objective, draft.priority, draft.name, reuse, pipeline]);
  const [ask] = useDebouncedValue(filled, 500);
  const check = useLaunchCheck(project, ask);
  const told = ask === null ? undefined : check.data;
  const parameters: Parameter[] = (ownManifest ? told?.parameters : pipeline?.parameters) ?? [];
  const findings = told?.findings ?? [];
  const wrong = findings.filter((f) => f.severity === "error");
  const values = useMemo(() => Object.fromEntries(Object.entries(draft.parameters).filter(([name, value]) => value !== "" && parameters.some((p) => p.name === name))), [draft.parameters, parameters]);
  const missing = parameters.filter((p) => p.required && !own(values, p.name));
  const refused = missing.length === 0 ? (told?.value_errors ?? []) : []; // else the form says what is missing
  // At its field while that still has the value that was refused; below the quote stands what has no field.
  const refusedAt = (name: string) => {
    const about = refused.filter((f) => f.parameter === name);
    return about.length > 0 && (own(ask?.parameters ?? {}, name) ?? "") === (own(values, name) ?? "") ? about.map((f) => plain(f.allowed ? `${f.detail} (${t("problem.allowed")}: ${f.allowed})` : f.detail)).join(" ") : undefined;
  };
  const elsewhere = refused.filter((f) => !parameters.some((p) => p.name === f.parameter));
  const sketch = told?.sketch.nodes ?? [];
  const ready = page.data?.may_launch === true && (ownManifest ? told !== undefined && wrong.length === 0 : pipeline !== null);
  const submit = useSubmit();
  const key = useRef(idempotencyKey());
  const maxCost = draft.maxCost.trim() === "" ? null : microsOf(draft.maxCost);
  const badCost = draft.maxCost.trim() !== "" && maxCost === null;
  const launch = () => {
    const body = {
      project,
      ...(ownManifest ? { manifest: draft.manifest } : { pipeline: pipeline!.name }),
      name: draft.name,
      parameters: values,
      objective: draft.objective,
      priority: draft.priority,
      reuse,
      quote: told?.quote?.token ?? "", // kept with the run if it is of exactly this
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
                data={distinct([{ value: OWN_OPTION, label: t("launch.own") }, ...listed.map((p) => ({ value: p.name, label: p.title ? `${plain(p.name)} — ${plain(p.title)}` : plain(p.name) }))])}
                value={ownManifest ? OWN_OPTION : (pipeline?.name ?? draft.pipeline)}
                allowDeselect={false}
                searchable
                onChange={(value) => {
                  const ownText = value === OWN_OPTION || value === null;
                  change({ pipeline: ownText ? OWN : value, parameters: {}, edits: "" });
                  setParams(ownText ? { project, source: "own" } : { project, pipeline: value }, { replace: true });
                }}
              />
              {ownManifest && (
                <Suspense fallback={<Loader size="sm" aria-label={t("app.loading")} />}>
                  <Editor value={draft.manifest} findings={findings} label={t("launch.manifest")} onChange={(text) => change({ manifest: text })} />
                </Suspense>
              )}
              {ownManifest && page.data?.may_launch === true && draft.manifest.trim() !== "" && (
                <SavePipeline project={project} manifest={draft.manifest} name={draft.edits || told?.name.replace(/[-.]+$/, "") || ""} wrong={told === undefined || wrong.length > 0} onSaved={(edits) => change({ edits })} />
              )}
              <More query={pipelines} />
              {page.isError && <ErrorNote error={page.error} again={() => void page.refetch()} />}
              {page.isSuccess && !ownManifest && pipeline === null && <Text size="sm" c="red" role="alert">{t("launch:noPipeline", { name: plain(draft.pipeline) })}</Text>}
              {page.isSuccess && from !== "" && page.data.run === null && <Text size="sm" c="red" role="alert">{t("launch:noRun")}</Text>}
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
                        value={own(draft.parameters, parameter.name) ?? parameter.value ?? parameter.default ?? ""}
                        datasets={known}
                        error={refusedAt(parameter.name)}
                        onChange={(value) => setDraft((old) => ({ ...old, parameters: { ...old.parameters, [parameter.name]: value } }))}
                      />
                    ))}
                  </Stack>
                </Fieldset>
              ))}
              {parameters.some((p) => isData(p)) && <More query={datasets} />}
            </Stack>
          </Card>
        </Stack>
        <Stack>
          {sketch.length > 0 && (
            <Card title={t("launch:preview")}>
              <Sketch nodes={sketch} height={200} />
            </Card>
          )}
          {page.isSuccess && (
            <Card title={t("reuse:title")}>
              <Stack>
                <ReuseChoice value={reuse} from={again} allowed={allowed} onChange={(value) => change({ reuse: value, ...nameFor(value, draft.name, again?.name ?? "") })} />
                {reuse !== "" && told?.quote?.reuse && <ReusePlan plan={told.quote.reuse} saved={told.quote.saved} />}
              </Stack>
            </Card>
          )}
          <Card title={t("launch.quote")} aside={check.isFetching ? <Loader size="xs" aria-label={t("app.loading")} /> : undefined}>
            {check.isError ? (
              <ErrorNote error={check.error} again={() => void check.refetch()} />
            ) : told?.quote?.reuse && told.quote.steps === 0 ? (
              <Text size="sm">{t("reuse:nothingRuns")}</Text>
            ) : told?.quote ? (
              <QuoteView quote={told.quote} objective={draft.objective} onObjective={(objective) => change({ objective })} />
            ) : refused.length > 0 ? (
              <Alert color="red" title={t("launch:values")} p="xs">
                {elsewhere.length < refused.length && <Text size="sm">{t("launch:valuesAt", { names: [...new Set(refused.filter((f) => !elsewhere.includes(f)).map((f) => plain(f.parameter)))].join(", ") })}</Text>}
                <List size="sm">{elsewhere.slice(0, 30).map((f, i) => <List.Item key={i}><Entry entry={{ ...f, code: undefined }} /></List.Item>)}</List>
              </Alert>
            ) : (
              <Text size="sm" c="dimmed">{t(missing.length > 0 ? "launch:afterValues" : wrong.length > 0 ? "launch:afterErrors" : "launch:noQuote")}</Text>
            )}
          </Card>
          <Card title={t("launch.submit")}>
            <Stack gap="sm">
              <TextInput label={t("launch.name")} description={reuse !== "" && again !== null && draft.name === again.name ? t("launch:nameKept") : undefined} placeholder={told?.name ? t(told.name.endsWith("-") ? "launch:nameMade" : "launch:nameGiven", { name: plain(told.name) }) : undefined} value={draft.name} maxLength={120} onChange={(e) => change({ name: e.target.value })} />
              <Stack gap={4}>
                <Text size="sm" fw={500}>{t("launch.objective")}</Text>
                <SegmentedControl
                  aria-label={t("launch.objective")}
                  data={[{ value: "", label: t("launch.default") }, ...OBJECTIVES.map((value) => ({ value, label: t(`launch.${value}`) }))]}
                  value={draft.objective}
                  onChange={(objective) => change({ objective })}
                  size="xs"
                  withItemsBorders={false}
                  styles={{ root: { flexWrap: "wrap" }, control: { flex: "1 1 auto" } }} // on a phone in two rows, no word cut off
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
                label={priced(t("launch.maxCost"))}
                description={t("launch.maxCostHelp")}
                inputMode="decimal"
                value={draft.maxCost}
                error={badCost ? t("launch.badMoney") : undefined}
                onChange={(e) => change({ maxCost: e.target.value })}
              />
              {submit.isError && <ErrorNote error={submit.error} />}
              <Group>
                <Button onClick={launch} loading={submit.isPending} disabled={!ready || badCost || missing.length > 0 || refused.length > 0}>
                  {t("launch.submit")}
                </Button>
                {page.data?.may_launch === false && <Text size="xs">{t("launch:viewer")}</Text>}
                {missing.length > 0 && <Text size="xs" c="red">{t("launch.required")}: {missing.map((p) => plain(p.name)).join(", ")}</Text>}
                {refused.length > 0 && <Text size="xs" c="red">{t("launch:values")}</Text>}
              </Group>
            </Stack>
          </Card>
        </Stack>
      </SimpleGrid>
    </Page>
  );
}

/** Fill the form from a run that was: the same manifest or pipeline, the same inputs. */
function useOrigin(run: Schemas["LaunchAgainOut"] | null, reuse: boolean, change: (some: Partial<Draft>) => void): void {
  const done = useRef("");
  useEffect(() => {
    if (run === null || done.current === run.id) return;
    done.current = run.id;
    change({ pipeline: run.pipeline ?? OWN, manifest: run.manifest, parameters: run.parameters, objective: run.objective, priority: run.priority, reuse: reuse ? run.id : "", ...nameFor(reuse ? run.id : "", "", run.name) });
  }, [run, reuse, change]);
}
