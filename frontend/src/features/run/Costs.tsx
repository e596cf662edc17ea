import { Table } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Loaded, Simulated } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amount, duration, plain, priced } from "@/lib/format";
import { useRunCosts } from "@/queries";

export function Costs({ run }: { run: string }) {
  const { t } = useTranslation();
  const costs = useRunCosts(run);
  return (
    <Loaded query={costs}>
      {(data) => (
        <WideTable minWidth={560}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("step.template")}</Table.Th>
                <Table.Th>{t("step.site")}</Table.Th>
                <Table.Th ta="right">{t("step.attempts")}</Table.Th>
                <Table.Th ta="right">{t("step.ran")}</Table.Th>
                <Table.Th ta="right">{t("step.cpu")}</Table.Th>
                <Table.Th ta="right">{priced(t("step.charged"))}</Table.Th>
                <Table.Th ta="right">{priced(t("home.held"))}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.rows.map((row) => (
                <Table.Tr key={`${row.template} ${row.site} ${row.pool}`}>
                  <Table.Td>{plain(row.template)}</Table.Td>
                  <Table.Td>{plain(row.site)} {row.simulated && <Simulated />}</Table.Td>
                  <Table.Td ta="right">{row.attempts}</Table.Td>
                  <Table.Td ta="right">{duration(row.wall_ms)}</Table.Td>
                  <Table.Td ta="right">{duration(row.cpu_ms)}</Table.Td>
                  <Table.Td ta="right">{amount(row.charged_micros)}</Table.Td>
                  <Table.Td ta="right">{row.held_micros ? amount(row.held_micros) : ""}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
            <Table.Tfoot>
              <Table.Tr>
                <Table.Th colSpan={5}>{t("run.total")}</Table.Th>
                <Table.Th ta="right">{amount(data.settled_micros)}</Table.Th>
                <Table.Th ta="right">{data.held_micros ? amount(data.held_micros) : ""}</Table.Th>
              </Table.Tr>
            </Table.Tfoot>
          </Table>
        </WideTable>
      )}
    </Loaded>
  );
}
