// Signing in with a code too: set up by scanning a key and proving it, taken away with the password.

import { Alert, Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Password } from "@/components/Password";
import { ErrorNote } from "@/components/ErrorNote";
import { When } from "@/components/parts";
import { useFactorBegin, useFactorConfirm, useFactorDrop } from "@/queries/people";

export function SecondFactor({ factor }: { factor: Schemas["FactorOut"] }) {
  const { t } = useTranslation(["people", "base"]);
  const begin = useFactorBegin();
  const confirm = useFactorConfirm();
  const [code, setCode] = useState("");
  return (
    <Stack gap="sm">
      {confirm.data && (
        <Alert color="green" title={t("factor.once")}>
          <Code block>{confirm.data.codes.join("\n")}</Code>
        </Alert>
      )}
      {factor.enabled ? (
        <>
          <Text size="sm">{t("factor.on")} <When ms={factor.since ? Date.parse(factor.since) : null} />. {t("factor.left", { count: factor.recovery_codes_left })}.</Text>
          <Drop />
        </>
      ) : begin.data ? (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            confirm.mutate(code, { onSuccess: () => { setCode(""); begin.reset(); } });
          }}
        >
          <Stack gap="xs">
            <Text size="sm">{t("factor.scan")}</Text>
            {/* An image of its own document: what is in it cannot reach the page. White, for scanners in the dark too. */}
            <img src={`data:image/svg+xml;base64,${btoa(begin.data.svg)}`} alt={t("factor.qr")} width={180} height={180} style={{ background: "#fff", padding: 8 }} />
            <Text size="sm">{t("factor.key")}: <Code data-secret>{begin.data.secret}</Code></Text>
            <Group align="flex-end">
              <TextInput label={t("factor.code")} inputMode="numeric" autoComplete="one-time-code" required value={code} maxLength={20} onChange={(e) => setCode(e.target.value)} />
              <Button type="submit" loading={confirm.isPending} disabled={code === ""}>{t("factor.confirm")}</Button>
            </Group>
            {confirm.isError && <ErrorNote error={confirm.error} />}
          </Stack>
        </form>
      ) : (
        <>
          <Text size="sm">{t("factor.off")}</Text>
          <Group><Button size="xs" loading={begin.isPending} onClick={() => begin.mutate()}>{t("factor.begin")}</Button></Group>
          {begin.isError && <ErrorNote error={begin.error} />}
        </>
      )}
    </Stack>
  );
}

function Drop() {
  const { t } = useTranslation(["people", "base"]);
  const drop = useFactorDrop();
  const [password, setPassword] = useState("");
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        drop.mutate(password);
      }}
    >
      <Group align="flex-end">
        <Password w={220} label={t("current")} description={t("factor.dropHint")} autoComplete="current-password" required value={password} onChange={(e) => setPassword(e.target.value)} />
        <Button type="submit" color="red" variant="light" loading={drop.isPending} disabled={password === ""}>{t("factor.drop")}</Button>
      </Group>
      {drop.isError && <ErrorNote error={drop.error} />}
    </form>
  );
}
