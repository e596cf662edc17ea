import { SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { Empty, Loaded, Page } from "@/components/parts";
import { LockCard } from "@/features/locks/LockCard";
import { Sections } from "@/features/project/Sections";
import { useLocks } from "@/queries/locks";

export function Locks() {
  const { t } = useTranslation("locks");
  const project = useProject();
  const locks = useLocks(project);
  return (
    <Page title={t("title")}>
      <Sections />
      <Loaded query={locks}>
        {(data) =>
          data.locks.length === 0 ? (
            <Empty title={t("none")} hint={t("noneHint")} />
          ) : (
            <>
              <SimpleGrid cols={{ base: 1, lg: 2 }}>
                {data.locks.map((lock) => <LockCard key={lock.id} project={project} lock={lock} mayBreak={data.may_break} maySize={data.may_size} />)}
              </SimpleGrid>
              {data.more && <Text size="sm" c="dimmed">{t("more")}</Text>}
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
