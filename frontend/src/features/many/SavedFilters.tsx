// The list's filter under a name: mine, and what others share in the project.

import { ActionIcon, Anchor, Button, Group, Popover, Stack, Switch, Text, TextInput } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { useMe } from "@/queries";
import { useFilterDrop, useFilters, useFilterSave } from "@/queries/many";
import { filtersOf } from "./filters";

export function SavedFilters({ project, params }: { project: string; params: URLSearchParams }) {
  const { t } = useTranslation(["many", "base"]);
  const me = useMe();
  const [open, setOpen] = useState(false);
  const saved = useFilters(project, open);
  const save = useFilterSave(project);
  const drop = useFilterDrop(project);
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  const query = filtersOf(params);
  const mine = (owner: string) => owner === me.data?.actor;
  return (
    <Popover opened={open} onChange={setOpen} width={320} trapFocus withRoles>
      <Popover.Target>
        <Button size="xs" variant="default" onClick={() => setOpen(!open)}>{t("saved")}</Button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="xs">
          {saved.isError && <ErrorNote error={saved.error} />}
          {saved.data?.results.length === 0 && <Text size="sm" c="dimmed">{t("savedNone")}</Text>}
          {saved.data?.results.map((row) => (
            <Group key={row.id} justify="space-between" wrap="nowrap">
              <Anchor component={Link} size="sm" to={`/runs?${new URLSearchParams(Object.entries(row.query).flatMap(([key, values]) => values.map((v) => [key, v])))}`} onClick={() => setOpen(false)} style={{ overflowWrap: "anywhere" }}>
                {plain(row.name)}
              </Anchor>
              {mine(row.owner) ? (
                <ActionIcon size="sm" variant="subtle" color="gray" aria-label={t("savedDrop", { name: plain(row.name) })} loading={drop.isPending && drop.variables === row.id} onClick={() => drop.mutate(row.id)}>
                  <IconX size={14} />
                </ActionIcon>
              ) : (
                <Text size="xs" c="dimmed">{plain(row.owner.replace(/^user:/, ""))}</Text>
              )}
            </Group>
          ))}
          {Object.keys(query).length > 0 ? (
            <form
              onSubmit={(e) => {
                e.preventDefault();
                if (name !== "") save.mutate({ name, query, shared }, { onSuccess: () => setName("") });
              }}
            >
              <Stack gap="xs">
                <TextInput size="xs" label={t("savedName")} value={name} maxLength={60} onChange={(e) => setName(e.target.value)} />
                <Switch size="xs" label={t("savedShare")} checked={shared} onChange={(e) => setShared(e.currentTarget.checked)} />
                {save.isError && <ErrorNote error={save.error} />}
                <Button size="xs" type="submit" disabled={name === ""} loading={save.isPending}>{t("savedKeep")}</Button>
              </Stack>
            </form>
          ) : (
            <Text size="xs" c="dimmed">{t("savedHint")}</Text>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
