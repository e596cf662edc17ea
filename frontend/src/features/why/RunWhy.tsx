import { Alert, List, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { plain } from "@/lib/format";
import { useRunWhy } from "@/queries";

export function RunWhy({ run }: { run: string }) {
  const { t } = useTranslation();
  const why = useRunWhy(run);
  if (!why.data) return null;
  const groups = why.data.groups.filter((group) => group.sentence !== "");
  return (
    <Alert color={why.data.waiting > 0 && why.data.running === 0 ? "yellow" : "blue"} title={t("run.why")} p="xs">
      <Text size="sm">{plain(why.data.sentence)}</Text>
      {groups.length > 1 && (
        <List size="sm">
          {groups.map((group) => (
            <List.Item key={group.code}>
              {group.tasks} × {plain(group.sentence)} {plain(group.next_step)}
            </List.Item>
          ))}
        </List>
      )}
      {groups.length === 1 && groups[0]!.next_step !== "" && <Text size="sm" c="dimmed">{plain(groups[0]!.next_step)}</Text>}
    </Alert>
  );
}
