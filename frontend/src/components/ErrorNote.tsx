// A problem as the reader needs it: what, why, what to do next; and every single error with its place.

import { Alert, Button, Code, List, Stack, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { asProblem, isTransient, type ProblemEntry } from "@/api/problem";
import { plain } from "@/lib/format";

/** Asking again changes nothing about these. */
const FINAL = new Set([403, 404]);

export function ErrorNote({ error, again }: { error: unknown; again?: () => void }) {
  const { t } = useTranslation();
  const problem = asProblem(error);
  const left = useCountdown(isTransient(error) ? (problem.retryAfterS ?? 5) : 0, again);
  const title = problem.status === 0 ? t("problem.offline") : problem.status === 429 ? t("problem.busy") : plain(problem.message);
  return (
    <Alert color={isTransient(error) ? "yellow" : "red"} title={title} role="alert">
      <Stack gap="xs" align="flex-start">
        {problem.detail !== "" && problem.detail !== problem.message && <Text size="sm">{plain(problem.detail)}</Text>}
        {problem.errors.length > 0 && (
          <List size="sm" spacing={2}>
            {problem.errors.slice(0, 50).map((entry, i) => (
              <List.Item key={i}>
                <Entry entry={entry} />
              </List.Item>
            ))}
          </List>
        )}
        {problem.nextStep !== "" && (
          <Text size="sm">
            <b>{t("problem.next")}:</b> {plain(problem.nextStep)}
          </Text>
        )}
        {isTransient(error) && again && <Text size="sm">{t("problem.busyNext", { seconds: left })}</Text>}
        {problem.requestId !== "" && (
          <Text size="xs" c="dimmed">
            {t("problem.request", { id: problem.requestId })}
          </Text>
        )}
        {again && !FINAL.has(problem.status) && (
          <Button size="xs" variant="default" onClick={again}>
            {t("problem.again")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

export function Entry({ entry }: { entry: ProblemEntry }) {
  const { t } = useTranslation();
  const show = (value: unknown) => plain(typeof value === "string" ? value : Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join(", ") : JSON.stringify(value)).slice(0, 300);
  const place = entry.path || entry.pointer || "";
  return (
    <>
      {place !== "" && <Code>{plain(place)}</Code>} {entry.line ? `(${t("problem.line", { line: entry.line })}) ` : ""}
      {plain(entry.detail ?? entry.code ?? "")}
      {entry.found !== undefined && entry.found !== null && entry.found !== "" && ` — ${t("problem.found")}: ${show(entry.found)}`}
      {entry.allowed !== undefined && entry.allowed !== null && entry.allowed !== "" && ` — ${t("problem.allowed")}: ${show(entry.allowed)}`}
      {entry.nearest ? ` → ${plain(entry.nearest)}` : ""}
      {entry.next_step ? ` — ${plain(entry.next_step)}` : ""}
    </>
  );
}

/** Seconds until the next try, which happens by itself. */
function useCountdown(seconds: number, again?: () => void): number {
  const [left, setLeft] = useState(Math.ceil(seconds));
  useEffect(() => {
    if (seconds <= 0 || !again) return;
    const timer = setInterval(
      () =>
        setLeft((now) => {
          if (now > 1) return now - 1;
          again();
          return Math.ceil(seconds);
        }),
      1000,
    );
    return () => clearInterval(timer);
  }, [seconds, again]);
  return left;
}
