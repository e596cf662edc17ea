// One parameter as the field its `fubini.dev/input.NAME` annotation asks for; a text field where there is none.

import { NumberInput, Select, Switch, TextInput, Textarea } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { plain } from "@/lib/format";

export type Parameter = Schemas["ParameterOut"];

export interface Form {
  type?: string;
  unit?: string;
  range?: [number | null, number | null];
  choices?: (string | number | boolean)[];
  title?: string | Record<string, string>;
  help?: string | Record<string, string>;
}

/** A text in the reader's language where the annotation has several. */
export function inLanguage(text: string | Record<string, string> | undefined, language: string): string {
  if (text === undefined) return "";
  if (typeof text === "string") return text;
  return text[language] ?? text.en ?? Object.values(text)[0] ?? "";
}

export function ParameterField({ parameter, value, datasets, onChange }: { parameter: Parameter; value: string; datasets: string[]; onChange: (value: string) => void }) {
  const { t, i18n } = useTranslation();
  const form = (parameter.form ?? {}) as Form;
  const language = i18n.language.slice(0, 2);
  const unit = form.unit ? ` (${plain(form.unit)})` : "";
  const common = {
    label: plain(inLanguage(form.title, language) || parameter.name) + unit,
    description: plain(inLanguage(form.help, language) || parameter.description) || undefined,
    placeholder: parameter.default ?? parameter.value ?? (parameter.required ? t("launch.required") : ""),
    required: parameter.required,
    "data-parameter": parameter.name,
  };
  const choices = form.choices?.map(String) ?? (parameter.enum.length > 0 ? parameter.enum : null);
  if (form.type === "boolean")
    return <Switch label={common.label} description={common.description} checked={value === "true"} onChange={(e) => onChange(String(e.currentTarget.checked))} />;
  if (choices) return <Select {...common} data={choices} value={value || null} onChange={(v) => onChange(v ?? "")} searchable={choices.length > 8} />;
  if (form.type === "dataset") return <Select {...common} data={datasets} value={value || null} onChange={(v) => onChange(v ?? "")} searchable />;
  if (form.type === "number" || form.type === "integer") {
    const [low, high] = form.range ?? [null, null];
    return (
      <NumberInput
        {...common}
        value={value === "" ? "" : Number(value)}
        min={low ?? undefined}
        max={high ?? undefined}
        clampBehavior="none"
        allowDecimal={form.type === "number"}
        onChange={(v) => onChange(v === "" ? "" : String(v))}
      />
    );
  }
  if (value.includes("\n") || value.length > 80) return <Textarea {...common} value={value} autosize maxRows={8} onChange={(e) => onChange(e.target.value)} />;
  return <TextInput {...common} value={value} onChange={(e) => onChange(e.target.value)} />;
}
