import { useTranslation } from "react-i18next";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page } from "@/components/parts";
import { Sections } from "@/features/project/Sections";
import { SecretForm } from "@/features/secrets/SecretForm";
import { SecretList } from "@/features/secrets/SecretList";
import { useVault } from "@/queries/secrets";

export function Secrets() {
  const { t } = useTranslation("secrets");
  const project = useProject();
  const vault = useVault(project);
  return (
    <Page title={t("title")}>
      <Sections />
      <Loaded query={vault}>
        {(data) => (
          <>
            {data.secrets.results.length === 0 ? <Empty title={t("none")} hint={t("noneHint")} /> : <Card title={t("all")}><SecretList project={project} vault={data} /></Card>}
            {data.may_write ? <Card title={t("set")}><SecretForm project={project} known={data.secrets.results} /></Card> : <Empty title={t("mayNot")} hint={t("mayNotHint")} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}
