// A new version of a pool's price book: typed in currency units, beginning now or later, compared before it is made.

import { Button, Group, SegmentedControl, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { priced } from "@/lib/format";
import { type PriceVersion, usePriceMake, usePricePreview } from "@/queries/prices";
import { Difference } from "./Difference";
import { ratesOf, SCALARS, typedOf } from "./rates";

export function NewVersion({ pool, name, base }: { pool: string; name: string; base: PriceVersion | null }) {
  const { t } = useTranslation(["prices", "base"]);
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={`${t("make")}: ${name}`} onClick={open}>{t("make")}</Button>
      <Dialog opened={opened} onClose={close} title={t("makeTitle", { name })} size="lg">
        {opened && <Form pool={pool} base={base} done={close} />}
      </Dialog>
    </>
  );
}

function Form({ pool, base, done }: { pool: string; base: PriceVersion | null; done: () => void }) {
  const { t } = useTranslation(["prices", "base"]);
  const [typed, setTyped] = useState(() => typedOf(base));
  const [when, setWhen] = useState<"now" | "later">("now");
  const [at, setAt] = useState("");
  const { rates, wrong } = ratesOf(typed);
  const begins = when === "later" && at !== "" ? new Date(at) : null;
  const past = begins !== null && begins.getTime() < Date.now();
  const ready = wrong.length === 0 && !past && (when === "now" || begins !== null);
  const ask = ready ? { ...rates, ...(begins ? { valid_from: begins.toISOString() } : {}) } : null;
  const [settled] = useDebouncedValue(JSON.stringify(ask), 400);
  const preview = usePricePreview(pool, JSON.parse(settled) as typeof ask);
  const make = usePriceMake(pool);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const set = (field: keyof typeof typed) => (e: React.ChangeEvent<HTMLInputElement>) => setTyped({ ...typed, [field]: e.currentTarget.value });
  return (
    <form onSubmit={(e) => { e.preventDefault(); if (ask) make.mutate(ask, { onSuccess: done }); }}>
      <Stack gap="sm">
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          {SCALARS.map((field, i) => (
            <TextInput key={field} label={priced(t(`rate.${field}`))} value={typed[field]} inputMode="decimal" error={wrong.includes(field) ? t("amountWrong") : undefined} {...(i === 0 ? { "data-autofocus": true } : {})} onChange={set(field)} />
          ))}
        </SimpleGrid>
        <TextInput label={priced(t("devices"))} description={t("devicesHint")} value={typed.devices} error={wrong.includes("devices") ? t("devicesWrong") : undefined} onChange={set("devices")} />
        <Group align="flex-end">
          <SegmentedControl size="xs" aria-label={t("from")} value={when} onChange={(value) => setWhen(value as "now" | "later")} data={[{ value: "now", label: t("now") }, { value: "later", label: t("later") }]} />
          {when === "later" && <TextInput size="xs" type="datetime-local" label={t("fromZone", { zone })} value={at} error={past ? t("past") : undefined} onChange={(e) => setAt(e.currentTarget.value)} />}
        </Group>
        <Text size="xs" c="dimmed">{t("keeps")}</Text>
        {preview.isError && ready && <ErrorNote error={preview.error} />}
        {preview.data && ready && <Difference preview={preview.data} />}
        {make.isError && <ErrorNote error={make.error} />}
        <Group justify="flex-end">
          <Button variant="default" size="xs" onClick={done}>{t("base:app.close")}</Button>
          <Button size="xs" type="submit" loading={make.isPending} disabled={!ready}>{t("make")}</Button>
        </Group>
      </Stack>
    </form>
  );
}
