// A step that waits for a person, as the form of what it asks for; afterwards, who answered what.

import { Alert, Button, Group, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { When } from "@/components/parts";
import type { GraphNode } from "@/features/graph/layout";
import { plain } from "@/lib/format";
import { distinct, own } from "@/lib/named";
import { useAnswer } from "@/queries/again";
import type { Step } from "@/queries/run";
import { answersTo, questionsOf } from "./answer";

export function Answer({ run, node, step }: { run: string; node: GraphNode; step: Step }) {
  return (
    <>
      {node.phase === "Running" && <Ask run={run} step={step} />}
      <Answered node={node} step={step} />
    </>
  );
}

function Ask({ run, step }: { run: string; step: Step }) {
  const { t } = useTranslation(["again", "base"]);
  const answer = useAnswer(run, step.node.node_id);
  const [values, setValues] = useState<Record<string, string>>({});
  const [message, setMessage] = useState("");
  const questions = questionsOf(step.node.inputs, step.node.outputs);
  const outputs = Object.fromEntries(questions.map((q) => [q.name, own(values, q.name) ?? q.value]));
  const send = (go: boolean) => answer.mutate({ go, outputs: go ? outputs : {}, message });
  const set = (name: string, value: string) => setValues((old) => ({ ...old, [name]: value }));
  return (
    <Alert color="orange" title={t("waits")}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          send(true);
        }}
      >
        <Stack gap="xs">
          {questions.map((q) => {
            const common = { label: plain(q.name), description: plain(q.help) || undefined, value: own(values, q.name) ?? q.value };
            return q.choices.length > 0 ? (
              <Select key={q.name} {...common} data={distinct(q.choices)} allowDeselect={false} onChange={(v) => set(q.name, v ?? "")} />
            ) : (
              <TextInput key={q.name} {...common} onChange={(e) => set(q.name, e.target.value)} />
            );
          })}
          <Textarea label={t("message")} description={t("messageHint")} value={message} maxLength={1000} autosize onChange={(e) => setMessage(e.target.value)} />
          {answer.isError && <ErrorNote error={answer.error} />}
          {answer.isSuccess && <Text size="sm" role="status">{t("sent")}</Text>}
          <Group>
            <Button size="xs" type="submit" loading={answer.isPending && answer.variables.go}>{t("goOn")}</Button>
            <Button size="xs" color="red" variant="light" loading={answer.isPending && !answer.variables.go} onClick={() => send(false)}>{t("endFailed")}</Button>
          </Group>
        </Stack>
      </form>
    </Alert>
  );
}

function Answered({ node, step }: { node: GraphNode; step: Step }) {
  const { t } = useTranslation(["again", "base"]);
  const found = answersTo(step.signals, node);
  if (found.length === 0) return null;
  return (
    <Stack gap={2}>
      {found.map((signal) => {
        const said = signal.payload as { outputs?: Record<string, string>; message?: string; phase?: string };
        const values = Object.entries(said.outputs ?? {}).map(([name, value]) => `${name} = ${value}`).join(", ");
        return (
          <Text size="sm" key={signal.id}>
            {t(`deed.${signal.kind}`, { who: plain(signal.actor.replace(/^user:/, "")) })} <When ms={signal.at_ms} />
            {values && `: ${plain(values)}`}
            {said.message && ` — ${plain(said.message)}`}
            {signal.refused !== "" && ` (${plain(signal.refused)})`}
          </Text>
        );
      })}
    </Stack>
  );
}
