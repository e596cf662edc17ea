// Myself: what others see of me, how and where I sign in, my tokens.

import { Button, Group, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Loaded, More, Page } from "@/components/parts";
import { Passkeys } from "@/features/people/Passkeys";
import { SecondFactor } from "@/features/people/SecondFactor";
import { Sessions } from "@/features/people/Sessions";
import { TokenForm, TokenTable } from "@/features/people/Tokens";
import { useMe } from "@/queries";
import { accountKey, tokensAfter, useAccount } from "@/queries/account";
import { useMeChange, useMyTokenMake, useMyTokenRevoke, usePasswordChange } from "@/queries/people";
import { useRest } from "@/queries/rest";

export function Account() {
  const { t } = useTranslation(["people", "passkeys", "base"]);
  const me = useMe();
  const account = useAccount();
  return (
    <Page title={t("account")}>
      <Loaded query={me}>
        {(data) =>
          data.user === null ? (
            <Text size="sm">{t("noPerson")}</Text>
          ) : (
            <SimpleGrid cols={{ base: 1, lg: 2 }}>
              <Card title={data.user.username}><Names user={data.user} /></Card>
              <Card title={t("base:login.password")}><PasswordChange /></Card>
              <Card title={t("factor.title")}><Loaded query={account}>{({ second_factor: factor }) => factor && <SecondFactor factor={factor} />}</Loaded></Card>
              <Card title={t("passkeys:title")}><Loaded query={account}>{({ passkeys, passkey_origins }) => <Passkeys passkeys={passkeys} origins={passkey_origins} />}</Loaded></Card>
              <Card title={t("passkeys:sessions.title")}><Loaded query={account}>{({ sessions }) => <Sessions sessions={sessions} />}</Loaded></Card>
              <Card title={t("myTokens")}><Loaded query={account}>{({ tokens }) => <MyTokens first={tokens} admin={data.is_admin} />}</Loaded></Card>
            </SimpleGrid>
          )
        }
      </Loaded>
    </Page>
  );
}

function Names({ user }: { user: { email: string; first_name: string; last_name: string } }) {
  const { t } = useTranslation(["people", "base"]);
  const change = useMeChange();
  const [fields, setFields] = useState({ first_name: user.first_name, last_name: user.last_name, email: user.email });
  const set = (name: keyof typeof fields) => (e: React.ChangeEvent<HTMLInputElement>) => setFields({ ...fields, [name]: e.target.value });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        change.mutate(fields);
      }}
    >
      <Stack gap="xs">
        <Group grow>
          <TextInput label={t("firstName")} autoComplete="given-name" value={fields.first_name} maxLength={150} onChange={set("first_name")} />
          <TextInput label={t("lastName")} autoComplete="family-name" value={fields.last_name} maxLength={150} onChange={set("last_name")} />
        </Group>
        <TextInput label={t("email")} type="email" autoComplete="email" value={fields.email} maxLength={254} onChange={set("email")} />
        {change.isError && <ErrorNote error={change.error} />}
        <Group><Button size="xs" type="submit" loading={change.isPending}>{t("save")}</Button>{change.isSuccess && <Text size="sm" role="status">{t("saved")}</Text>}</Group>
      </Stack>
    </form>
  );
}

function PasswordChange() {
  const { t } = useTranslation(["people", "base"]);
  const change = usePasswordChange();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        change.mutate({ current, password }, { onSuccess: () => { setCurrent(""); setPassword(""); } });
      }}
    >
      <Stack gap="xs">
        <Password label={t("current")} autoComplete="current-password" required value={current} onChange={(e) => setCurrent(e.target.value)} />
        <Password label={t("next")} description={t("nextHint")} autoComplete="new-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
        {change.isError && <ErrorNote error={change.error} />}
        <Group><Button size="xs" type="submit" loading={change.isPending} disabled={current === "" || password === ""}>{t("passwordChange")}</Button>{change.isSuccess && <Text size="sm" role="status">{t("passwordChanged")}</Text>}</Group>
      </Stack>
    </form>
  );
}

function MyTokens({ first, admin }: { first: Schemas["TokensPage"]; admin: boolean }) {
  const tokens = useRest(accountKey, first, tokensAfter, (token) => token.id);
  const make = useMyTokenMake();
  const revoke = useMyTokenRevoke();
  return (
    <Stack>
      <TokenTable tokens={tokens.rows} revoke={(id) => revoke.mutate(id)} revoking={revoke.isPending ? revoke.variables : undefined} />
      <More query={tokens} />
      {revoke.isError && <ErrorNote error={revoke.error} />}
      <TokenForm roles={false} admin={admin} made={make.data?.token} error={make.error} pending={make.isPending} make={({ role: _, ...ask }) => make.mutate(ask)} />
    </Stack>
  );
}
