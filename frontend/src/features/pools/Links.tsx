// The sites as a schematic: the platform's store, the link into each site with what it carries, and the site's pools.

import { Badge, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { cores, plain, size } from "@/lib/format";
import type { Places } from "@/queries/places";
import { Join } from "./Join";

/** Of a link's line: two pixels for a megabyte a second or less, one more for each doubling, at most ten. */
export function lineWidth(bytesPerS: number | null): number {
  return bytesPerS === null ? 1 : Math.min(10, Math.max(2, Math.round(2 + Math.log2(Math.max(1, bytesPerS / 1e6)))));
}

export function Links({ places }: { places: Places }) {
  const { t } = useTranslation(["pools", "base"]);
  return (
    <Group gap={0} wrap="nowrap" align="stretch">
    <Paper withBorder px="sm" py="xs" visibleFrom="sm" style={{ alignContent: "center" }}>
      <Text size="sm" fw={600}>{t("store")}</Text>
    </Paper>
    <Stack gap="sm" component="ul" flex={1} p={0} m={0} style={{ listStyle: "none" }} aria-label={t("links")}>
      {places.sites.map((site) => {
        const pools = places.pools.filter((pool) => pool.site_id === site.id);
        const carries =
          site.link_bytes_per_s === null
            ? t("linkUnknown")
            : site.link_measured_bytes > 0
              ? t("linkMeasured", { rate: size(site.link_bytes_per_s), over: size(site.link_measured_bytes) })
              : t("linkDeclared", { rate: size(site.link_bytes_per_s) });
        return (
          <Group key={site.id} component="li" gap={0} align="center" wrap="wrap">
            <Stack gap={2} style={{ flex: "1 1 11rem" }} px="xs" align="stretch">
              <Text size="xs" ta="center">{carries}</Text>
              <div aria-hidden style={{ borderTop: `${lineWidth(site.link_bytes_per_s)}px ${site.link_bytes_per_s === null ? "dashed" : "solid"} var(--mantine-color-blue-6)` }} />
            </Stack>
            <Paper withBorder px="sm" py="xs" style={{ flex: "2 1 16rem" }}>
              <Group justify="space-between" gap="xs">
                <Text size="sm" fw={600}>
                  {plain(site.title || site.name)} {site.region !== "" && <Badge size="sm" variant="outline" color="gray" tt="none">{plain(site.region)}</Badge>}
                </Text>
                {site.mine && <Join site={site} />}
              </Group>
              {pools.map((pool) => (
                <div key={pool.id}>
                  <Group justify="space-between" gap="xs">
                    <Text size="xs">{plain(pool.name)}</Text>
                    <Text size="xs">{pool.paused_reason !== "" ? t("noNew") : t(pool.used_cpu_millis > pool.capacity_cpu_millis ? "coresAhead" : "cores", { used: cores(pool.used_cpu_millis), capacity: cores(pool.capacity_cpu_millis), ahead: cores(pool.used_cpu_millis - pool.capacity_cpu_millis) })}</Text>
                  </Group>
                  <Progress size="sm" color={pool.paused_reason === "" ? "blue" : "yellow"} value={pool.capacity_cpu_millis > 0 ? Math.min(100, (100 * pool.used_cpu_millis) / pool.capacity_cpu_millis) : 0} aria-label={t("useOf", { pool: plain(pool.name) })} />
                </div>
              ))}
            </Paper>
          </Group>
        );
      })}
    </Stack>
    </Group>
  );
}
