// The installation, for administrators: its users, the audit trail, how the platform stands. The tab is in the address.

import { Alert, Anchor, Button, Code, Group, List, Stack, Switch, Table, Tabs, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { Dialog } from "@/components/Dialog";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { Empty, Figure, Loaded, More, Page, When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { InstallationFlags } from "@/features/flags/Flags";
import { duration, plain } from "@/lib/format";
import { useMe } from "@/queries";
import { useFactorReset, useStatus, useTrail, useTrailCheck, useUserChange, useUserMake, useUserPassword, useUsers } from "@/queries/people";

const Sites = lazy(async () => ({ default: (await import("@/features/estate/Sites")).Sites }));
const Prices = lazy(async () => ({ default: (await import("@/features/prices/Prices")).Prices }));

const TABS = ["users", "sites", "prices", "flags", "trail", "state"] as const;

export function Admin() {
  const { tab = "users" } = useParams();
  const { t } = useTranslation(["people", "base"]);
  const navigate = useNavigate();
  const me = useMe();
  if (me.data && !me.data.is_admin) return <Page title={t("admin")}><Empty title={t("adminOnly")} /></Page>;
  if (!(TABS as readonly string[]).includes(tab))
    return <Page title={t("admin")}><Empty title={t("base:problem.notFound")} action={<Anchor component={Link} to="/admin/users" size="sm">{t("tabs.users")}</Anchor>} /></Page>;
  return (
    <Page title={t("admin")} tab={t(`tabs.${tab}`)}>
      <Tabs value={tab} onChange={(value) => void navigate(`/admin/${value}`, { replace: true })} keepMounted={false}>
        <Tabs.List mb="md">{TABS.map((name) => <Tabs.Tab key={name} value={name}>{t(`tabs.${name}`)}</Tabs.Tab>)}</Tabs.List>
        <Tabs.Panel value="users"><Users /></Tabs.Panel>
        <Tabs.Panel value="sites"><Sites /></Tabs.Panel>
        <Tabs.Panel value="prices"><Prices /></Tabs.Panel>
        <Tabs.Panel value="flags"><InstallationFlags /></Tabs.Panel>
        <Tabs.Panel value="trail"><Trail /></Tabs.Panel>
        <Tabs.Panel value="state"><State /></Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function Users() {
  const { t } = useTranslation(["people", "base"]);
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed, 300);
  const users = useUsers(search);
  const change = useUserChange();
  const [asking, setAsking] = useState<{ what: "password" | "factor"; username: string } | null>(null);
  const rows = users.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack>
      <UserForm />
      <TextInput size="xs" w={260} aria-label={t("userSearch")} placeholder={t("userSearch")} value={typed} onChange={(e) => setTyped(e.target.value)} />
      {users.isError && <ErrorNote error={users.error} again={() => void users.refetch()} />}
      {change.isError && <ErrorNote error={change.error} />}
      <WideTable minWidth={760}>
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr><Table.Th>{t("base:login.username")}</Table.Th><Table.Th>{t("email")}</Table.Th><Table.Th>{t("lastLogin")}</Table.Th><Table.Th>{t("isActive")}</Table.Th><Table.Th>{t("isAdmin")}</Table.Th><Table.Th /></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((user) => (
              <Table.Tr key={user.id}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(user.username)}</Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(user.email)}</Table.Td>
                <Table.Td><When ms={user.last_login ? Date.parse(user.last_login) : null} /></Table.Td>
                <Table.Td><Switch size="xs" aria-label={`${t("isActive")}: ${plain(user.username)}`} checked={user.is_active} disabled={change.isPending} onChange={(e) => change.mutate({ username: user.username, is_active: e.currentTarget.checked })} /></Table.Td>
                <Table.Td><Switch size="xs" aria-label={`${t("isAdmin")}: ${plain(user.username)}`} checked={user.is_admin} disabled={change.isPending} onChange={(e) => change.mutate({ username: user.username, is_admin: e.currentTarget.checked })} /></Table.Td>
                <Table.Td>
                  <Group gap={6} wrap="nowrap" justify="flex-end">
                    <Button size="compact-xs" variant="default" onClick={() => setAsking({ what: "password", username: user.username })}>{t("setPassword")}</Button>
                    <Button size="compact-xs" variant="default" onClick={() => setAsking({ what: "factor", username: user.username })}>{t("factorReset")}</Button>
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
      <More query={users} />
      {asking && <UserDeed what={asking.what} username={asking.username} onClose={() => setAsking(null)} />}
    </Stack>
  );
}

function UserForm() {
  const { t } = useTranslation(["people", "base"]);
  const make = useUserMake();
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        make.mutate({ username, ...(email ? { email } : {}), ...(password ? { password } : {}) }, { onSuccess: () => { setUsername(""); setEmail(""); setPassword(""); } });
      }}
    >
      <Group align="flex-end" gap="sm">
        <TextInput size="xs" label={t("base:login.username")} required autoComplete="off" value={username} maxLength={64} onChange={(e) => setUsername(e.target.value)} />
        <TextInput size="xs" label={t("email")} type="email" autoComplete="off" value={email} maxLength={254} onChange={(e) => setEmail(e.target.value)} />
        <Password size="xs" w={180} label={t("base:login.password")} autoComplete="new-password" value={password} onChange={(e) => setPassword(e.target.value)} />
        <Button size="xs" type="submit" loading={make.isPending} disabled={username === ""}>{t("userMake")}</Button>
      </Group>
      {make.isError && <ErrorNote error={make.error} />}
    </form>
  );
}

function UserDeed({ what, username, onClose }: { what: "password" | "factor"; username: string; onClose: () => void }) {
  const { t } = useTranslation(["people", "base"]);
  const set = useUserPassword();
  const reset = useFactorReset();
  const [password, setPassword] = useState("");
  const deed = what === "password" ? set : reset;
  const title = `${t(what === "password" ? "setPassword" : "factorReset")}: ${plain(username)}`;
  return (
    <Dialog opened onClose={onClose} title={title}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (what === "password") set.mutate({ username, password }, { onSuccess: onClose });
          else reset.mutate(username, { onSuccess: onClose });
        }}
      >
        <Stack>
          {what === "password" ? <Password label={t("next")} description={t("nextHint")} autoComplete="new-password" required value={password} onChange={(e) => setPassword(e.target.value)} /> : <Text size="sm">{t("factorResetAsk", { name: plain(username) })}</Text>}
          {deed.isError && <ErrorNote error={deed.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t("base:app.close")}</Button>
            <Button type="submit" color={what === "factor" ? "red" : undefined} loading={deed.isPending} disabled={what === "password" && password === ""}>{t(what === "password" ? "setPassword" : "factorReset")}</Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function Trail() {
  const { t } = useTranslation(["people", "trail", "base"]);
  const topicOf = (action: string) => t(`trail:topic.${action.split(".")[0]}`, { defaultValue: plain(action) });
  const deedOf = (action: string) => {
    const deed = action.includes(".") ? action.slice(action.indexOf(".") + 1) : action;
    return t(`trail:deed.${deed}`, { defaultValue: plain(deed) });
  };
  const [given] = useSearchParams(); // a link from elsewhere may name what to look for
  const [fields, setFields] = useState({ actor: given.get("actor") ?? "", action: given.get("action") ?? "", target: given.get("target") ?? "" });
  const [asked] = useDebouncedValue(fields, 300);
  const trail = useTrail(Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== "")));
  const check = useTrailCheck();
  const rows = trail.data?.pages.flatMap((page) => page.results) ?? [];
  return (
    <Stack>
      <Group align="flex-end">
        {(["actor", "action", "target"] as const).map((name) => (
          <TextInput key={name} size="xs" label={t(`trail.${name}`)} placeholder={name === "target" ? undefined : t(`trail.${name}Hint`)} value={fields[name]} maxLength={name === "target" ? 120 : 64} onChange={(e) => setFields({ ...fields, [name]: e.target.value })} />
        ))}
        <Button size="xs" variant="default" loading={check.isPending} onClick={() => check.mutate()}>{t("trail.check")}</Button>
        {check.data && <Text size="sm" role="status" c={check.data.broken_at === null ? undefined : "red"}>{check.data.broken_at === null ? t("trail.whole", { count: check.data.entries }) : t("trail.broken", { id: check.data.broken_at })}</Text>}
      </Group>
      {trail.isError && <ErrorNote error={trail.error} again={() => void trail.refetch()} />}
      {check.isError && <ErrorNote error={check.error} />}
      {trail.isSuccess && rows.length === 0 && <Empty title={t("trail.none")} />}
      {rows.length > 0 && (
        <WideTable minWidth={760}>
          <Table fz="xs">
            <Table.Thead><Table.Tr>{(["at", "actor", "action", "target", "data"] as const).map((name) => <Table.Th key={name}>{t(`trail.${name}`)}</Table.Th>)}</Table.Tr></Table.Thead>
            <Table.Tbody>
              {rows.map((row) => (
                <Table.Tr key={row.id}>
                  <Table.Td style={{ whiteSpace: "nowrap" }}><When ms={Date.parse(row.at)} /></Table.Td>
                  <Table.Td>{plain(row.actor)}</Table.Td>
                  <Table.Td>
                    {t("trail:of", { topic: topicOf(row.action), deed: deedOf(row.action) })}
                    <Text fz="xs" c="dimmed" ff="monospace">{plain(row.action)}</Text>
                  </Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(row.target)}</Table.Td>
                  <Table.Td style={{ overflowWrap: "anywhere" }}><Code>{plain(JSON.stringify(row.data)).slice(0, 300)}</Code></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
      <More query={trail} />
    </Stack>
  );
}

function State() {
  const { t } = useTranslation(["people", "base"]);
  const status = useStatus();
  return (
    <Loaded query={status}>
      {(data) => (
        <Stack>
          <Alert color={data.ready ? "green" : "red"} title={t(data.ready ? "state.good" : "state.bad")}>
            {data.problems.length > 0 && <List size="sm">{data.problems.map((problem, i) => <List.Item key={i}>{plain(problem)}</List.Item>)}</List>}
          </Alert>
          <Group gap="xl">
            <Figure label={t("state.cycle")} value={duration(data.cycle_age_ms)} />
            <Figure label={t("state.event")} value={data.oldest_event_age_ms === null ? "–" : duration(data.oldest_event_age_ms)} />
            <Figure label={t("base:state.queued")} value={data.queued} />
            <Figure label={t("base:state.running")} value={data.running} />
          </Group>
          {data.paused !== "" && <Alert color="yellow">{plain(data.paused)}</Alert>}
          <Figures cycle={data.cycle as Record<string, unknown>} />
        </Stack>
      )}
    </Loaded>
  );
}

/** What the last scheduling cycle did, figure by figure; one that has no words here yet stands under its own name. */
function Figures({ cycle }: { cycle: Record<string, unknown> }) {
  const { t } = useTranslation(["people", "base"]);
  const rows = Object.entries(cycle);
  if (rows.length === 0) return null;
  const shown = (name: string, value: unknown) =>
    typeof value === "number" ? (name.endsWith("_ms") ? duration(value) : value.toLocaleString("en-US")) : plain(typeof value === "string" ? value : JSON.stringify(value));
  return (
    <Table fz="sm" w="auto" captionSide="top">
      <Table.Caption ta="left">{t("state.lastCycle")}</Table.Caption>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th fw={400}>{t(`state.figure.${name}`, { defaultValue: plain(name) })}</Table.Th>
            <Table.Td ta="right" style={{ overflowWrap: "anywhere" }}>{shown(name, value)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
