// What a file looks like, by its name: picture, table and plot, text, JSON, notebook, atoms; else a sentence that says what it
// is and what to do. Nothing in a file can run: pictures are `img`, HTML goes into a frame without scripts or origin, all else
// is text. At most the first bytes of it are read, and of text no more than is shown.

import { Alert, Code, Loader, ScrollArea, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNote } from "@/components/ErrorNote";
import { cleanText } from "@/features/logs/clean";
import { plain, size } from "@/lib/format";
import { parseCsv } from "./csv";
import { laidOut } from "./json";
import { isCut, kindOf, mostOf, npyOf, pixelsOf, READ_MAX_BYTES, type Kind } from "./kind";
import { Notebook } from "./Notebook";
import { readNotebook } from "./notebook";
import { encodingOf, readHead, textOf, type Head } from "./read";
import { SheetView } from "./SheetView";
import { Structure } from "./Structure";
import { readStructure } from "./structure";

const TEXT_SHOWN = 200_000;
const PIXELS_MAX = 50_000_000; // four bytes each once drawn

export function Preview({ url, name, bytes }: { url: string; name: string; bytes: number }) {
  const { t } = useTranslation(["preview", "base"]);
  const file = useQuery({
    queryKey: ["file", url],
    queryFn: async ({ signal }) => {
      const head = await readHead(url, name, bytes, READ_MAX_BYTES, mostOf, signal);
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
    const pixels = pixelsOf(head.bytes, found.type);
    const many = pixels !== null && pixels[0] * pixels[1] > PIXELS_MAX;
    if (!head.whole || many) return <Alert color="gray">{t("pictureTooLarge", { size: size(bytes), pixels: pixels ? `, ${pixels.map((n) => n.toLocaleString("en-US")).join(" × ")}` : "" })}</Alert>;
    return <Picture bytes={head.bytes} type={found.type} name={head.name} />;
  }
  if (found.kind === "binary") return <Binary head={head.bytes} type={found.type} bytes={bytes} packed={head.packed} />;
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
  const picture = url === "" ? null : <img src={url} alt={plain(name)} onError={() => setBroken(true)} style={{ maxWidth: "100%", maxHeight: 640, background: "#fff", borderRadius: 8 }} />;
  const note = type === "image/svg+xml" && wantsMore(new TextDecoder().decode(bytes)) ? t("ownOnly") : isCut(bytes, type) ? t("pictureCut") : "";
  if (note === "") return picture;
  return (
    <Stack gap={4}>
      {picture}
      <Text size="xs" role="note">{note}</Text>
    </Stack>
  );
}

/** Does a page or drawing run scripts or load what lies elsewhere? Neither happens here. */
const wantsMore = (svg: string): boolean => /<script[\s>]|\son\w+\s*=|(href|src)\s*=\s*["']?\s*(https?:)?\/\//i.test(svg);

function Binary({ head, type, bytes, packed }: { head: Uint8Array; type: string; bytes: number; packed: boolean }) {
  const { t } = useTranslation("preview");
  const array = type === "npy" ? npyOf(head) : null;
  const what = array
    ? t("npy", { shape: array.shape.length === 0 ? t("scalar") : array.shape.map((n) => n.toLocaleString("en-US")).join(" × "), type: array.type })
    : type === "" || type === "npy"
      ? t("unknown")
      : t(`types.${type}`);
  return <Alert color="gray">{t(packed ? "packedNotDrawn" : "notDrawn", { what, size: size(bytes) })}</Alert>;
}

function TextFile({ head, kind }: { head: Head; kind: Kind }) {
  const { t } = useTranslation("preview");
  const encoding = useMemo(() => encodingOf(head.bytes) ?? "utf-8", [head]);
  const text = useMemo(() => textOf(head.bytes, encoding), [head, encoding]);
  const structure = useMemo(() => (kind === "structure" ? readStructure(head.name, text, head.whole) : null), [kind, head, text]);
  const sheet = useMemo(() => (kind === "table" ? parseCsv(text, head.name.toLowerCase().endsWith(".tsv") ? "\t" : undefined, head.whole) : null), [kind, head, text]);
  if (structure && structure.frames.length > 0) return <Structure found={structure} />;
  const cells = useMemo(() => (kind === "notebook" ? readNotebook(text) : null), [kind, text]);
  if (sheet && sheet.head.length > 0) return <SheetView sheet={sheet} whole={head.whole} />;
  if (cells) return <Notebook cells={cells} />;
  if (kind === "html")
    return (
      <>
        {wantsMore(text) && <Text size="xs" role="note">{t("ownOnly")}</Text>}
        <iframe title={plain(head.name)} sandbox="" srcDoc={text} style={{ width: "100%", height: 480, border: "1px solid var(--mantine-color-default-border)", borderRadius: 8, background: "#fff" }} />
      </>
    );
  return (
    <>
      {structure && <Text size="xs" c="dimmed">{t("noAtoms")}</Text>}
      {encoding !== "utf-8" && <Text size="xs" c="dimmed">{t("encoding", { name: encoding })}</Text>}
      {kind === "notebook" && <Text size="xs" c="dimmed">{t("noNotebook")}</Text>}
      <Plain text={kind === "json" || kind === "notebook" ? laidOut(text.slice(0, TEXT_SHOWN)) : text} more={text.length > TEXT_SHOWN} />
    </>
  );
}

function Plain({ text, more }: { text: string; more: boolean }) {
  const { t } = useTranslation("preview");
  const shown = plain(cleanText(text.slice(0, TEXT_SHOWN)));
  return (
    <>
      {more && <Text size="xs" role="note">{t("characters", { shown: TEXT_SHOWN.toLocaleString("en-US") })}</Text>}
      <ScrollArea.Autosize mah={480} tabIndex={0}>
        <Code block>{shown}</Code>
      </ScrollArea.Autosize>
    </>
  );
}
