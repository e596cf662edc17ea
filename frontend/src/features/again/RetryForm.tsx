// Run again what failed: with what the failed attempts advise, quoted before it starts.

import { Alert, Anchor, Button, Group, Loader, NumberInput, SimpleGrid, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { idempotencyKey } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { duration, moneyRange, plain, size } from "@/lib/format";
import { own } from "@/lib/named";
import { useRetry, useRetryProposal, type RetryAsk } from "@/queries/again";

const MIB = 1024 * 1024;

interface Fields {
  selector: string;
  memoryMib: number | "";
  walltimeS: number | "";
  image: string;
  restart: boolean;
  parameters: Record<string, string>;
}

const NOTHING: Fields = { selector: "", memoryMib: "", walltimeS: "", image: "", restart: false, parameters: {} };

function askOf(fields: Fields): RetryAsk {
  return {
    ...(fields.selector.trim() && { selector: fields.selector.trim() }),
    ...(fields.memoryMib !== "" && { memory_bytes: fields.memoryMib * MIB }),
    ...(fields.walltimeS !== "" && { walltime_s: fields.walltimeS }),
    ...(fields.image.trim() && { image: fields.image.trim() }),
    ...(fields.restart && { restart_successful: true }),
    ...(Object.keys(fields.parameters).length > 0 && { parameters: fields.parameters }),
  };
}

export function RetryForm({ run, parameters, opened, onClose }: { run: string; parameters: Record<string, string>; opened: boolean; onClose: () => void }) {
  const { t } = useTranslation(["again", "reuse", "base"]);
  const [fields, setFields] = useState(NOTHING);
  const [ask] = useDebouncedValue(askOf(fields), 400);
  const retry = useRetry(run);
  const proposal = useRetryProposal(run, ask, opened && !retry.isPending && !retry.isSuccess);
  const key = useRef(idempotencyKey());
  const change = (some: Partial<Fields>) => setFields((old) => ({ ...old, ...some }));
  const number = (value: number | string): number | "" => (typeof value === "number" && value > 0 ? Math.floor(value) : "");
  const quote = proposal.data?.quote;
  const start = () =>
    retry.mutate({ ask: askOf(fields), key: key.current }, { onSuccess: () => { setFields(NOTHING); onClose(); }, onSettled: () => (key.current = idempotencyKey()) });
  return (
    <Dialog opened={opened} onClose={onClose} title={t("title")} size="lg">
      <Stack>
        {proposal.data?.advice.map((row) => (
          <Alert key={`${row.template} ${row.what} ${row.cause}`} color={row.proposed === null ? "gray" : "blue"} p="xs" title={t("failedSteps", { count: row.nodes, template: plain(row.template) })}>
            <Group justify="space-between" wrap="nowrap">
              <Text size="sm">{plain(row.evidence)}</Text>
              {row.proposed !== null && (
                <Button
                  size="compact-xs" variant="light" style={{ flexShrink: 0 }}
                  onClick={() => change(row.what === "memory_bytes" ? { memoryMib: Math.ceil(row.proposed! / MIB) } : { walltimeS: row.proposed! })}
                >
                  {t("use", { value: row.what === "memory_bytes" ? size(row.proposed) : duration(row.proposed * 1000) })}
                </Button>
              )}
            </Group>
          </Alert>
        ))}
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <NumberInput label={t("memory")} suffix=" MiB" min={1} value={fields.memoryMib} onChange={(v) => change({ memoryMib: number(v) })} placeholder={t("asBefore")} />
          <NumberInput label={t("walltime")} suffix=" s" min={1} value={fields.walltimeS} onChange={(v) => change({ walltimeS: number(v) })} placeholder={t("asBefore")} />
          <TextInput label={t("image")} value={fields.image} maxLength={500} onChange={(e) => change({ image: e.target.value })} placeholder={t("asBefore")} />
          <TextInput label={t("selector")} description={t("selectorHint")} inputWrapperOrder={["label", "input", "description"]} value={fields.selector} maxLength={1000} onChange={(e) => change({ selector: e.target.value })} placeholder={t("allFailed")} />
          {Object.entries(parameters).map(([name, value]) => (
            <TextInput
              key={name} label={plain(name)} value={own(fields.parameters, name) ?? value}
              onChange={(e) => {
                const next = { ...fields.parameters, [name]: e.target.value };
                if (e.target.value === value) delete next[name];
                change({ parameters: next });
              }}
            />
          ))}
        </SimpleGrid>
        <Switch label={t("restart")} checked={fields.restart} onChange={(e) => change({ restart: e.currentTarget.checked })} />
        <Text size="xs" c="dimmed">
          {t("reuse:retryHint")} <Anchor component={Link} fz="xs" to={`/launch?from=${run}&reuse=run`}>{t("reuse:retryLink")}</Anchor>
        </Text>
        {proposal.isError && <ErrorNote error={proposal.error} />}
        {proposal.data?.refused && <Alert color="red" p="xs" role="alert">{plain(proposal.data.refused)}</Alert>}
        {retry.isError && <ErrorNote error={retry.error} />}
        <Group justify="space-between">
          <Text size="sm" aria-live="polite">
            {proposal.isFetching ? <Loader size="xs" aria-label={t("base:app.loading")} /> : quote ? t("quote", { count: quote.steps, money: moneyRange(quote.money_low_micros, quote.bounded ? quote.money_high_micros : null), time: `${duration(quote.time_low_s * 1000)} – ${quote.bounded ? duration(quote.time_high_s * 1000) : "…"}` }) : ""}
          </Text>
          <Button onClick={start} loading={retry.isPending} disabled={!proposal.data || proposal.data.refused !== ""}>{t("base:run.retry")}</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
