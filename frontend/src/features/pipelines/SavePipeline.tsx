// A manifest kept under a name: a new pipeline, or the next version of the one that has the name.

import { Anchor, Button, Group, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api, bodyOf } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";

/** `name`: what is suggested. With `wrong` the server would refuse the text, so the button waits and says why. */
export function SavePipeline({ project, manifest, name, wrong, onSaved }: { project: string; manifest: string; name: string; wrong: boolean; onSaved: (name: string) => void }) {
  const { t } = useTranslation(["save", "base"]);
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const called = (typed ?? name).trim();
  const save = useMutation({
    mutationFn: () => bodyOf(api.POST("/api/v1/pipelines", { body: { project, manifest, name: called, ...(description.trim() === "" ? {} : { description: description.trim() }) } })),
    onSuccess: (saved) => {
      setAsking(false);
      setTyped(null);
      void client.invalidateQueries({ predicate: ({ queryKey }) => ["pipeline", "pipelines", "launch"].includes(String(queryKey[0])) });
      onSaved(saved.name);
    },
  });
  return (
    <Group gap="sm">
      <Button size="xs" variant="default" disabled={wrong} onClick={() => { save.reset(); setAsking(true); }}>{t("save")}</Button>
      {wrong && <Text size="xs" c="dimmed">{t("wrong")}</Text>}
      {save.data && (
        <Text size="xs" role="status">
          {t(save.data.created ? "saved" : "same", { name: plain(save.data.name), n: save.data.version })} <Anchor component={Link} size="xs" to={`/pipelines/${save.data.id}`}>{t("open")}</Anchor>
        </Text>
      )}
      <Dialog opened={asking} onClose={() => setAsking(false)} title={t("save")}>
        <form onSubmit={(e) => { e.preventDefault(); save.mutate(); }}>
          <Stack gap="sm">
            <TextInput label={t("name")} description={t("nameHelp")} value={typed ?? name} maxLength={63} required data-autofocus onChange={(e) => setTyped(e.currentTarget.value)} />
            <Textarea label={t("description")} value={description} maxLength={400} autosize maxRows={5} onChange={(e) => setDescription(e.currentTarget.value)} />
            {save.isError && <ErrorNote error={save.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setAsking(false)}>{t("base:app.close")}</Button>
              <Button type="submit" loading={save.isPending} disabled={called === ""}>{t("save")}</Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </Group>
  );
}
