// A deed that is asked about before it is done: what it does, to how many steps, and a button that says its name.

import { Button, Group, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";

interface Deed {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  reset: () => void;
}

export function Asked({ word, doWord = word, name, what, red, deed, ready = true, run, children }: {
  /** The button's word; `name` is what it is done to. */
  word: string;
  /** What the button in the dialog says, where that is more than the word. */
  doWord?: string;
  name: string;
  what: string;
  red?: boolean;
  deed: Deed;
  ready?: boolean;
  run: (done: () => void) => void;
  children?: ReactNode;
}) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const shut = () => {
    close();
    deed.reset();
  };
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={`${word}: ${name}`} onClick={open}>{word}</Button>
      <Dialog opened={opened} onClose={shut} title={`${word}: ${name}`}>
        <form onSubmit={(e) => { e.preventDefault(); run(shut); }}>
          <Stack gap="sm">
            {what !== "" && <Text size="sm">{what}</Text>}
            {children}
            {deed.isError && <ErrorNote error={deed.error} />}
            <Group justify="flex-end">
              <Button variant="default" size="xs" onClick={shut}>{t("app.close")}</Button>
              <Button size="xs" type="submit" {...(red ? { color: "red" } : {})} loading={deed.isPending} disabled={!ready}>{doWord}</Button>
            </Group>
          </Stack>
        </form>
      </Dialog>
    </>
  );
}
