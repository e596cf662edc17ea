import { Anchor, Button, SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page, When } from "@/components/parts";
import { plain } from "@/lib/format";
import { usePipelines } from "@/queries";

export function Pipelines() {
  const { t } = useTranslation();
  const pipelines = usePipelines(useProject());
  return (
    <Page title={t("pipelines.title")}>
      <Loaded query={pipelines}>
        {(data) =>
          data.results.length === 0 ? (
            <Empty title={t("pipelines.empty")} hint={t("pipelines.emptyHint")} action={<Button component={Link} to="/launch" size="xs">{t("nav.launch")}</Button>} />
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
              {data.results.map((p) => (
                <Card key={p.id} title={plain(p.title || p.name)} aside={<Button size="compact-xs" component={Link} to={`/launch?pipeline=${p.name}`}>{t("pipelines.launch")}</Button>}>
                  <Anchor component={Link} to={`/pipelines/${p.id}`} size="sm">{plain(p.name)}</Anchor>
                  <Text size="sm">{plain(p.description)}</Text>
                  <Text size="xs" c="dimmed">
                    {t("pipelines.version", { n: p.version })} · {p.kind} · <When ms={Date.parse(p.changed_at)} />
                  </Text>
                  {p.parameters.length > 0 && <Text size="xs" c="dimmed">{p.parameters.map((x) => plain(x.name)).join(", ")}</Text>}
                </Card>
              ))}
            </SimpleGrid>
          )
        }
      </Loaded>
    </Page>
  );
}
