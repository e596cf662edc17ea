// What a file looks like, by its name: picture, table and plot, text, JSON, atoms. Nothing in a file can run: pictures are
// `img`, HTML goes into a frame without scripts or origin, all else is text. At most the first bytes of it are read.

import { Alert, Code, Loader, ScrollArea, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, size } from "@/lib/format";
import { parseCsv } from "./csv";
import { laidOut } from "./json";
import { kindOf, npyOf, type Kind } from "./kind";
import { encodingOf, readHead, textOf, type Head } from "./read";
import { SheetView } from "./SheetView";
import { Structure } from "./Structure";
import { readStructure } from "./structure";

const READ_MAX_BYTES = 8 * 1024 * 1024;
const TEXT_SHOWN = 200_000;

export function Preview({ url, name, bytes }: { url: string; name: string; bytes: number }) {
  const { t } = useTranslation(["preview", "base"]);
  const file = useQuery({
    queryKey: ["file", url],
    queryFn: async ({ signal }) => {
      const head = await readHead(url, name, bytes, READ_MAX_BYTES, signal);
      return { head, found: kindOf(head.name, head.bytes) };
    },
    staleTime: Infinity,
    gcTime: 60_000, // megabytes: not kept for long once nobody looks
  });
  if (file.isError) return <ErrorNote error={file.error} again={() => void file.refetch()} />;
  if (!file.data) return <Loader size="sm" aria-label={t("base:app.loading")} />;
  const { head, found } = file.data;
  if (head.bytes.length === 0) return <Text size="sm" c="dimmed">{t("empty")}</Text>;
  if (found.kind === "image") {
    if (!head.whole) return <Alert color="gray">{t("base:artifacts.tooLarge", { size: size(bytes) })}</Alert>;
    return <Picture bytes={head.bytes} type={found.type} name={head.name} />;
  }
  if (found.kind === "binary") return <Binary head={head.bytes} type={found.type} />;
  return (
    <Stack gap="xs">
      {!head.whole && (
        <Text size="xs" role="note">{head.packed ? t("firstUnpacked", { shown: size(head.bytes.length) }) : t("first", { shown: size(head.bytes.length), all: size(bytes) })}</Text>
      )}
      <TextFile head={head} kind={found.kind} />
    </Stack>
  );
}

function Picture({ bytes, type, name }: { bytes: Uint8Array<ArrayBuffer>; type: string; name: string }) {
  const { t } = useTranslation("preview");
  const [url, setUrl] = useState("");
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes, type]);
  if (broken) return <Alert color="gray">{t("broken")}</Alert>;
  return url === "" ? null : <img src={url} alt={plain(name)} onError={() => setBroken(true)} style={{ maxWidth: "100%", maxHeight: 640, background: "#fff", borderRadius: 8 }} />;
}

function Binary({ head, type }: { head: Uint8Array; type: string }) {
  const { t } = useTranslation(["preview", "base"]);
  const array = type === "npy" ? npyOf(head) : null;
  if (array) return <Alert color="gray">{t("npy", { shape: array.shape.length === 0 ? t("scalar") : array.shape.map((n) => n.toLocaleString("en-US")).join(" × "), type: array.type })}</Alert>;
  return <Alert color="gray">{type === "" || type === "npy" ? t("base:artifacts.binary") : t("known", { type: t(`types.${type}`) })}</Alert>;
}

function TextFile({ head, kind }: { head: Head; kind: Kind }) {
  const { t } = useTranslation("preview");
  const encoding = useMemo(() => encodingOf(head.bytes) ?? "utf-8", [head]);
  const text = useMemo(() => textOf(head.bytes, encoding), [head, encoding]);
  const structure = useMemo(() => (kind === "structure" ? readStructure(head.name, text) : null), [kind, head, text]);
  const sheet = useMemo(() => (kind === "table" ? parseCsv(text, head.name.toLowerCase().endsWith(".tsv") ? "\t" : undefined) : null), [kind, head, text]);
  if (structure && structure.frames.length > 0) return <Structure found={structure} />;
  if (sheet) return <SheetView sheet={sheet} whole={head.whole} />;
  if (kind === "html")
    return <iframe title={plain(head.name)} sandbox="" srcDoc={text} style={{ width: "100%", height: 480, border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, background: "#fff" }} />;
  return (
    <>
      {structure && <Text size="xs" c="dimmed">{t("noAtoms")}</Text>}
      {encoding !== "utf-8" && <Text size="xs" c="dimmed">{t("encoding", { name: encoding })}</Text>}
      <Plain text={kind === "json" ? laidOut(text.slice(0, TEXT_SHOWN)) : text} />
    </>
  );
}

function Plain({ text }: { text: string }) {
  const { t } = useTranslation("preview");
  const shown = plain(text.slice(0, TEXT_SHOWN).replace(/\r\n?/g, "\n"));
  return (
    <>
      {text.length > TEXT_SHOWN && <Text size="xs" role="note">{t("characters", { shown: TEXT_SHOWN.toLocaleString("en-US") })}</Text>}
      <ScrollArea.Autosize mah={480} tabIndex={0}>
        <Code block>{shown}</Code>
      </ScrollArea.Autosize>
    </>
  );
}
