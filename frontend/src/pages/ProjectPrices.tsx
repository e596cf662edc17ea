// What the pools of a project ask: the price that holds now and since when, and what comes next. One request.

import { useTranslation } from "react-i18next";
import { Text } from "@mantine/core";
import { useProject } from "@/app/project";
import { Card, Loaded, Page } from "@/components/parts";
import { PriceBook } from "@/features/money/Months";
import { Sections } from "@/features/project/Sections";
import { useProjectPrices } from "@/queries/money";

export function ProjectPrices() {
  const { t } = useTranslation(["money", "base"]);
  const project = useProject();
  const prices = useProjectPrices(project);
  return (
    <Page title={t("prices.title")}>
      <Sections />
      <Loaded query={prices}>
        {(data) => (
          <Card title={t("prices.title")} aside={<Text size="xs" c="dimmed">{t("inCurrency", { currency: data.currency })}</Text>}>
            <PriceBook prices={data.prices} currency={data.currency} />
          </Card>
        )}
      </Loaded>
    </Page>
  );
}
