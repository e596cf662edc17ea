import { Anchor, Button, Group, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useProject } from "@/app/project";
import { DayBars } from "@/components/DayBars";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Figure, Loaded, Page } from "@/components/parts";
import { Flags } from "@/features/flags/Flags";
import { Links } from "@/features/links/Links";
import { Members } from "@/features/people/Members";
import { TokenForm, TokenTable } from "@/features/people/Tokens";
import { money } from "@/lib/format";
import { useMe, useOverview } from "@/queries";
import { useProjectOne, useProjectTokenMake, useProjectTokenRevoke, useProjectTokens } from "@/queries/people";

export function Project() {
  const { t } = useTranslation(["base", "flags", "links"]);
  const project = useProject();
  const overview = useOverview(project);
  const me = useMe();
  const own = useProjectOne(project);
  const may = own.data?.my_role === "owner" || own.data?.my_role === "maintainer";
  return (
    <Page title={`${t("project.title")} ${project}`} actions={<Button size="xs" variant="default" component="a" href={`/api/v1/projects/${project}/ledger.csv`} download>{t("project.csv")}</Button>}>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Card title={t("project.budget")} aside={<Anchor component={Link} to="/money" size="sm">{t("nav.money")}</Anchor>}>
          <Loaded query={overview}>
            {(data) => (
              <Stack>
                <Group gap="xl">
                  <Figure label={t("project.granted")} value={money(data.budget.granted_micros)} />
                  <Figure label={t("home.left")} value={money(data.budget.budget_micros)} />
                  <Figure label={t("home.held")} value={money(data.budget.held_micros)} />
                  <Figure label={t("home.spent")} value={money(data.budget.spent_micros)} />
                </Group>
                <DayBars days={data.days} />
              </Stack>
            )}
          </Loaded>
        </Card>
        <Card title={t("project.members")}>
          <Members project={project} mine={me.data?.user?.username ?? ""} may={may} />
        </Card>
        {may && <ProjectTokens project={project} />}
        <Card title={t("links:titles")}>
          <Links project={project} mine={me.data?.actor ?? ""} may={may} />
        </Card>
        <Card title={t("flags:title")}>
          <Flags project={project} may={(flag) => (flag.maintainers ? may : (me.data?.is_admin ?? false))} />
        </Card>
      </SimpleGrid>
    </Page>
  );
}

function ProjectTokens({ project }: { project: string }) {
  const { t } = useTranslation(["people", "base"]);
  const tokens = useProjectTokens(project, true);
  const make = useProjectTokenMake(project);
  const revoke = useProjectTokenRevoke(project);
  return (
    <Card title={t("base:project.tokens")}>
      <Stack>
        <Loaded query={tokens}>{(data) => <TokenTable tokens={data.results} revoke={(id) => revoke.mutate(id)} revoking={revoke.isPending ? revoke.variables : undefined} />}</Loaded>
        {revoke.isError && <ErrorNote error={revoke.error} />}
        <TokenForm roles admin={false} made={make.data?.token} error={make.error} pending={make.isPending} make={(ask) => make.mutate(ask as never)} />
      </Stack>
    </Card>
  );
}
