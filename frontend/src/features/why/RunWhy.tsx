// What holds a run back: steps that wait for a person first, then reason by reason, each with a way to the step.

import { Anchor, List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { GraphNode } from "@/features/graph/layout";
import { plain } from "@/lib/format";
import { useRunWhy } from "@/queries";
import { Framed } from "./Framed";

const HELD_MAX = 5;

/** `held`: suspend nodes that are open; the server counts only steps. */
export function RunWhy({ run, held }: { run: string; held: GraphNode[] }) {
  const { t } = useTranslation(["why", "base"]);
  const why = useRunWhy(run);
  if (!why.data) return null;
  const { data } = why;
  const groups = data.groups.filter((group) => group.sentence !== "");
  return (
    <Framed color={(data.waiting > 0 || held.length > 0) && data.running === 0 ? "yellow" : "blue"} title={t("base:run.why")}>
      {groups.length === 0 && (held.length === 0 || data.running > 0) && <Text size="sm">{plain(data.sentence)}</Text>}
      <List size="sm">
        {held.slice(0, HELD_MAX).map((node) => (
          <List.Item key={node.id}>
            {t("held", { step: plain(node.name) })}{" "}
            <Anchor component={Link} size="sm" to={`/runs/${run}/steps?step=${encodeURIComponent(node.id)}`}>{t("answer")}</Anchor>
          </List.Item>
        ))}
        {held.length > HELD_MAX && <List.Item>{t("heldMore", { count: held.length - HELD_MAX })}</List.Item>}
        {groups.map((group) => {
          const task = data.tasks.find((one) => one.code === group.code);
          return (
            <List.Item key={group.code}>
              {t("steps", { count: group.tasks })} {plain(group.sentence)}{" "}
              {task && (
                <Anchor component={Link} size="sm" to={`/runs/${run}/steps?step=${encodeURIComponent(task.node_id)}`}>
                  {t("look")}
                </Anchor>
              )}
            </List.Item>
          );
        })}
      </List>
    </Framed>
  );
}
