// The frame: who is signed in, the project shown, the menu. Without a session it shows the sign-in, over the page when
// one was already open, so that an unsent edit survives.

import {
  ActionIcon, Alert, Anchor, AppShell, Burger, Center, Group, Loader, NativeSelect, NavLink, Text, Title, useComputedColorScheme,
  useMantineColorScheme,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconApi, IconCoins, IconDatabase, IconHome, IconList, IconLogout, IconMoon, IconPlayerPlay, IconServer, IconShield, IconSitemap, IconSun, IconUsers,
} from "@tabler/icons-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Outlet, useLocation, useSearchParams } from "react-router";
import { onSessionEnded } from "@/api/client";
import { asProblem } from "@/api/problem";
import { ErrorNote } from "@/components/ErrorNote";
import { LANGUAGES } from "@/i18n";
import { useMe, useProjects, useSignOut } from "@/queries";
import { LiveData, useConnection } from "./LiveData";
import { keepProject, keptProject, ProjectContext } from "./project";
import { Trouble } from "./Trouble";

// Not in the entry: who is signed in never needs them.
const SignIn = lazy(async () => ({ default: (await import("@/pages/SignIn")).SignIn }));
const Bell = lazy(async () => ({ default: (await import("@/features/notices/Bell")).Bell }));
const SignInAgain = lazy(async () => ({ default: (await import("@/pages/SignIn")).SignInAgain }));

const MENU = [
  { to: "/", key: "home", icon: IconHome },
  { to: "/runs", key: "runs", icon: IconList },
  { to: "/launch", key: "launch", icon: IconPlayerPlay },
  { to: "/pipelines", key: "pipelines", icon: IconSitemap },
  { to: "/data", key: "data", icon: IconDatabase },
  { to: "/pools", key: "pools", icon: IconServer },
  { to: "/money", key: "money", icon: IconCoins },
  { to: "/project", key: "project", icon: IconUsers },
] as const;
const ADMIN = { to: "/admin", key: "admin", icon: IconShield } as const;

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
    if (problem.status === 401 || problem.status === 403)
      return (
        <Suspense>
          <SignIn />
        </Suspense>
      );
    return (
      <Center h="100vh" p="md">
        <ErrorNote error={me.error} again={() => void me.refetch()} />
      </Center>
    );
  }
  return (
    <>
      <Frame username={me.data?.user?.username ?? me.data?.actor ?? ""} admin={me.data?.is_admin ?? false} />
      {ended && (
        <Suspense>
          <SignInAgain />
        </Suspense>
      )}
    </>
  );
}

function Frame({ username, admin }: { username: string; admin: boolean }) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure();
  const location = useLocation();
  const projects = useProjects(true);
  const [params, setParams] = useSearchParams();
  const slugs = projects.data?.results.map((p) => p.slug) ?? [];
  const asked = params.get("project") ?? "";
  const project = [asked, keptProject()].find((slug) => slugs.includes(slug)) ?? slugs[0] ?? "";
  const own = /^\/(account|admin|s)(\/|$)/.test(location.pathname); // of a person or the installation, not of a project
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
            <Group h="100%" px={{ base: "xs", sm: "md" }} gap="xs" justify="space-between" wrap="nowrap">
              <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
                <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("app.menu")} />
                <Title order={1} size="h4">
                  Fubini
                </Title>
                {slugs.length > 0 && (
                  <NativeSelect
                    aria-label={t("app.project")}
                    data={slugs}
                    value={project}
                    size="xs"
                    w={150}
                    miw={64}
                    style={{ flexShrink: 1 }}
                    onChange={(event) => setParams({ project: event.currentTarget.value })}
                  />
                )}
              </Group>
              <Group gap={6} wrap="nowrap" style={{ flexShrink: 0 }}>
                {project !== "" && <LiveMark />}
                <Suspense>
                  <Bell />
                </Suspense>
                <LanguageButton />
                <SchemeButton />
                <Anchor component={Link} to="/account" size="sm" c="inherit" aria-label={`${t("nav.account")}: ${username}`} maw={140} truncate visibleFrom="sm">
                  {username}
                </Anchor>
                <SignOutButton />
              </Group>
            </Group>
          </AppShell.Header>
          <AppShell.Navbar p="xs" aria-label={t("app.menu")}>
            {[...MENU, ...(admin ? [ADMIN] : [])].map(({ to, key, icon: Icon }) => (
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
            <NavLink component={Link} to="/account" onClick={close} label={`${t("nav.account")}: ${username}`} hiddenFrom="sm" active={location.pathname === "/account"} />
            <NavLink component="a" href="/api/docs" label="API" leftSection={<IconApi size={18} aria-hidden />} mt="auto" />
          </AppShell.Navbar>
          <AppShell.Main id="content" tabIndex={-1} style={{ outline: "none" }}>
            <Trouble />
            {projects.isError && <ErrorNote error={projects.error} again={() => void projects.refetch()} />}
            {projects.isSuccess && slugs.length === 0 && !own && (
              <Alert title={t("problem.noProject")}>{t("problem.noProjectNext")}</Alert>
            )}
            {(project !== "" || own) && (
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

/** Goes to the other language, whose name it shows. */
function LanguageButton() {
  const { t, i18n } = useTranslation();
  const other = i18n.language.startsWith("zh") ? "en" : "zh";
  return (
    <ActionIcon variant="subtle" color="gray" w="auto" px={6} lang={other} aria-label={`${t("app.language")}: ${LANGUAGES[other]}`} onClick={() => void i18n.changeLanguage(other)}>
      <Text size="xs" visibleFrom="sm">{LANGUAGES[other]}</Text>
      <Text size="xs" hiddenFrom="sm">{other === "zh" ? "中" : "EN"}</Text>
    </ActionIcon>
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

function SignOutButton() {
  const { t } = useTranslation();
  const out = useSignOut();
  return (
    <ActionIcon variant="subtle" color="gray" aria-label={t("app.signOut")} title={t("app.signOut")} loading={out.isPending} onClick={() => out.mutate()}>
      <IconLogout size={18} />
    </ActionIcon>
  );
}
