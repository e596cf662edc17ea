// A value goes in here and nowhere else: it leaves the page with the call, whatever comes of it.

import { Button, FileButton, Group, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { useSecretSet } from "@/queries/secrets";

const FILE_MAX_BYTES = 64 * 1024;

export function SecretForm({ project, known }: { project: string; known: Schemas["SecretOut"][] }) {
  const { t } = useTranslation(["secrets", "base"]);
  const set = useSecretSet(project);
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [file, setFile] = useState("");
  const [done, setDone] = useState("");
  const replaces = known.some((secret) => secret.name === name && (secret.keys ?? []).some((one) => one.key === key));
  const read = async (chosen: File | null) => {
    if (!chosen) return;
    if (chosen.size > FILE_MAX_BYTES) return setFile(t("fileBig", { name: plain(chosen.name) }));
    setValue(await chosen.text());
    setFile(plain(chosen.name));
  };
  return (
    <form
      autoComplete="off"
      onSubmit={(e) => {
        e.preventDefault();
        setDone("");
        set.mutate(
          { name, key, value },
          {
            onSuccess: () => setDone(`${name}/${key}`),
            onSettled: () => { setValue(""); setFile(""); },
          },
        );
      }}
    >
      <Stack gap="sm">
        <Group align="flex-start" gap="sm">
          <TextInput label={t("name")} description={t("nameHint")} required value={name} maxLength={253} onChange={(e) => setName(e.target.value)} />
          <TextInput label={t("key")} description={t("keyHint")} required value={key} maxLength={253} onChange={(e) => setKey(e.target.value)} />
          <Password w={260} label={t("value")} description={file || t("valueHint")} required={file === ""} autoComplete="new-password" value={value} onChange={(e) => { setValue(e.target.value); setFile(""); }} />
          <FileButton onChange={(chosen) => void read(chosen)}>{(props) => <Button {...props} variant="default" mt={44}>{t("file")}</Button>}</FileButton>
        </Group>
        {replaces && <Text size="sm" c="orange">{t("replaces")}</Text>}
        {set.isError && <ErrorNote error={set.error} />}
        <Group>
          <Button size="xs" type="submit" loading={set.isPending} disabled={name === "" || key === "" || value === ""}>{t(replaces ? "replace" : "save")}</Button>
          {done && <Text size="sm" role="status">{t("saved", { what: plain(done) })}</Text>}
        </Group>
      </Stack>
    </form>
  );
}
