import { Anchor, Button, Code, Group, List, SimpleGrid, Stack, Table, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { useProject } from "@/app/project";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Figure, Loaded, Page } from "@/components/parts";
import { Sections } from "@/features/project/Sections";
import { Moment, nextOf, StateMark, TickMark, wordsOf, zoneOf } from "@/features/schedules/parts";
import { plain } from "@/lib/format";
import { useSchedule, useScheduleChange, useScheduleDelete, useScheduleRun, useScheduleSwitch } from "@/queries/schedules";

export function Schedule() {
  const { t, i18n } = useTranslation(["schedules", "base"]);
  const { id = "" } = useParams();
  const project = useProject();
  const page = useSchedule(id);
  const run = useScheduleRun(project);
  const turn = useScheduleSwitch(project);
  const row = page.data?.schedule;
  const failed = [run, turn].find((deed) => deed.isError);
  const deeds = row && page.data?.may_write && (
    <>
      <Button size="xs" loading={run.isPending} onClick={() => run.mutate(id)}>{t("runNow")}</Button>
      <Button size="xs" variant="default" loading={turn.isPending} onClick={() => turn.mutate({ id, on: row.suspended })}>{t(row.suspended ? "resume" : "suspend")}</Button>
      {page.data.may_delete && <Delete id={id} name={row.name} project={project} />}
    </>
  );
  return (
    <Page title={row?.name ?? t("title")} actions={deeds}>
      <Sections />
      {failed && <ErrorNote error={failed.error} />}
      {run.isSuccess && <Text size="sm" role="status">{t("started")} <Anchor component={Link} size="sm" to={`/runs/${run.data.run_id}`}>{plain(run.data.run_name)}</Anchor></Text>}
      <Loaded query={page}>
        {({ schedule, ticks, may_write }) => (
          <SimpleGrid cols={{ base: 1, lg: 2 }}>
            <Card title={t("column.when")} aside={<StateMark row={schedule} />}>
              <Stack gap="xs">
                {wordsOf(schedule, i18n.language).map((words, i) => <Text key={i} size="sm">{words} <Code>{plain(schedule.schedules[i] ?? "")}</Code></Text>)}
                {schedule.condition !== "" && <Text size="sm" c="red">{plain(schedule.condition)}</Text>}
                <Group gap="xl">
                  <Figure label={t("form.zone")} value={plain(zoneOf(schedule))} />
                  <Figure label={t("form.policy")} value={t(`policy.${schedule.policy}`, { defaultValue: schedule.policy })} />
                  <Figure label={t("savedBy")} value={plain(schedule.saved_by.replace(/^user:/, ""))} />
                  <Figure label={t("counts")} value={t("countsOf", { good: schedule.succeeded, bad: schedule.failed })} />
                </Group>
                {nextOf(schedule).length > 0 && <><Text size="sm" fw={500}>{t("form.next", { zone: plain(zoneOf(schedule)) })}</Text><List size="sm">{nextOf(schedule).map((ms) => <List.Item key={ms}><Moment ms={ms} zone={zoneOf(schedule)} /></List.Item>)}</List></>}
              </Stack>
            </Card>
            <Card title={t("history")}>
              {ticks.length === 0 ? <Text size="sm" c="dimmed">{t("noTick")}</Text> : (
                <Table fz="sm">
                  <Table.Tbody>
                    {ticks.map((tick) => (
                      <Table.Tr key={tick.at_ms}>
                        <Table.Td><Moment ms={tick.at_ms} zone={zoneOf(schedule)} /></Table.Td>
                        <Table.Td style={{ overflowWrap: "anywhere" }}><TickMark tick={tick} />{tick.message !== "" && <Text size="xs" c="dimmed">{plain(tick.message)}</Text>}</Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              )}
            </Card>
            <Card title={t("manifest")}><Manifest key={schedule.manifest} id={id} text={schedule.manifest} project={project} may={may_write} /></Card>
          </SimpleGrid>
        )}
      </Loaded>
    </Page>
  );
}

function Manifest({ id, text, project, may }: { id: string; text: string; project: string; may: boolean }) {
  const { t } = useTranslation(["schedules", "base"]);
  const change = useScheduleChange(project);
  const [draft, setDraft] = useState(text);
  return (
    <form onSubmit={(e) => { e.preventDefault(); change.mutate({ id, manifest: draft }); }}>
      <Stack gap="xs">
        <Textarea aria-label={t("manifest")} autosize minRows={8} maxRows={30} readOnly={!may} spellCheck={false} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12 } }} value={draft} onChange={(e) => setDraft(e.target.value)} />
        {change.isError && <ErrorNote error={change.error} />}
        {draft !== text && <Group><Button size="xs" type="submit" loading={change.isPending}>{t("save")}</Button><Button size="xs" variant="default" onClick={() => setDraft(text)}>{t("discard")}</Button></Group>}
      </Stack>
    </form>
  );
}

function Delete({ id, name, project }: { id: string; name: string; project: string }) {
  const { t } = useTranslation(["schedules", "base"]);
  const remove = useScheduleDelete(project);
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="xs" variant="light" color="red" onClick={() => setOpen(true)}>{t("delete")}</Button>
      <Dialog opened={open} onClose={() => setOpen(false)} title={t("deleteNamed", { name: plain(name) })}>
        <Stack>
          <Text size="sm">{t("deleteHint")}</Text>
          {remove.isError && <ErrorNote error={remove.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setOpen(false)}>{t("base:app.close")}</Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate(id, { onSuccess: () => void navigate("/project/schedules") })}>{t("delete")}</Button>
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}
