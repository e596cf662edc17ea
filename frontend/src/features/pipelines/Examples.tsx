// The ready-made patterns (kits/patterns), put into a project that has no pipeline yet with one click.

import { Button, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, bodyOf } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";

// The one left out uses a template that another stores, and is refused before that one is there.
const patterns = import.meta.glob<string>(["../../../../kits/patterns/*.yaml", "!../../../../kits/patterns/10-reuse-run.yaml"], { query: "?raw", import: "default" });

/** `kits/patterns/04-sweep.yaml` is the pipeline `sweep`. */
export const patternName = (path: string): string => path.replace(/^.*\/(?:\d+-)?/, "").replace(/\.yaml$/, "");

export function Examples({ project }: { project: string }) {
  const { t } = useTranslation(["gallery", "base"]);
  const client = useQueryClient();
  const files = Object.entries(patterns);
  const put = useMutation({
    // One after another: each is checked against the project's others, and a second click changes nothing.
    mutationFn: async () => {
      for (const [path, load] of files) await bodyOf(api.POST("/api/v1/pipelines", { body: { project, manifest: await load(), name: patternName(path) } }));
    },
    onSettled: () => client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "pipelines" || queryKey[0] === "launch" }),
  });
  return (
    <Stack gap="xs" align="flex-start">
      <Text size="sm">{t("examplesHint", { count: files.length })}</Text>
      <Button size="xs" loading={put.isPending} onClick={() => put.mutate()}>{t("examples")}</Button>
      {put.isError && <ErrorNote error={put.error} />}
    </Stack>
  );
}
