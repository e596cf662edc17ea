// N runs: what went in against what came out, as a table, a plot and CSV. Which runs, and the axes, are in the address.

import { Alert, Anchor, Button, Group, Select, Switch, Table, UnstyledButton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { useProject } from "@/app/project";
import { Card, Empty, Loaded, Page, RunMark } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { ShareButton } from "@/features/links/ShareButton";
import { csvOf, saveText } from "@/features/many/csv";
import { Scatter } from "@/features/many/Scatter";
import { columnsOf, sorted, type Column, type Row } from "@/features/many/columns";
import { filtersOf } from "@/features/many/filters";
import { useAddressSetter } from "@/lib/address";
import { plain } from "@/lib/format";
import { useRunTable } from "@/queries/many";

const LISTS = new Set(["run", "label"]);

export function RunsTable() {
  const { t } = useTranslation(["many", "base"]);
  const project = useProject();
  const [params] = useSearchParams();
  const table = useRunTable(project, Object.fromEntries(Object.entries(filtersOf(params)).map(([name, values]) => [name, LISTS.has(name) ? values : values[0]!])));
  return (
    <Page title={t("table")} actions={<><ShareButton /><Button component={Link} to="/runs" size="xs" variant="default">{t("base:runs.title")}</Button></>}>
      <Loaded query={table}>
        {(data) => (data.rows.length === 0 ? <Empty title={t("empty")} hint={t("emptyHint")} /> : <Shown data={data} />)}
      </Loaded>
    </Page>
  );
}

function Shown({ data }: { data: NonNullable<ReturnType<typeof useRunTable>["data"]> }) {
  const { t } = useTranslation(["many", "base"]);
  const [params] = useSearchParams();
  const put = useAddressSetter();
  const set = (key: string, value: string) => put({ [key]: value });
  const everything = columnsOf(data, (key) => t(`base:runs.${key}`));
  const all = params.get("all") === "1";
  const columns = everything.filter((c) => all || c.varies);
  const numeric = everything.filter((c) => c.numeric);
  const pick = (key: string, fallback: Column | undefined) => numeric.find((c) => c.key === params.get(key)) ?? fallback;
  const x = pick("x", numeric.find((c) => c.kind === "parameter" && c.varies) ?? numeric.find((c) => c.key === "fact:took"));
  const y = pick("y", numeric.find((c) => c.kind === "result" && c.varies) ?? numeric.find((c) => c.key === "fact:cost"));
  const [sortKey, down] = (params.get("sort") ?? "").startsWith("-") ? [params.get("sort")!.slice(1), true] : [params.get("sort") ?? "", false];
  const by = everything.find((c) => c.key === sortKey);
  const rows = by ? sorted(data.rows, by, down) : data.rows;
  const points = x && y ? data.rows.flatMap((row) => { const [px, py] = [number(x, row), number(y, row)]; return px === null || py === null ? [] : [{ run: row.run.id, name: row.run.name, state: row.run.state, x: px, y: py }]; }) : [];
  const axes = numeric.map((c) => ({ value: c.key, label: plain(titled(c)) }));
  const save = () =>
    saveText("runs.csv", "text/csv;charset=utf-8", csvOf(["number", "name", "state", ...everything.map(titled)], rows.map((row) => [row.run.job_number, row.run.name, row.run.state, ...everything.map((c) => c.raw(row))])));
  return (
    <>
      {data.truncated && <Alert color="yellow">{t("truncated", { count: data.rows.length })}</Alert>}
      {x && y && (
        <Card
          title={t("plot")}
          aside={
            <Group gap="xs">
              <Select size="xs" aria-label={t("across")} data={axes} value={x.key} allowDeselect={false} searchable onChange={(v) => set("x", v ?? "")} />
              <Select size="xs" aria-label={t("up")} data={axes} value={y.key} allowDeselect={false} searchable onChange={(v) => set("y", v ?? "")} />
            </Group>
          }
        >
          {points.length > 0 ? <Scatter points={points} x={titled(x)} y={titled(y)} /> : <Empty title={t("noPoints")} />}
        </Card>
      )}
      <Group justify="space-between">
        <Switch label={t("showAll")} checked={all} onChange={(e) => set("all", e.currentTarget.checked ? "1" : "")} />
        <Button size="xs" variant="default" onClick={save}>{t("csv")}</Button>
      </Group>
      <WideTable minWidth={600}>
        <Table highlightOnHover fz="sm" stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("base:runs.number")}</Table.Th>
              <Table.Th>{t("base:runs.name")}</Table.Th>
              <Table.Th>{t("base:runs.state")}</Table.Th>
              {columns.map((c) => (
                <Table.Th key={c.key} aria-sort={sortKey === c.key ? (down ? "descending" : "ascending") : "none"}>
                  <UnstyledButton fz="sm" fw={700} onClick={() => set("sort", sortKey === c.key && !down ? `-${c.key}` : c.key)}>
                    {plain(c.title)}{sortKey === c.key ? (down ? " ↓" : " ↑") : ""}
                  </UnstyledButton>
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.run.id}>
                <Table.Td>{row.run.job_number}</Table.Td>
                <Table.Td style={{ overflowWrap: "anywhere" }}><Anchor component={Link} to={`/runs/${row.run.id}`} size="sm">{plain(row.run.name)}</Anchor></Table.Td>
                <Table.Td><RunMark state={row.run.state} suspended={row.run.suspended} /></Table.Td>
                {columns.map((c) => <Table.Td key={c.key} style={{ overflowWrap: "anywhere", fontVariantNumeric: "tabular-nums" }}>{plain(c.shown(row))}</Table.Td>)}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </>
  );
}

const titled = (column: Column) => (column.unit === "" ? column.title : `${column.title} (${column.unit})`);

function number(column: Column, row: Row): number | null {
  const raw = column.raw(row);
  return raw === null || raw === undefined || raw === "" ? null : Number(raw);
}
