// Of a run that was launched with reuse: what it took over, and why not more; asked for when it is opened.

import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Card, Loaded } from "@/components/parts";
import { useRunReuse } from "@/queries/reuse";
import { ReusePlan } from "./Plan";

export function RunReuse({ run }: { run: string }) {
  const { t } = useTranslation(["reuse", "base"]);
  const [open, setOpen] = useState(false);
  const reuse = useRunReuse(run, open);
  return (
    <Card title={t("ofRun")} aside={!open && <Button size="compact-xs" variant="default" aria-expanded={open} onClick={() => setOpen(true)}>{t("show")}</Button>}>
      {open && <Loaded query={reuse}>{(found) => <ReusePlan plan={found.now} />}</Loaded>}
    </Card>
  );
}
