// A new agent's way in: one line to type on its machine, with a token that works once and is shown once.

import { Button, Code, CopyButton, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, timeOf } from "@/lib/format";
import { useJoinToken } from "@/queries/places";

export function Join({ site }: { site: { name: string } }) {
  const { t, i18n } = useTranslation(["pools", "base"]);
  const [opened, { open, close }] = useDisclosure(false);
  const token = useJoinToken();
  const shut = () => {
    close();
    token.reset(); // shown once: closing forgets it
  };
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={open}>{t("join")}</Button>
      <Dialog opened={opened} onClose={shut} title={t("joinTitle", { site: plain(site.name) })}>
        <Stack gap="sm">
          <Text size="sm">{t("joinWhat")}</Text>
          {token.data ? (
            <>
              <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{token.data.command}</Code>
              <Group justify="space-between">
                <Text size="xs">{t("joinOnce", { when: timeOf(Date.parse(token.data.expires_at), i18n.language) })}</Text>
                <CopyButton value={token.data.command}>
                  {({ copied, copy }) => <Button size="xs" onClick={copy}>{copied ? t("base:app.copied") : t("base:app.copy")}</Button>}
                </CopyButton>
              </Group>
            </>
          ) : (
            <Group justify="flex-end">
              <Button size="xs" loading={token.isPending} onClick={() => token.mutate(site.name)}>{t("joinMake")}</Button>
            </Group>
          )}
          {token.isError && <ErrorNote error={token.error} />}
        </Stack>
      </Dialog>
    </>
  );
}
