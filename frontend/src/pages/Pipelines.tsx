// The project's pipelines: what each looks like, what it takes, and what it has taken and cost so far.

import { Anchor, Button, Code, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Figure, Loaded, Page, When } from "@/components/parts";
import { Sketch } from "@/features/graph/Sketch";
import { inLanguage, type Form } from "@/features/launch/ParameterField";
import { duration, moneyRange, plain } from "@/lib/format";
import { useGallery } from "@/queries/gallery";

export function Pipelines() {
  const { t, i18n } = useTranslation(["gallery", "base"]);
  const gallery = useGallery(useProject());
  const language = i18n.language.slice(0, 2);
  return (
    <Page title={t("base:pipelines.title")}>
      <Loaded query={gallery}>
        {({ pipelines }) =>
          pipelines.length === 0 ? (
            <Empty
              title={t("base:pipelines.empty")}
              hint={t("emptyHint")}
              action={
                <Stack gap="xs" align="flex-start">
                  <Code block>fubini pipeline push kits/patterns/01-fan-out-reduce.yaml</Code>
                  <Button component={Link} to="/launch" size="xs">{t("base:nav.launch")}</Button>
                </Stack>
              }
            />
          ) : (
            <SimpleGrid cols={{ base: 1, sm: 2, xl: 3 }}>
              {pipelines.map(({ pipeline: p, sketch, runs, seen, time_ms: time, cost_micros: cost }) => {
                const total = Object.values(runs).reduce((a, b) => a + b, 0);
                const bad = (runs.failed ?? 0) + (runs.error ?? 0);
                return (
                  <Card key={p.id} title={plain(p.title || p.name)} aside={<Button size="compact-xs" component={Link} to={`/launch?pipeline=${p.name}`}>{t("base:pipelines.launch")}</Button>}>
                    <Stack gap="xs">
                      <Sketch nodes={sketch.nodes} height={130} />
                      <Anchor component={Link} to={`/pipelines/${p.id}`} size="sm">{plain(p.name)}</Anchor>
                      {p.description !== "" && <Text size="sm">{plain(p.description)}</Text>}
                      {time && cost ? (
                        <>
                          <Group gap="xl">
                            <Figure label={t("time")} value={time.low === time.high ? duration(time.middle) : `${duration(time.low)} – ${duration(time.high)}`} />
                            <Figure label={t("cost")} value={moneyRange(cost.low, cost.high)} />
                            <Figure label={t("runs")} value={bad > 0 ? t("runsBad", { total, bad }) : total} />
                          </Group>
                          <Text size="xs" c="dimmed">{t("basis", { count: seen })}</Text>
                        </>
                      ) : (
                        <Text size="sm" c="dimmed">{total > 0 ? t("noneSucceeded", { total }) : t("neverRun")}</Text>
                      )}
                      {p.parameters.length > 0 && (
                        <Text size="xs">
                          {t("inputs")}: {p.parameters.map((x) => plain(inLanguage((x.form as Form | null)?.title, language) || x.name) + ((x.form as Form | null)?.unit ? ` (${plain((x.form as Form).unit!)})` : "")).join(", ")}
                        </Text>
                      )}
                      <Text size="xs" c="dimmed">
                        {t("base:pipelines.version", { n: p.version })} · {p.kind} · <When ms={Date.parse(p.changed_at)} />
                      </Text>
                    </Stack>
                  </Card>
                );
              })}
            </SimpleGrid>
          )
        }
      </Loaded>
    </Page>
  );
}
