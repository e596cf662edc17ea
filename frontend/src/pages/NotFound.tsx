import { useTranslation } from "react-i18next";
import { Empty } from "@/components/parts";

export function NotFound() {
  const { t } = useTranslation();
  return <Empty title={t("problem.notFound")} />;
}
