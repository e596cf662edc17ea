// The bell in the header: how many are unread, the latest, and the way to all of them.

import { ActionIcon, Anchor, Button, Group, Indicator, Popover, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconBell } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useBell, useRead } from "@/queries/notices";
import { Line } from "./Line";

export function Bell() {
  const { t } = useTranslation("notices");
  const bell = useBell();
  const read = useRead();
  const [opened, { toggle, close }] = useDisclosure();
  const unread = bell.data?.unread ?? 0;
  const label = unread > 0 ? t("bell.unread", { count: unread }) : t("bell.none");
  return (
    <Popover opened={opened} onChange={(open) => !open && close()} width={360} position="bottom-end" trapFocus>
      <Indicator disabled={unread === 0} label={unread > 99 ? "99+" : unread} size={15} color="red" offset={4}>
        <Popover.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={label} title={label} aria-expanded={opened} onClick={toggle}>
            <IconBell size={18} />
          </ActionIcon>
        </Popover.Target>
      </Indicator>
      <Popover.Dropdown role="dialog" aria-label={t("title")} maw="95vw">
        <Stack gap="sm">
          {bell.data?.latest.length === 0 && <Text size="sm">{t("empty")}</Text>}
          {bell.data?.latest.map((notice) => <Line key={notice.id} notice={notice} onOpen={close} />)}
          <Group justify="space-between">
            <Anchor component={Link} to="/notices" size="sm" onClick={close}>{t("all")}</Anchor>
            {unread > 0 && (
              <Button size="compact-xs" variant="default" loading={read.isPending} onClick={() => read.mutate(undefined)}>{t("readAll")}</Button>
            )}
          </Group>
        </Stack>
      </Popover.Dropdown>
      <span role="status" style={{ position: "absolute", width: 1, height: 1, overflow: "hidden", clipPath: "inset(50%)" }}>{unread > 0 ? label : ""}</span>
    </Popover>
  );
}
