// What belongs to a project beside its first page: a row of links, so that the menu stays short.

import { Anchor, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "react-router";

const SECTIONS = [
  { to: "/project", key: "project" },
  { to: "/project/schedules", key: "schedules" },
  { to: "/project/prices", key: "prices" },
  { to: "/project/secrets", key: "secrets" },
  { to: "/project/locks", key: "locks" },
] as const;

export function Sections() {
  const { t } = useTranslation("sections");
  const { pathname } = useLocation();
  return (
    <Group component="nav" aria-label={t("label")} gap="md" style={{ borderBottom: "1px solid var(--mantine-color-default-border)" }} pb={6}>
      {SECTIONS.map(({ to, key }) => {
        const here = to === "/project" ? pathname === to : pathname.startsWith(to);
        return (
          <Anchor key={to} component={Link} to={to} size="sm" fw={here ? 700 : 400} c={here ? undefined : "inherit"} underline={here ? "always" : "hover"} aria-current={here ? "page" : undefined}>
            {t(key)}
          </Anchor>
        );
      })}
    </Group>
  );
}
