// A pool's use by hour of the last day, as bars; the figures are in the label for who does not see them.

import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

const HEIGHT = 36;
const BAR = 10;

export function Use({ use }: { use: readonly (number | null)[] }) {
  const { t } = useTranslation(["pools", "base"]);
  const known = use.filter((share): share is number => share !== null);
  const mean = known.length > 0 ? Math.round(known.reduce((a, b) => a + b, 0) / known.length / 10) : 0;
  const top = known.length > 0 ? Math.round(Math.max(...known) / 10) : 0;
  const label = t("useDay", { mean, top });
  return (
    <div>
      <Text size="xs" c="dimmed">{label}</Text>
      <svg role="img" aria-label={label} viewBox={`0 0 ${use.length * BAR} ${HEIGHT}`} preserveAspectRatio="none" width="100%" height={HEIGHT}>
        {use.map((share, hour) => {
          const height = share === null ? 0 : Math.max(share > 0 ? 2 : 0.5, (share / 1000) * HEIGHT);
          return <rect key={hour} x={hour * BAR + 1} width={BAR - 2} y={HEIGHT - height} height={height} fill="var(--mantine-color-blue-6)" />;
        })}
      </svg>
    </div>
  );
}
