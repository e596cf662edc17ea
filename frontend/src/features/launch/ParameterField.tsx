// One parameter as the field its `fubini.dev/input.NAME` annotation asks for; a text field where there is none.

import { Loader, NumberInput, Select, Switch, TextInput, Textarea } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { lazy, Suspense } from "react";
import type { Schemas } from "@/api/client";
import type { KnownDataset } from "@/features/launch/DataField";
import { plain } from "@/lib/format";
import { distinct } from "@/lib/named";

// Most forms have no data in them: what uploads is fetched with the first field that does.
const DataField = lazy(async () => ({ default: (await import("./DataField")).DataField }));

export type Parameter = Schemas["ParameterOut"];

export interface Form {
  type?: string;
  unit?: string;
  range?: [number | null, number | null];
  choices?: (string | number | boolean)[];
  title?: string | Record<string, string>;
  group?: string | Record<string, string>;
  step?: number;
  multiline?: boolean;
  help?: string | Record<string, string>;
}

/** Parameters under their group's title, in the order the groups come; those of no group first. */
export function grouped(parameters: Parameter[], language: string): { title: string; parameters: Parameter[] }[] {
  const found = new Map<string, Parameter[]>([["", []]]);
  for (const parameter of parameters) {
    const title = inLanguage((parameter.form as Form | null)?.group, language);
    found.set(title, [...(found.get(title) ?? []), parameter]);
  }
  return [...found].filter(([, some]) => some.length > 0).map(([title, some]) => ({ title, parameters: some }));
}

/** A text in the reader's language where the annotation has several. */
export function inLanguage(text: string | Record<string, string> | undefined, language: string): string {
  if (text === undefined) return "";
  if (typeof text === "string") return text;
  return text[language] ?? text.en ?? Object.values(text)[0] ?? "";
}

/** Does the parameter name data of the project? */
export const isData = (parameter: Parameter): boolean => ["dataset", "file"].includes((parameter.form as Form | null)?.type ?? "");

export function ParameterField({ parameter, value, datasets, error, onChange }: { parameter: Parameter; value: string; datasets: KnownDataset[]; error?: string; onChange: (value: string) => void }) {
  const { t, i18n } = useTranslation();
  const form = (parameter.form ?? {}) as Form;
  const language = i18n.language.slice(0, 2);
  const unit = form.unit ? ` (${plain(form.unit)})` : "";
  const common = {
    label: plain(inLanguage(form.title, language) || parameter.name) + unit,
    description: plain(inLanguage(form.help, language) || parameter.description) || undefined,
    placeholder: parameter.default ?? parameter.value ?? (parameter.required ? t("launch.required") : ""),
    required: parameter.required,
    error,
    "data-parameter": parameter.name,
  };
  const choices = form.choices?.map(String) ?? (parameter.enum.length > 0 ? parameter.enum : null);
  if (form.type === "boolean")
    return <Switch label={common.label} description={common.description} error={error} checked={value === "true"} onChange={(e) => onChange(String(e.currentTarget.checked))} />;
  if (choices) return <Select {...common} data={distinct(choices)} value={value || null} onChange={(v) => onChange(v ?? "")} searchable={choices.length > 8} />;
  if (form.type === "dataset" || form.type === "file")
    return (
      <Suspense fallback={<Loader size="sm" aria-label={t("app.loading")} />}>
        <DataField field={common} name={parameter.name} value={value} datasets={datasets} onChange={onChange} />
      </Suspense>
    );
  if (form.type === "date") return <TextInput {...common} type="date" value={value} onChange={(e) => onChange(e.target.value)} />;
  if (form.type === "number" || form.type === "integer") {
    const [low, high] = form.range ?? [null, null];
    return (
      <NumberInput
        {...common}
        value={value === "" ? "" : Number(value)}
        min={low ?? undefined}
        max={high ?? undefined}
        step={form.step}
        clampBehavior="none"
        allowDecimal={form.type === "number"}
        onChange={(v) => onChange(v === "" ? "" : String(v))}
      />
    );
  }
  if (form.multiline || form.type === "json" || form.type === "list" || value.includes("\n") || value.length > 80) return <Textarea {...common} value={value} autosize maxRows={8} onChange={(e) => onChange(e.target.value)} />;
  return <TextInput {...common} value={value} onChange={(e) => onChange(e.target.value)} />;
}
