import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { Schemas } from "@/api/client";
import { Dialog } from "@/components/Dialog";
import { ErrorNote } from "@/components/ErrorNote";
import { plain } from "@/lib/format";
import { useDatasetDelete } from "@/queries/data";
import { UseList } from "./Uses";

/** Says what would be lost and who would miss it, before anything is. */
export function DeleteDialog({ page, onClose }: { page: Schemas["DatasetPageOut"]; onClose: () => void }) {
  const { t } = useTranslation(["data", "base"]);
  const navigate = useNavigate();
  const remove = useDatasetDelete();
  const blocked = page.uses.some((use) => use.blocks) || page.versions.some((v) => v.pinned_by !== "");
  return (
    <Dialog opened onClose={onClose} title={t("deleteTitle", { name: plain(page.dataset.name) })}>
      <Stack>
        <Text size="sm">{t("deleteText", { count: page.dataset.latest?.number ?? 0 })}</Text>
        {blocked && <Alert color="orange" p="xs">{t("deleteBlocked")}</Alert>}
        {page.uses.length > 0 && (
          <>
            <Text size="sm">{t("deleteNames")}</Text>
            <UseList uses={page.uses} />
          </>
        )}
        {remove.isError && <ErrorNote error={remove.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>{t("cancel")}</Button>
          <Button color="red" disabled={blocked} loading={remove.isPending} onClick={() => remove.mutate(page.dataset.id, { onSuccess: () => void navigate("/data") })}>{t("delete")}</Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
