// A project: what it has left, who and what may act in it, what was shared of it, how it is set. One request.

import { Anchor, Button, Group, SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { useProject } from "@/app/project";
import { DayBars } from "@/components/DayBars";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Figure, Loaded, More, Page } from "@/components/parts";
import { Flags } from "@/features/flags/Flags";
import { Links } from "@/features/links/Links";
import { Members } from "@/features/people/Members";
import { Sections } from "@/features/project/Sections";
import { TokenForm, TokenTable } from "@/features/people/Tokens";
import { money } from "@/lib/format";
import { useMe } from "@/queries";
import { useProjectTokenMake, useProjectTokenRevoke } from "@/queries/people";
import { useRest } from "@/queries/rest";
import { projectTokensAfter, settingsKey, useSettings } from "@/queries/settings";

export function Project() {
  const { t } = useTranslation(["base", "flags", "links"]);
  const project = useProject();
  const settings = useSettings(project);
  const me = useMe();
  return (
    <Page title={`${t("project.title")} ${project}`} actions={<Button size="xs" variant="default" component="a" href={`/api/v1/projects/${project}/ledger.csv`} download>{t("project.csv")}</Button>}>
      <Sections />
      <Loaded query={settings}>
        {({ project: own, budget, days, members, tokens, links, flags }) => {
          const may = own.my_role === "owner" || own.my_role === "maintainer";
          return (
            <SimpleGrid cols={{ base: 1, lg: 2 }}>
              <Card title={t("project.budget")} aside={<Anchor component={Link} to="/money" size="sm">{t("nav.money")}</Anchor>}>
                <Stack>
                  <Group gap="xl">
                    <Figure label={t("project.granted")} value={money(budget.granted_micros)} />
                    <Figure label={t("home.left")} value={money(budget.budget_micros)} />
                    <Figure label={t("home.held")} value={money(budget.held_micros)} />
                    <Figure label={t("home.spent")} value={money(budget.spent_micros)} />
                  </Group>
                  <DayBars days={days} />
                </Stack>
              </Card>
              <Card title={t("project.members")}>
                <Members project={project} first={members} mine={me.data?.user?.username ?? ""} may={may} />
              </Card>
              {tokens && <ProjectTokens project={project} first={tokens} />}
              <Card title={t("links:titles")}>
                <Links project={project} first={links} mine={me.data?.actor ?? ""} may={may} />
              </Card>
              <Card title={t("flags:title")}>
                <Flags rows={flags} project={project} may={(flag) => (flag.maintainers ? may : (me.data?.is_admin ?? false))} />
              </Card>
            </SimpleGrid>
          );
        }}
      </Loaded>
    </Page>
  );
}

function ProjectTokens({ project, first }: { project: string; first: Schemas["ProjectTokensPage"] }) {
  const { t } = useTranslation(["people", "base"]);
  const tokens = useRest([...settingsKey(project), "tokens"], first, projectTokensAfter(project), (token) => token.id);
  const make = useProjectTokenMake(project);
  const revoke = useProjectTokenRevoke(project);
  return (
    <Card title={t("base:project.tokens")}>
      <Stack>
        <TokenTable tokens={tokens.rows} revoke={(id) => revoke.mutate(id)} revoking={revoke.isPending ? revoke.variables : undefined} />
        <More query={tokens} />
        {revoke.isError && <ErrorNote error={revoke.error} />}
        <TokenForm roles admin={false} made={make.data?.token} error={make.error} pending={make.isPending} make={(ask) => make.mutate(ask as never)} />
      </Stack>
    </Card>
  );
}
