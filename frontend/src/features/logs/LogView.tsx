// One log viewer for live and archived logs: search, follow, a link to each line. Only the lines in view are elements.

import { ActionIcon, Box, Group, Select, Switch, Text, TextInput, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconDownload } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";
import { ErrorNote } from "@/components/ErrorNote";
import { plain, size } from "@/lib/format";
import { useLog } from "./useLog";

const LINE_PX = 18;

export function LogView({ task, attempt, height = 380 }: { task: string; attempt?: number; height?: number }) {
  const { t } = useTranslation();
  const location = useLocation();
  const [stream, setStream] = useState<string | undefined>();
  const log = useLog(task, attempt, stream);
  const wanted = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
  const [follow, setFollow] = useState(wanted === 0);
  const [search, setSearch] = useState("");
  const [hit, setHit] = useState(0);
  const scroll = useRef<HTMLDivElement>(null);
  const lines = log.open === "" ? log.lines : [...log.lines, log.open];
  const count = lines.length;
  const rows = useVirtualizer({ count, getScrollElement: () => scroll.current, estimateSize: () => LINE_PX, overscan: 20 });

  const hits = useMemo(() => {
    if (search === "") return [];
    const needle = search.toLowerCase();
    const found: number[] = [];
    for (let i = 0; i < count && found.length < 10_000; i += 1) if (lines[i]!.toLowerCase().includes(needle)) found.push(i);
    return found;
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `lines` grows in place; its length tells
  }, [search, count]);

  useEffect(() => {
    if (follow && count > 0) rows.scrollToIndex(count - 1, { align: "end" });
  }, [follow, count, rows]);
  const jumped = useRef(false);
  useEffect(() => {
    const index = wanted - 1 - log.cut;
    if (wanted > 0 && !jumped.current && index >= 0 && index < count) {
      jumped.current = true;
      rows.scrollToIndex(index, { align: "center" });
    }
  }, [wanted, count, log.cut, rows]);

  const go = (step: number) => {
    if (hits.length === 0) return;
    const next = (hit + step + hits.length) % hits.length;
    setHit(next);
    setFollow(false);
    rows.scrollToIndex(hits[next]!, { align: "center" });
  };
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n")], { type: "text/plain" }));
    link.download = `${task}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <Box>
      <Group gap="xs" mb={6}>
        <TextInput
          size="xs"
          w={200}
          placeholder={t("logs.search")}
          aria-label={t("logs.search")}
          value={search}
          onChange={(e) => { setSearch(e.target.value); setHit(0); }}
          onKeyDown={(e) => e.key === "Enter" && go(e.shiftKey ? -1 : 1)}
        />
        {search !== "" && (
          <>
            <Text size="xs" role="status">{t("logs.hits", { count: hits.length })}</Text>
            <ActionIcon size="sm" variant="default" aria-label="↑" onClick={() => go(-1)}><IconArrowUp size={14} /></ActionIcon>
            <ActionIcon size="sm" variant="default" aria-label="↓" onClick={() => go(1)}><IconArrowDown size={14} /></ActionIcon>
          </>
        )}
        <Switch size="xs" label={t("logs.follow")} checked={follow} onChange={(e) => setFollow(e.currentTarget.checked)} />
        {log.streams.length > 1 && (
          <Select size="xs" w={110} aria-label={t("logs.stream")} data={log.streams} value={stream ?? log.stream} onChange={(value) => setStream(value ?? undefined)} />
        )}
        <Text size="xs" c="dimmed">{size(log.sizeBytes)}</Text>
        <Tooltip label={t("logs.download")}>
          <ActionIcon size="sm" variant="default" aria-label={t("logs.download")} onClick={save}><IconDownload size={14} /></ActionIcon>
        </Tooltip>
      </Group>
      {log.problem && <ErrorNote error={log.problem} />}
      <div
        ref={scroll}
        tabIndex={0}
        role="log"
        aria-label={t("step.logs")}
        data-lines={count}
        style={{ height, overflow: "auto", background: "#0f141b", color: "#dfe6ee", borderRadius: 8, fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12.5 }}
        onWheel={(e) => e.deltaY < 0 && setFollow(false)}
      >
        {count === 0 && <Text size="sm" p="sm" c="gray.4">{t(log.eof ? "logs.empty" : "logs.waiting")}</Text>}
        <div style={{ height: rows.getTotalSize(), position: "relative", minWidth: "max-content", width: "100%" }}>
          {rows.getVirtualItems().map((row) => {
            const number = row.index + 1 + log.cut;
            const lit = number === wanted;
            const isHit = search !== "" && hits[hit] === row.index;
            return (
              <div key={row.index} style={{ position: "absolute", top: 0, transform: `translateY(${row.start}px)`, height: LINE_PX, whiteSpace: "pre", background: lit ? "#2b4a6f" : isHit ? "#5c4a10" : undefined, width: "100%" }}>
                <a href={`#L${number}`} aria-label={t("logs.line", { n: number })} style={{ display: "inline-block", width: 64, textAlign: "right", paddingRight: 12, color: "#8795a8", textDecoration: "none", userSelect: "none" }}>
                  {number}
                </a>
                {plain(lines[row.index]!).slice(0, 4000)}
              </div>
            );
          })}
        </div>
      </div>
      {log.gaps > 0 && <Text size="xs" c="dimmed">{t("logs.gap", { size: log.gaps })}</Text>}
    </Box>
  );
}
