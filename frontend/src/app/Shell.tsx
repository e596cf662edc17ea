// The frame: who is signed in, the project shown, the menu. Without a session it shows the sign-in, over the page when
// one was already open, so that an unsent edit survives.

import {
  ActionIcon, Alert, AppShell, Burger, Button, Center, Group, Loader, Menu, Modal, NavLink, Select, Stack, Text, Title,
  useComputedColorScheme, useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconDatabase, IconHome, IconLanguage, IconList, IconMoon, IconPlayerPlay, IconServer, IconSitemap, IconSun, IconUser, IconUsers,
} from "@tabler/icons-react";
import { Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Outlet, useLocation, useSearchParams } from "react-router";
import { onSessionEnded } from "@/api/client";
import { asProblem } from "@/api/problem";
import { ErrorNote } from "@/components/ErrorNote";
import { LANGUAGES } from "@/i18n";
import { SignIn } from "@/pages/SignIn";
import { useMe, useProjects, useSignOut } from "@/queries";
import { LiveData, useConnection } from "./LiveData";
import { keepProject, keptProject, ProjectContext } from "./project";

const MENU = [
  { to: "/", key: "home", icon: IconHome },
  { to: "/runs", key: "runs", icon: IconList },
  { to: "/launch", key: "launch", icon: IconPlayerPlay },
  { to: "/pipelines", key: "pipelines", icon: IconSitemap },
  { to: "/data", key: "data", icon: IconDatabase },
  { to: "/pools", key: "pools", icon: IconServer },
  { to: "/project", key: "project", icon: IconUsers },
] as const;

export function Shell() {
  const me = useMe();
  const [ended, setEnded] = useState(false);
  useEffect(() => onSessionEnded(() => setEnded(true)), []);
  useEffect(() => {
    if (me.data?.user) setEnded(false);
  }, [me.data, me.dataUpdatedAt]);
  if (me.isPending)
    return (
      <Center h="100vh">
        <Loader />
      </Center>
    );
  if (me.isError) {
    const problem = asProblem(me.error);
    if (problem.status === 401 || problem.status === 403) return <SignIn />;
    return (
      <Center h="100vh" p="md">
        <ErrorNote error={me.error} again={() => void me.refetch()} />
      </Center>
    );
  }
  return (
    <>
      <Frame username={me.data?.user?.username ?? me.data?.actor ?? ""} />
      <Modal opened={ended} onClose={() => undefined} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false} centered>
        <SignIn again />
      </Modal>
    </>
  );
}

function Frame({ username }: { username: string }) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure();
  const location = useLocation();
  const projects = useProjects(true);
  const [params, setParams] = useSearchParams();
  const slugs = projects.data?.results.map((p) => p.slug) ?? [];
  const asked = params.get("project") ?? "";
  const project = [asked, keptProject()].find((slug) => slugs.includes(slug)) ?? slugs[0] ?? "";
  useEffect(() => {
    if (project) keepProject(project);
  }, [project]);
  return (
    <ProjectContext value={project}>
      <LiveData project={project}>
        <a href="#content" className="skip" style={{ position: "absolute", left: -9999 }} onFocus={(e) => (e.currentTarget.style.left = "8px")} onBlur={(e) => (e.currentTarget.style.left = "-9999px")}>
          {t("app.skip")}
        </a>
        <AppShell header={{ height: 52 }} navbar={{ width: 196, breakpoint: "sm", collapsed: { mobile: !opened } }} padding="md">
          <AppShell.Header>
            <Group h="100%" px="md" justify="space-between" wrap="nowrap">
              <Group gap="sm" wrap="nowrap">
                <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("app.menu")} />
                <Title order={1} size="h4">
                  Fubini
                </Title>
                {slugs.length > 0 && (
                  <Select
                    aria-label={t("app.project")}
                    data={slugs}
                    value={project}
                    size="xs"
                    w={150}
                    searchable={slugs.length > 8}
                    allowDeselect={false}
                    onChange={(slug) => slug && setParams({ project: slug })}
                  />
                )}
              </Group>
              <Group gap="xs" wrap="nowrap">
                <LiveMark />
                <LanguageMenu />
                <SchemeButton />
                <UserMenu username={username} />
              </Group>
            </Group>
          </AppShell.Header>
          <AppShell.Navbar p="xs" aria-label={t("app.menu")}>
            {MENU.map(({ to, key, icon: Icon }) => (
              <NavLink
                key={to}
                component={Link}
                to={to}
                onClick={close}
                label={t(`nav.${key}`)}
                leftSection={<Icon size={18} aria-hidden />}
                active={to === "/" ? location.pathname === "/" : location.pathname.startsWith(to)}
                aria-current={location.pathname === to ? "page" : undefined}
              />
            ))}
          </AppShell.Navbar>
          <AppShell.Main id="content" tabIndex={-1} style={{ outline: "none" }}>
            {projects.isError && <ErrorNote error={projects.error} again={() => void projects.refetch()} />}
            {projects.isSuccess && slugs.length === 0 && (
              <Alert title={t("problem.noProject")}>{t("problem.noProjectNext")}</Alert>
            )}
            {project !== "" && (
              <Suspense fallback={<Loader aria-label={t("app.loading")} />}>
                <Outlet key={project} />
              </Suspense>
            )}
          </AppShell.Main>
        </AppShell>
      </LiveData>
    </ProjectContext>
  );
}

function LiveMark() {
  const { t } = useTranslation();
  const connection = useConnection();
  const live = connection === "live";
  return (
    <Group gap={6} wrap="nowrap" role="status">
      <span aria-hidden style={{ width: 8, height: 8, borderRadius: 4, background: live ? "#2b8a3e" : "#b7791f" }} />
      <Text size="xs" visibleFrom="sm">
        {t(live ? "app.live" : "app.reconnecting")}
      </Text>
    </Group>
  );
}

function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={t("app.language")}>
          <IconLanguage size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <Menu.Item key={code} lang={code} onClick={() => void i18n.changeLanguage(code)}>
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SchemeButton() {
  const { t } = useTranslation();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={t("app.scheme")} onClick={() => setColorScheme(dark ? "light" : "dark")}>
      {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}

function UserMenu({ username }: { username: string }) {
  const { t } = useTranslation();
  const out = useSignOut();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="subtle" color="gray" size="compact-sm" leftSection={<IconUser size={16} aria-hidden />}>
          {username}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Stack gap={0}>
          <Menu.Item component="a" href="/api/docs">
            API
          </Menu.Item>
          <Menu.Item onClick={() => out.mutate()}>{t("app.signOut")}</Menu.Item>
        </Stack>
      </Menu.Dropdown>
    </Menu>
  );
}
