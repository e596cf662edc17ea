// Why a run is on the home page's first card: by how much it is past its quote, and where its time went.

import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { duration } from "@/lib/format";
import { lostIn } from "./lost";

export function LateNote({ late }: { late: Schemas["LateOut"] }) {
  const { t } = useTranslation("late");
  const figures = { by: duration(late.by_ms), quoted: duration(late.quoted_ms), took: duration(late.took_ms) };
  const lost = lostIn(late.spent);
  return (
    <Text size="sm" span>
      <Text span inherit fw={600} c={late.already ? "red" : undefined}>{t(late.already ? "now" : "soon", figures)}</Text>{" "}
      {t(late.already ? "nowDetail" : "soonDetail", figures)}{" "}
      {lost && t(`lost.${lost.what}`, { time: duration(lost.ms) })}
    </Text>
  );
}
