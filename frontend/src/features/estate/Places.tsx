// Stopping and opening a site or a pool, and what a pool allows.

import { Button, Checkbox, NumberInput, Select, Stack, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { type EstatePool, type Place, useClose, useOpen, usePoolChange, usePoolMake } from "@/queries/estate";
import { Asked } from "./Asked";

export function Close({ place, name, running }: { place: Place; name: string; running: number }) {
  const { t } = useTranslation(["estate", "base"]);
  const close = useClose();
  const [reason, setReason] = useState("");
  const [drain, setDrain] = useState(false);
  const [minutes, setMinutes] = useState<number | string>(10);
  return (
    <Asked
      word={t("close")}
      doWord={t(drain ? "doDrain" : "close")}
      name={name}
      what={t(drain ? "drainWhat" : "closeWhat", { count: running })}
      red={drain}
      deed={close}
      ready={reason.trim() !== ""}
      run={(done) => close.mutate({ place, reason: reason.trim(), graceS: drain ? Math.round(Number(minutes) * 60) : null }, { onSuccess: done })}
    >
      <TextInput label={t("reason")} description={t("reasonWhat")} value={reason} maxLength={200} required data-autofocus onChange={(e) => setReason(e.currentTarget.value)} />
      <Checkbox label={t("drain")} checked={drain} onChange={(e) => setDrain(e.currentTarget.checked)} />
      {drain && <NumberInput label={t("grace")} value={minutes} onChange={setMinutes} min={0} max={43_200} allowDecimal={false} />}
    </Asked>
  );
}

export function Open({ place, name }: { place: Place; name: string }) {
  const { t } = useTranslation(["estate", "base"]);
  const open = useOpen();
  return (
    <Stack gap={4}>
      <Button size="compact-xs" variant="default" aria-label={`${t("open")}: ${name}`} loading={open.isPending} onClick={() => open.mutate(place)}>{t("open")}</Button>
      {open.isError && <ErrorNote error={open.error} />}
    </Stack>
  );
}

/** Names as they are typed: by commas or spaces. */
export const names = (text: string) => text.split(/[\s,，、]+/).filter((name) => name !== "");

const whole = (value: number | string) => (value === "" ? null : Math.round(Number(value)));

export function PoolForm({ site, pool }: { site: string; pool?: EstatePool }) {
  const { t } = useTranslation(["estate", "base"]);
  const make = usePoolMake();
  const change = usePoolChange();
  const [name, setName] = useState("");
  const [kind, setKind] = useState<"owned" | "queued">("owned");
  const [slots, setSlots] = useState<number | string>(pool?.max_running ?? "");
  const [hours, setHours] = useState<number | string>(pool?.max_walltime_s ? pool.max_walltime_s / 3600 : "");
  const [projects, setProjects] = useState(pool?.projects.join(", ") ?? "");
  const walltime = hours === "" ? null : Math.round(Number(hours) * 3600);
  const body = { max_running: whole(slots), max_walltime_s: walltime, projects: names(projects) };
  return (
    <Asked
      word={t(pool ? "settings" : "poolMake")}
      name={pool ? `${site}/${plain(pool.name)}` : site}
      what={pool ? "" : t("poolWhat")}
      deed={pool ? change : make}
      ready={pool !== undefined || name !== ""}
      run={(done) => (pool ? change.mutate({ id: pool.id, ...body }, { onSuccess: done }) : make.mutate({ ref: site, name, kind, ...body }, { onSuccess: done }))}
    >
      {!pool && <TextInput label={t("name")} value={name} maxLength={48} required data-autofocus onChange={(e) => setName(e.currentTarget.value)} />}
      {!pool && <Select label={t("kind")} value={kind} allowDeselect={false} onChange={(value) => setKind(value as "owned" | "queued")} data={[{ value: "owned", label: t("owned") }, { value: "queued", label: t("queued") }]} />}
      <NumberInput label={t("slots")} placeholder={t("noLimit")} value={slots} onChange={setSlots} min={1} max={1_000_000} allowDecimal={false} />
      <NumberInput label={t("walltime")} placeholder={t("noLimit")} value={hours} onChange={setHours} min={0.01} max={8784} />
      <TextInput label={t("projects")} description={t("projectsWhat")} value={projects} onChange={(e) => setProjects(e.currentTarget.value)} />
    </Asked>
  );
}
