import { Alert, Button, Center, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconFingerprint } from "@tabler/icons-react";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/components/Dialog";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { csrfToken } from "@/api/client";
import { asProblem } from "@/api/problem";
import { passkeysWork } from "@/lib/passkey";
import { useSignIn, useSignInWays } from "@/queries";
import { usePasskeySignIn } from "@/queries/passkeys";

export function SignIn({ again = false }: { again?: boolean }) {
  const { t } = useTranslation(["base", "passkeys"]);
  const signIn = useSignIn();
  const passkey = usePasskeySignIn();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const ways = useSignInWays();
  const wantsCode = signIn.isError && asProblem(signIn.error).code === "second_factor";
  const asked = wantsCode || code !== "";
  const back = again ? null : new URLSearchParams(window.location.search).get("sign_in");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ username, password, ...(code ? { code } : {}) });
  };
  const form = (
    <form onSubmit={submit}>
      <Stack>
        <Title order={2} size="h4">
          {t("login.title")}
        </Title>
        {again && <Text size="sm">{t("login.again")}</Text>}
        <TextInput label={t("login.username")} autoComplete="username" required value={username} onChange={(e) => setUsername(e.target.value)} autoFocus />
        <Password label={t("login.password")} autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
        {asked && <TextInput label={t("login.code")} inputMode="numeric" autoComplete="one-time-code" required autoFocus value={code} maxLength={40} onChange={(e) => setCode(e.target.value)} />}
        {back && <Alert color="yellow">{t(`login.back.${back}`, { defaultValue: t("login.back.refused") })}</Alert>}
        {signIn.isError && !(wantsCode && code === "") && <ErrorNote error={signIn.error} />}
        {passkey.isError && <ErrorNote error={passkey.error} />}
        <Button type="submit" loading={signIn.isPending}>
          {t("login.submit")}
        </Button>
        {passkeysWork(ways.data?.passkey_origins) && (
          <Button variant="default" leftSection={<IconFingerprint size={16} aria-hidden />} loading={passkey.isPending} onClick={() => passkey.mutate(asked ? { username, password } : undefined)}>
            {t(asked ? "passkeys:instead" : "passkeys:signIn")}
          </Button>
        )}
        {!again && (
          <Text size="xs" c="dimmed">
            {t("login.hint")}
          </Text>
        )}
      </Stack>
    </form>
  );
  const provider = ways.data?.provider;
  const other = provider && (
    // A form, not a call: it leads to the provider's own pages and back.
    <form method="post" action={provider.url}>
      <input type="hidden" name="csrfmiddlewaretoken" value={csrfToken()} />
      <Button type="submit" variant="default" fullWidth mt="sm">{t("login.with", { name: plain(provider.name) })}</Button>
    </form>
  );
  if (again) return form;
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w={360}>
        <Title order={1} size="h2" mb="md">
          Fubini
        </Title>
        {form}
        {other}
      </Paper>
    </Center>
  );
}

/** Over a page whose session has ended; it stays until somebody has signed in. */
export function SignInAgain() {
  return (
    <Dialog opened onClose={() => undefined} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false}>
      <SignIn again />
    </Dialog>
  );
}
