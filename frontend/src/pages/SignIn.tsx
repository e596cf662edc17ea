import { Button, Center, Modal, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { useSignIn } from "@/queries";

export function SignIn({ again = false }: { again?: boolean }) {
  const { t } = useTranslation();
  const signIn = useSignIn();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ username, password });
  };
  const form = (
    <form onSubmit={submit}>
      <Stack>
        <Title order={2} size="h4">
          {t("login.title")}
        </Title>
        {again && <Text size="sm">{t("login.again")}</Text>}
        <TextInput label={t("login.username")} autoComplete="username" required value={username} onChange={(e) => setUsername(e.target.value)} autoFocus />
        <PasswordInput label={t("login.password")} autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
        {signIn.isError && <ErrorNote error={signIn.error} />}
        <Button type="submit" loading={signIn.isPending}>
          {t("login.submit")}
        </Button>
        {!again && (
          <Text size="xs" c="dimmed">
            {t("login.hint")}
          </Text>
        )}
      </Stack>
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
      </Paper>
    </Center>
  );
}

/** Over a page whose session has ended; it stays until somebody has signed in. */
export function SignInAgain() {
  return (
    <Modal opened onClose={() => undefined} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false} centered>
      <SignIn again />
    </Modal>
  );
}
