// One dataset: its versions and their files, where copies lie, what uses it, and what may be done with it.

import { Anchor, Badge, Button, Code, Grid, Group, Select, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Link, useParams, useSearchParams } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { Card, Empty, Loaded, Page, When } from "@/components/parts";
import { Copies } from "@/features/data/Copies";
import { DeleteDialog } from "@/features/data/DeleteDialog";
import { Files } from "@/features/data/Files";
import { Uses } from "@/features/data/Uses";
import { VersionOrigin } from "@/features/origin/Origin";
import { Uploader } from "@/features/upload/Uploader";
import { useAddressSetter } from "@/lib/address";
import { plain, size } from "@/lib/format";
import { useDatasetPage, usePin } from "@/queries/data";

export function Dataset() {
  const { id = "" } = useParams();
  const { t } = useTranslation(["data", "origin", "base"]);
  const [params] = useSearchParams();
  const put = useAddressSetter();
  const wanted = Number(params.get("version")) || undefined;
  const page = useDatasetPage(id, wanted);
  const pin = usePin(id);
  const [deleting, { open, close }] = useDisclosure();
  const [adding, { toggle }] = useDisclosure();
  return (
    <Loaded query={page}>
      {({ dataset, versions, version, copies, uses }) => (
        <Page
          title={dataset.name}
          actions={
            <>
              <Button size="xs" variant="default" onClick={toggle} aria-expanded={adding}>{t("newVersion")}</Button>
              <Button size="xs" variant="default" color="red" onClick={open}>{t("delete")}</Button>
            </>
          }
        >
          {dataset.description !== "" && <Text size="sm">{plain(dataset.description)}</Text>}
          {deleting && <DeleteDialog page={{ dataset, versions, version, copies, uses }} onClose={close} />}
          {adding && (
            <Card title={t("newVersion")}>
              <Uploader project={dataset.project} fixed={dataset.name} known={[{ name: dataset.name, version: dataset.latest?.number ?? 0 }]} />
            </Card>
          )}
          {version === null ? (
            <Empty title={t("empty")} hint={t("emptyHint")} />
          ) : (
            <Grid>
              <Grid.Col span={{ base: 12, lg: 8 }}>
                <Card
                  title={t("files")}
                  aside={
                    <Select
                      size="xs"
                      w={150}
                      aria-label={t("versions")}
                      allowDeselect={false}
                      value={String(version.number)}
                      data={versions.map((v) => ({ value: String(v.number), label: t("version", { n: v.number }) + (v.pinned_by ? ` · ${t("pinned")}` : "") }))}
                      onChange={(v) => put({ version: v ?? "" })}
                    />
                  }
                >
                  <Files id={id} number={version.number} name={dataset.name} />
                </Card>
                <div style={{ marginTop: "var(--mantine-spacing-md)" }}>
                  <Card title={t("origin:title")}>
                    <VersionOrigin
                      id={id}
                      number={version.number}
                      open={params.get("origin") !== null}
                      onOpen={() => put({ origin: "1" })}
                    />
                  </Card>
                </div>
              </Grid.Col>
              <Grid.Col span={{ base: 12, lg: 4 }}>
                <Stack>
                  <Card
                    title={t("version", { n: version.number })}
                    aside={
                      <Button size="compact-xs" variant="default" loading={pin.isPending} onClick={() => pin.mutate({ number: version.number, pinned: version.pinned_by === "" })}>
                        {t(version.pinned_by ? "unpin" : "pin")}
                      </Button>
                    }
                  >
                    <Stack gap={4}>
                      {version.pinned_by !== "" && <Badge variant="light" tt="none">{t("pinned")}</Badge>}
                      {version.pinned_by !== "" && <Text size="sm">{t("pinnedBy", { who: plain(version.pinned_by) })}</Text>}
                      {pin.isError && <ErrorNote error={pin.error} />}
                      <Text size="sm">{t("copy", { files: version.files, size: size(version.size_bytes) })}</Text>
                      <Text size="xs" c="dimmed"><When ms={Date.parse(version.created_at)} /> · {t("by", { who: plain(version.created_by) })}</Text>
                      <Group gap={6}><Text size="sm">{t("claim")}:</Text><Code>claimName: {plain(dataset.name)}-v{version.number}</Code></Group>
                      {version.made_from !== "" && (
                        <Anchor component={Link} size="sm" to={`/runs/${version.made_from.split("/")[0]}/origin?of=${encodeURIComponent(version.made_from)}`}>{t("origin:keptFrom")}</Anchor>
                      )}
                      <Group gap={6}><Text size="sm">{t("digest")}:</Text><Code>{version.digest.slice(0, 16)}</Code></Group>
                    </Stack>
                  </Card>
                  <Copies copies={copies} files={version.files} />
                  <Uses uses={uses} />
                </Stack>
              </Grid.Col>
            </Grid>
          )}
        </Page>
      )}
    </Loaded>
  );
}
