// The places: how bytes reach each site, and each pool with its nodes and agents.

import { SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page } from "@/components/parts";
import { Links } from "@/features/pools/Links";
import { PoolCard } from "@/features/pools/Pool";
import { useNow } from "@/lib/useNow";
import { usePlaces } from "@/queries/places";

export function Pools() {
  const { t } = useTranslation(["pools", "base"]);
  const places = usePlaces(useProject());
  const now = useNow(true);
  return (
    <Page title={t("title")}>
      <Loaded query={places}>
        {(data) =>
          data.pools.length === 0 ? (
            <Empty title={t("base:pools.none")} hint={t("noneHint")} />
          ) : (
            <Stack gap="md">
              <Card title={t("links")}>
                <Links places={data} />
              </Card>
              <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
                {data.pools.map((pool) => (
                  <PoolCard key={pool.id} pool={pool} now={now} mine={data.sites.some((site) => site.id === pool.site_id && site.mine)} />
                ))}
              </SimpleGrid>
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}
