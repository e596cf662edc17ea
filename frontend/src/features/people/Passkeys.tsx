// My passkeys: added with my password, named, removed with it. Where they cannot work on this page, the address where they do.

import { Alert, Anchor, Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { ago, plain } from "@/lib/format";
import { passkeysWork } from "@/lib/passkey";
import { useNow } from "@/lib/useNow";
import { usePasskeyAdd, usePasskeyRemove, usePasskeyRename } from "@/queries/passkeys";

type Row = Schemas["PasskeyOut"];

export function Passkeys({ passkeys, origins }: { passkeys: Row[]; origins: string[] }) {
  const { t, i18n } = useTranslation(["passkeys", "base"]);
  const now = useNow(false);
  const rename = usePasskeyRename();
  const [leaving, setLeaving] = useState<Row | null>(null);
  const [naming, setNaming] = useState<Row | null>(null);
  const when = (text: string) => ago(Math.min(Date.parse(text), now), now, i18n.language);
  return (
    <Stack gap="sm">
      <Text size="sm">{t("hint")}</Text>
      {passkeys.length > 0 && (
        <Stack gap="xs" component="ul" style={{ listStyle: "none", padding: 0, margin: 0 }}>
          {passkeys.map((row) => (
            <Group component="li" key={row.id} justify="space-between" wrap="nowrap" gap="sm">
              {naming?.id === row.id ? (
                <NameForm row={row} pending={rename.isPending} save={(name) => rename.mutate({ id: row.id, name }, { onSuccess: () => setNaming(null) })} />
              ) : (
                <Stack gap={0} style={{ minWidth: 0 }}>
                  <Text size="sm" fw={500} style={{ overflowWrap: "anywhere" }}>{plain(row.name)}</Text>
                  <Text size="xs" c="dimmed">{t("added", { when: when(row.created_at) })} · {row.last_used_at ? t("used", { when: when(row.last_used_at) }) : t("unused")}</Text>
                </Stack>
              )}
              {naming?.id !== row.id && (
                <Group gap={4} wrap="nowrap" style={{ flexShrink: 0 }}>
                  <Button size="compact-xs" variant="subtle" aria-label={t("renameNamed", { name: plain(row.name) })} onClick={() => setNaming(row)}>{t("rename")}</Button>
                  <Button size="compact-xs" variant="light" color="red" aria-label={t("removeNamed", { name: plain(row.name) })} onClick={() => setLeaving(row)}>{t("remove")}</Button>
                </Group>
              )}
            </Group>
          ))}
        </Stack>
      )}
      {rename.isError && <ErrorNote error={rename.error} />}
      {passkeysWork(origins) ? <Add first={passkeys.length === 0} /> : <Elsewhere origins={origins} />}
      <Dialog opened={leaving !== null} onClose={() => setLeaving(null)} title={leaving ? t("removeNamed", { name: plain(leaving.name) }) : ""}>
        {leaving && <Remove row={leaving} last={passkeys.length === 1} done={() => setLeaving(null)} />}
      </Dialog>
    </Stack>
  );
}

function NameForm({ row, pending, save }: { row: Row; pending: boolean; save: (name: string) => void }) {
  const { t } = useTranslation(["passkeys", "base"]);
  const [name, setName] = useState(row.name);
  return (
    <form style={{ flexGrow: 1 }} onSubmit={(e) => { e.preventDefault(); save(name.trim()); }}>
      <Group align="flex-end" gap="xs">
        <TextInput size="xs" label={t("name")} value={name} maxLength={60} autoFocus onChange={(e) => setName(e.target.value)} />
        <Button size="xs" type="submit" loading={pending} disabled={name.trim() === ""}>{t("save")}</Button>
      </Group>
    </form>
  );
}

function Add({ first }: { first: boolean }) {
  const { t } = useTranslation(["passkeys", "base"]);
  const add = usePasskeyAdd();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  return (
    <Stack gap="sm">
      {add.data && add.data.codes.length > 0 && (
        <Alert color="green" title={t("codes")}>
          <Code block>{add.data.codes.join("\n")}</Code>
        </Alert>
      )}
      {open ? (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            add.mutate({ name, password }, { onSuccess: () => { setOpen(false); setName(""); }, onSettled: () => setPassword("") });
          }}
        >
          <Stack gap="xs">
            {first && <Text size="sm" c="dimmed">{t("firstHint")}</Text>}
            <Group align="flex-end" gap="sm">
              <TextInput size="xs" label={t("name")} placeholder={t("nameHint")} value={name} maxLength={60} autoFocus onChange={(e) => setName(e.target.value)} />
              <Password size="xs" w={180} label={t("password")} autoComplete="current-password" value={password} onChange={(e) => setPassword(e.target.value)} />
              <Button size="xs" type="submit" loading={add.isPending}>{t("addNow")}</Button>
              <Button size="xs" variant="default" onClick={() => setOpen(false)}>{t("base:app.close")}</Button>
            </Group>
          </Stack>
        </form>
      ) : (
        <Group><Button size="xs" onClick={() => { add.reset(); setOpen(true); }}>{t("add")}</Button></Group>
      )}
      {add.isError && <ErrorNote error={add.error} />}
    </Stack>
  );
}

function Remove({ row, last, done }: { row: Row; last: boolean; done: () => void }) {
  const { t } = useTranslation(["passkeys", "base"]);
  const remove = usePasskeyRemove();
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        remove.mutate({ id: row.id, password }, { onSuccess: done });
      }}
    >
      <Stack>
        <Text size="sm">{t(last ? "removeLast" : "removeHint")}</Text>
        <Password label={t("password")} autoComplete="current-password" value={password} data-autofocus onChange={(e) => setPassword(e.target.value)} />
        {remove.isError && <ErrorNote error={remove.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={done}>{t("base:app.close")}</Button>
          <Button color="red" type="submit" loading={remove.isPending}>{t("remove")}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function Elsewhere({ origins }: { origins: string[] }) {
  const { t } = useTranslation("passkeys");
  const other = origins.find((origin) => origin !== window.location.origin);
  if (origins.includes(window.location.origin)) return <Text size="sm" c="dimmed">{t("oldBrowser")}</Text>;
  return (
    <Text size="sm" c="dimmed">
      {other ? <>{t("elsewhere")} <Anchor underline="always" href={`${other}/account`}>{plain(other)}</Anchor></> : t("nowhere")}
    </Text>
  );
}

