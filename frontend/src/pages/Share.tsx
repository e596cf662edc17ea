// `/s/CODE`: goes on to the view a share link names, in its project; or says what is wrong with it and whom to ask.

import { Loader } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Navigate, useParams } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { Page } from "@/components/parts";
import { useLink } from "@/queries/links";

export function Share() {
  const { code = "" } = useParams();
  const { t } = useTranslation(["links", "base"]);
  const link = useLink(code);
  if (link.data) {
    const to = new URL(link.data.address, window.location.origin);
    to.searchParams.set("project", link.data.project);
    return <Navigate replace to={{ pathname: to.pathname, search: to.search, hash: to.hash }} />;
  }
  return <Page title={t("title")}>{link.isError ? <ErrorNote error={link.error} /> : <Loader aria-label={t("base:app.loading")} size="sm" />}</Page>;
}
