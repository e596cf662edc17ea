// From a run or a pipeline to the form that runs it by the clock.

import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

export function ScheduleLink({ run = "", pipeline = "", name, project }: { run?: string; pipeline?: string; name: string; project?: string }) {
  const { t } = useTranslation("sections");
  const query = new URLSearchParams({ ...(run ? { run } : { pipeline }), of: name, ...(project ? { project } : {}) });
  return <Button size="xs" variant="default" component={Link} to={`/project/schedules?${query}`}>{t("schedule")}</Button>;
}
