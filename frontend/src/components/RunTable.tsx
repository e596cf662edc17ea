import { Anchor, Checkbox, Group, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Schemas } from "@/api/client";
import { amount, plain, priced } from "@/lib/format";
import { RunMark, Steps, Took, When } from "./parts";
import { WideTable } from "./WideTable";

export interface Selection {
  ids: ReadonlySet<string>;
  onChange: (ids: Set<string>) => void;
}

const FIGURES = new Set(["number", "cost", "took"]);

export function RunTable({ runs, selection }: { runs: Schemas["RunOut"][]; selection?: Selection }) {
  const { t } = useTranslation();
  const tick = (ids: string[], on: boolean) => {
    const next = new Set(selection?.ids);
    for (const id of ids) if (on) next.add(id); else next.delete(id);
    selection?.onChange(next);
  };
  const every = runs.length > 0 && runs.every((run) => selection?.ids.has(run.id));
  return (
    <WideTable minWidth={720}>
      <Table highlightOnHover verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            {selection && (
              <Table.Th w={36}>
                <Checkbox size="xs" aria-label={t("runs.selectAll")} checked={every} indeterminate={!every && runs.some((run) => selection.ids.has(run.id))} onChange={(e) => tick(runs.map((run) => run.id), e.currentTarget.checked)} />
              </Table.Th>
            )}
            {(["number", "name", "state", "steps", "cost", "took", "submitted", "by"] as const).map((key) => (
              <Table.Th key={key} ta={FIGURES.has(key) ? "right" : undefined} style={{ whiteSpace: "nowrap" }}>{key === "cost" ? priced(t("runs.cost")) : t(`runs.${key}`)}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={run.id}>
              {selection && (
                <Table.Td>
                  <Checkbox size="xs" aria-label={t("runs.select", { name: plain(run.name) })} checked={selection.ids.has(run.id)} onChange={(e) => tick([run.id], e.currentTarget.checked)} />
                </Table.Td>
              )}
              <Table.Td ta="right">{run.job_number}</Table.Td>
              <Table.Td miw={170} maw={360}>
                <Anchor component={Link} to={`/runs/${run.id}`} size="sm" style={{ overflowWrap: "anywhere" }}>
                  {plain(run.name)}
                </Anchor>
              </Table.Td>
              <Table.Td>
                <RunMark state={run.state} suspended={run.suspended} />
              </Table.Td>
              <Table.Td>
                <Group gap="xs" wrap="nowrap">
                  <Steps done={run.steps_done} failed={run.steps_failed} total={run.steps_total} label={t("run.done", { done: run.steps_done, total: run.steps_total })} />
                  <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
                    {run.steps_done}/{run.steps_total}
                  </Text>
                </Group>
              </Table.Td>
              <Table.Td ta="right">{amount(run.settled_micros)}</Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: "nowrap" }}>
                <Took from={run.started_at_ms} to={run.finished_at_ms} />
              </Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                <When ms={run.created_at_ms} />
              </Table.Td>
              <Table.Td>{plain(run.submitted_by.replace(/^user:/, ""))}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </WideTable>
  );
}
