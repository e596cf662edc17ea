// One pipeline of the gallery: its picture, what it does, what it takes, and what it has taken and cost.

import { Anchor, Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { Card, Figure, When } from "@/components/parts";
import { Sketch } from "@/features/graph/Sketch";
import { inLanguage, type Form } from "@/features/launch/ParameterField";
import { duration, moneyRange, plain } from "@/lib/format";
import type { Showcase } from "@/queries/gallery";

const HEIGHT = 150;
const INPUTS_SHOWN = 6;

export function GalleryCard({ shown, onTag }: { shown: Showcase; onTag: (tag: string) => void }) {
  const { t, i18n } = useTranslation(["gallery", "base"]);
  const { pipeline: p, runs, seen, time_ms: time, cost_micros: cost } = shown;
  const language = i18n.language.slice(0, 2);
  const total = Object.values(runs).reduce((a, b) => a + b, 0);
  const bad = (runs.failed ?? 0) + (runs.error ?? 0);
  const title = plain(p.title || inLanguage(p.about.title, language) || p.name);
  const what = p.description || inLanguage(p.about.summary, language);
  return (
    <Card title={title} aside={<Button size="compact-sm" component={Link} to={`/launch?pipeline=${p.name}`} aria-label={t("launchIt", { name: title })}>{t("base:pipelines.launch")}</Button>}>
      <Stack gap="xs">
        <Link to={`/pipelines/${p.id}`} aria-hidden tabIndex={-1} style={{ color: "inherit" }}>
          <Picture shown={shown} />
        </Link>
        {what !== "" && <Text size="sm">{plain(what)}</Text>}
        {p.about.tags.length > 0 && (
          <Group gap={6}>
            {p.about.tags.map((tag) => (
              <Badge key={tag} component="button" variant="light" size="sm" tt="none" style={{ cursor: "pointer" }} onClick={() => onTag(tag)}>{plain(tag)}</Badge>
            ))}
          </Group>
        )}
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
        {p.parameters.length > 0 && <Inputs parameters={p.parameters} language={language} />}
        <Text size="xs" c="dimmed">
          <Anchor component={Link} to={`/pipelines/${p.id}`} inherit underline="always">{plain(p.name)}</Anchor> · {t("base:pipelines.version", { n: p.version })} · <When ms={Date.parse(p.changed_at)} />
        </Text>
        {shown.used_at_ms !== null && (
          <Text size="xs" c="dimmed">{t("lastUsed", { who: plain(shown.used_by.replace(/^user:/, "")) })} · <When ms={shown.used_at_ms} /></Text>
        )}
      </Stack>
    </Card>
  );
}

/** For the eye alone (the card says the rest): the picture that was given, as an image in which nothing runs; else, and when it does not load, a drawing of the steps. */
function Picture({ shown }: { shown: Showcase }) {
  const [broken, setBroken] = useState(false);
  const { picture } = shown.pipeline;
  if (picture === "" || broken) return <Sketch nodes={shown.sketch.nodes} height={HEIGHT} />;
  return <img src={picture} alt="" loading="lazy" onError={() => setBroken(true)} style={{ width: "100%", height: HEIGHT, objectFit: "contain", background: "#fff", borderRadius: 6, display: "block" }} />;
}

function Inputs({ parameters, language }: { parameters: Showcase["pipeline"]["parameters"]; language: string }) {
  const { t } = useTranslation("gallery");
  const more = parameters.length - INPUTS_SHOWN;
  return (
    <Table fz="xs" verticalSpacing={1} withRowBorders={false} layout="fixed">
      <Table.Caption style={{ captionSide: "top", textAlign: "start", marginTop: 0 }}>{t("inputs")}</Table.Caption>
      <Table.Tbody>
        {parameters.slice(0, INPUTS_SHOWN).map((x) => {
          const form = (x.form ?? {}) as Form;
          const type = form.type ?? (form.choices || x.enum.length > 0 ? "choice" : "text");
          return (
            <Table.Tr key={x.name}>
              <Table.Th fw={500} pl={0} style={{ overflowWrap: "anywhere" }}>{plain(inLanguage(form.title, language) || x.name)}</Table.Th>
              <Table.Td>{t(`type.${type}`, { defaultValue: type })}{form.unit ? `, ${plain(form.unit)}` : ""}</Table.Td>
              <Table.Td c="dimmed" style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}>{plain(String(x.value ?? x.default ?? ""))}</Table.Td>
            </Table.Tr>
          );
        })}
      </Table.Tbody>
      {more > 0 && <Table.Tfoot><Table.Tr><Table.Td pl={0} c="dimmed" colSpan={3}>{t("moreInputs", { count: more })}</Table.Td></Table.Tr></Table.Tfoot>}
    </Table>
  );
}
