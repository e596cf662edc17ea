// The same nodes as the picture, as rows: for keyboards, readers and those who search.

import { Group, Switch, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { PhaseMark, Took } from "@/components/parts";
import type { GraphNode } from "@/features/graph/layout";
import { whereabouts } from "@/features/run/whereabouts";
import { money, plain } from "@/lib/format";

const ROW_PX = 34;
const DONE = new Set(["Succeeded", "Skipped", "Omitted"]);

export function StepList({ nodes, chosen, onChoose }: { nodes: GraphNode[]; chosen: string; onChoose: (node: GraphNode) => void }) {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const [onlyOpen, setOnlyOpen] = useState(false);
  const [leaves, setLeaves] = useState(true);
  const scroll = useRef<HTMLDivElement>(null);
  const within = useMemo(() => whereabouts(nodes), [nodes]);
  const shown = useMemo(() => {
    const needle = search.toLowerCase();
    return nodes.filter(
      (n) => (!onlyOpen || !DONE.has(n.phase)) && (!leaves || n.task !== "" || n.type === "Suspend") && (needle === "" || `${within(n)} ${n.name} ${n.template} ${n.site} ${n.phase}`.toLowerCase().includes(needle)),
    );
  }, [nodes, search, onlyOpen, leaves, within]);
  const rows = useVirtualizer({ count: shown.length, getScrollElement: () => scroll.current, estimateSize: () => ROW_PX, overscan: 15 });
  return (
    <div>
      <Group mb="xs">
        <TextInput size="xs" w={220} placeholder={t("app.search")} aria-label={t("app.search")} value={search} onChange={(e) => setSearch(e.target.value)} />
        <Switch size="xs" label={t("run.onlyOpen")} checked={onlyOpen} onChange={(e) => setOnlyOpen(e.currentTarget.checked)} />
        <Switch size="xs" label={t("run.steps")} checked={leaves} onChange={(e) => setLeaves(e.currentTarget.checked)} />
        <Text size="xs" c="dimmed" role="status">{t("run.nodes", { count: shown.length })}</Text>
      </Group>
      <div ref={scroll} style={{ height: 520, overflow: "auto" }} role="list" aria-label={t("run.steps")}>
        <div style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map((item) => {
            const node = shown[item.index]!;
            return (
              <div key={node.id} role="listitem" style={{ position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${item.start}px)`, height: ROW_PX }}>
                <UnstyledButton
                  onClick={() => onChoose(node)}
                  aria-current={node.id === chosen ? "true" : undefined}
                  style={{ display: "grid", gridTemplateColumns: "96px minmax(120px, 2fr) minmax(80px, 1fr) 110px 90px 110px", gap: 8, alignItems: "center", width: "100%", height: ROW_PX, padding: "0 6px", borderRadius: 6, background: node.id === chosen ? "var(--mantine-primary-color-light)" : undefined }}
                >
                  <PhaseMark phase={node.phase} />
                  <Text size="sm" truncate>{within(node) !== "" && <Text span size="xs" c="dimmed">{plain(within(node))} / </Text>}{plain(node.name)}</Text>
                  <Text size="sm" c="dimmed" truncate>{plain(node.template)}</Text>
                  <Text size="sm" truncate>{node.site || (node.waits_for ? t(`reason.${node.waits_for}`, { defaultValue: node.waits_for }) : "")}</Text>
                  <Text size="sm"><Took from={node.running_at_ms ?? (node.task ? null : node.started_at_ms)} to={node.finished_at_ms} /></Text>
                  <Text size="sm">{node.charged_micros ? money(node.charged_micros) : ""}</Text>
                </UnstyledButton>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
