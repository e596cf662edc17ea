import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { useProject } from "@/app/project";
import { Dialog } from "@/components/Dialog";
import { Empty, Loaded, Page } from "@/components/parts";
import { Sections } from "@/features/project/Sections";
import { ScheduleForm } from "@/features/schedules/ScheduleForm";
import { ScheduleList } from "@/features/schedules/ScheduleList";
import { useSchedules } from "@/queries/schedules";

export function Schedules() {
  const { t } = useTranslation(["schedules", "base"]);
  const project = useProject();
  const page = useSchedules(project);
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const source = { run: params.get("run") ?? "", pipeline: params.get("pipeline") ?? "", name: params.get("of") ?? "" };
  const [asked, setAsked] = useState(false);
  const open = asked || source.run !== "" || source.pipeline !== "";
  const close = () => {
    setAsked(false);
    setParams({}, { replace: true });
  };
  const make = page.data?.may_write && <Button size="xs" onClick={() => setAsked(true)}>{t("new")}</Button>;
  return (
    <Page title={t("title")} actions={make}>
      <Sections />
      <Loaded query={page}>
        {(data) => (
          <>
            {data.schedules.results.length === 0 ? <Empty title={t("none")} hint={t("noneHint")} action={make} /> : <ScheduleList project={project} page={data} />}
            <Dialog opened={open && data.may_write} onClose={close} title={t("new")} size="lg">
              {open && <ScheduleForm project={project} zone={data.zone} source={source} close={close} done={(id) => void navigate(`/project/schedules/${id}`)} />}
            </Dialog>
          </>
        )}
      </Loaded>
    </Page>
  );
}
