// The project's pipelines: what each looks like, what it takes, and what it has taken and cost so far.

import { Button, Code, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { Empty, Loaded, Page } from "@/components/parts";
import { Examples } from "@/features/pipelines/Examples";
import { GalleryCard } from "@/features/pipelines/GalleryCard";
import { plain } from "@/lib/format";
import { useGalleryPages } from "@/queries/gallery";

export function Pipelines() {
  const { t } = useTranslation(["gallery", "base"]);
  const [typed, setTyped] = useState("");
  const [tag, setTag] = useState("");
  const [search] = useDebouncedValue(typed.trim(), 300);
  const gallery = useGalleryPages(useProject(), search, tag);
  const looked = search !== "" || tag !== "";
  return (
    <Page title={t("base:pipelines.title")} actions={<Button component={Link} to="/launch?source=own" size="xs" variant="default">{t("write")}</Button>}>
      <Loaded query={gallery}>
        {({ pages }) => {
          const shown = pages.flatMap((page) => page.pipelines);
          if (shown.length === 0 && !looked) return <FirstUse />;
          const tags = [...new Set(shown.flatMap((s) => s.pipeline.about.tags))].sort();
          return (
            <Stack gap="md">
              <Group align="flex-end" gap="xs">
                <TextInput label={t("search")} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} w={{ base: "100%", sm: 280 }} />
                {(tag === "" ? tags : [tag]).slice(0, 20).map((name) => (
                  <Button key={name} size="compact-sm" variant={tag === name ? "filled" : "default"} aria-pressed={tag === name} onClick={() => setTag(tag === name ? "" : name)}>{plain(name)}</Button>
                ))}
              </Group>
              {shown.length === 0 ? (
                <Empty title={t("none")} action={<Button size="xs" variant="default" onClick={() => { setTyped(""); setTag(""); }}>{t("all")}</Button>} />
              ) : (
                <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }}>
                  {shown.map((one) => <GalleryCard key={one.pipeline.id} shown={one} onTag={setTag} />)}
                </SimpleGrid>
              )}
              {gallery.hasNextPage && <Button variant="default" w="fit-content" loading={gallery.isFetchingNextPage} onClick={() => void gallery.fetchNextPage()}>{t("more")}</Button>}
            </Stack>
          );
        }}
      </Loaded>
    </Page>
  );
}

function FirstUse() {
  const { t } = useTranslation(["gallery", "base"]);
  const project = useProject();
  return (
    <Empty
      title={t("base:pipelines.empty")}
      hint={t("emptyHint")}
      action={
        <Stack gap="sm" align="flex-start">
          <Examples project={project} />
          <Button component={Link} to="/launch?source=own" size="xs" variant="default">{t("write")}</Button>
          <Text size="sm">{t("cli")}</Text>
          <Code block>fubini pipeline save kits/patterns/01-fan-out-reduce.yaml</Code>
        </Stack>
      }
    />
  );
}
