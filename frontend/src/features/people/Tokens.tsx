// Tokens, of a person or of a project: made with as little as they need, shown once, revoked.

import { Alert, Badge, Button, Checkbox, Code, CopyButton, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { ErrorNote } from "@/components/ErrorNote";
import { When } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { plain } from "@/lib/format";
import { ROLES, type Role } from "@/queries/people";

export interface Ask {
  name: string;
  scopes: ("read" | "write" | "admin")[];
  expires_at: string | null;
  role: Exclude<Role, "owner">;
}

const LIVES_DAYS = [7, 30, 90, 365] as const;
const DAY_MS = 86_400_000;

export function TokenTable({ tokens, revoke, revoking }: { tokens: Schemas["TokenOut"][]; revoke: (id: string) => void; revoking: string | undefined }) {
  const { t } = useTranslation(["people", "base"]);
  if (tokens.length === 0) return <Text size="sm" c="dimmed">{t("tokenNone")}</Text>;
  return (
    <WideTable minWidth={560}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>{(["name", "may", "used", "until"] as const).map((key) => <Table.Th key={key}>{t(`token.${key}`)}</Table.Th>)}<Table.Th /></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tokens.map((token) => (
            <Table.Tr key={token.id}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{plain(token.name)} <Text span size="xs" c="dimmed">fub_{token.prefix}…</Text></Table.Td>
              <Table.Td><Group gap={4}>{[...(token.role ? [token.role] : []), ...token.scopes].map((word) => <Badge key={word} size="sm" variant="light" color="gray" tt="none">{word}</Badge>)}</Group></Table.Td>
              <Table.Td>{token.last_used_at ? <When ms={Date.parse(token.last_used_at)} /> : t("never")}</Table.Td>
              <Table.Td>{token.revoked_at ? t("revoked") : token.expires_at ? <When ms={Date.parse(token.expires_at)} /> : t("forever")}</Table.Td>
              <Table.Td ta="right">
                {!token.revoked_at && (
                  <Button size="compact-xs" color="red" variant="light" loading={revoking === token.id} aria-label={t("revokeNamed", { name: plain(token.name) })} onClick={() => revoke(token.id)}>{t("revoke")}</Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}

export function TokenForm({ roles, admin, made, error, pending, make }: { roles: boolean; admin: boolean; made: string | undefined; error: unknown; pending: boolean; make: (ask: Ask) => void }) {
  const { t } = useTranslation(["people", "base"]);
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(["read"]);
  const [role, setRole] = useState<Ask["role"]>("member");
  const [days, setDays] = useState("30");
  const send = () =>
    make({ name, scopes: scopes as Ask["scopes"], role, expires_at: days === "0" ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString() });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      <Stack gap="xs">
        <Group align="flex-end" gap="sm">
          <TextInput size="xs" label={t("tokenName")} required value={name} maxLength={roles ? 24 : 80} onChange={(e) => setName(e.target.value)} />
          {roles && <Select size="xs" label={t("role")} data={ROLES.filter((r) => r !== "owner").map((value) => ({ value, label: t(`roles.${value}`) }))} value={role} allowDeselect={false} onChange={(v) => setRole((v ?? "member") as Ask["role"])} />}
          <Checkbox.Group label={t("token.may")} size="xs" value={scopes} onChange={setScopes}>
            <Group gap="sm" h={30}>{["read", "write", ...(admin ? ["admin"] : [])].map((value) => <Checkbox key={value} size="xs" value={value} label={value} />)}</Group>
          </Checkbox.Group>
          <Select size="xs" w={120} label={t("lives")} data={[...LIVES_DAYS.map((n) => ({ value: String(n), label: t("days", { count: n }) })), { value: "0", label: t("forever") }]} value={days} allowDeselect={false} onChange={(v) => setDays(v ?? "30")} />
          <Button size="xs" type="submit" loading={pending} disabled={name === "" || scopes.length === 0}>{t("tokenMake")}</Button>
        </Group>
        {error !== null && <ErrorNote error={error} />}
        {made && (
          <Alert color="green" title={t("tokenOnce")}>
            <Group wrap="nowrap">
              <Code style={{ overflowWrap: "anywhere" }}>{made}</Code>
              <CopyButton value={made}>{({ copied, copy }) => <Button size="compact-xs" variant="default" onClick={copy}>{t(copied ? "base:app.copied" : "base:app.copy")}</Button>}</CopyButton>
            </Group>
          </Alert>
        )}
      </Stack>
    </form>
  );
}
