// What holds a run back, reason by reason, each with a way to the step that waits longest for it.

import { Anchor, List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { plain } from "@/lib/format";
import { useRunWhy } from "@/queries";
import { Framed } from "./Framed";

export function RunWhy({ run }: { run: string }) {
  const { t } = useTranslation(["why", "base"]);
  const why = useRunWhy(run);
  if (!why.data) return null;
  const { data } = why;
  const groups = data.groups.filter((group) => group.sentence !== "");
  return (
    <Framed color={data.waiting > 0 && data.running === 0 ? "yellow" : "blue"} title={t("base:run.why")}>
      {groups.length === 0 && <Text size="sm">{plain(data.sentence)}</Text>}
      <List size="sm">
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
