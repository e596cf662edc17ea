// What it would cost and take, before anything is set aside: ranges, their basis, and each pool on one picture.

import { Alert, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Figure } from "@/components/parts";
import { duration, money, moneyRange, plain, size } from "@/lib/format";

type Choice = Schemas["ChoiceRangeOut"];

/** Without an objective the range over all pools is told, with one what it would take. */
export function QuoteView({ quote, objective, onObjective }: { quote: Schemas["QuoteOut"]; objective: string; onObjective: (value: Choice["objective"]) => void }) {
  const { t } = useTranslation(["base", "launch"]);
  const choices = quote.choices;
  const chosen = choices.find((choice) => choice.objective === objective);
  const told = chosen ?? quote;
  const short = quote.available_micros !== null && told.money_high_micros > quote.available_micros;
  return (
    <Stack gap="sm">
      <Group gap="xl">
        <Figure label={t("launch.money")} value={moneyRange(told.money_low_micros, quote.bounded ? told.money_high_micros : null)} />
        <Figure label={t("launch.time")} value={`${duration(told.time_low_s * 1000)} – ${quote.bounded ? duration(told.time_high_s * 1000) : "…"}`} />
        <Figure label={t("runs.steps")} value={quote.bounded ? quote.steps : `${t("launch.atLeast")} ${quote.steps}`} />
      </Group>
      {chosen && chosen.pools.length > 0 && <Text size="sm">{t("launch:goes", { pools: chosen.pools.map(plain).join(", ") })}</Text>}
      {choices.length > 1 && <Picture choices={choices} objective={objective} onObjective={onObjective} />}
      {!quote.feasible && <Alert color="red" p="xs">{t("launch.infeasible")}</Alert>}
      {!quote.bounded && <Alert color="yellow" p="xs">{t("launch.unbounded")}</Alert>}
      {quote.available_micros !== null && (
        <Text size="sm" c={short ? "red" : undefined}>
          {t("launch.available", { money: money(quote.available_micros) })} {short && t("launch.over")}
        </Text>
      )}
      <Text size="xs" c="dimmed">{t("launch.basis")}: {plain(quote.basis)}</Text>
      <Table.ScrollContainer minWidth={460}>
        <Table fz="xs" withTableBorder>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("launch.pools")}</Table.Th>
              <Table.Th>{t("launch.money")}</Table.Th>
              <Table.Th>{t("launch.time")}</Table.Th>
              <Table.Th>{t("step.bytes")}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {quote.rows.flatMap((row) => [
              <Table.Tr key={row.template}>
                <Table.Th colSpan={4}>
                  {plain(row.template)} × {row.count_known ? row.count : `${t("launch.atLeast")} ${row.count}`}
                </Table.Th>
              </Table.Tr>,
              ...row.pools.map((pool) => (
                <Table.Tr key={`${row.template} ${pool.site} ${pool.pool}`} c={pool.feasible ? undefined : "dimmed"}>
                  <Table.Td pl="md">{plain(pool.pool)}</Table.Td>
                  {pool.feasible ? (
                    <>
                      <Table.Td>{moneyRange(pool.money_low_micros, pool.money_high_micros)}</Table.Td>
                      <Table.Td>{duration(pool.time_low_s * 1000)} – {duration(pool.time_high_s * 1000)}{pool.wait_s > 0 && `, ${t("launch.waitS", { time: duration(pool.wait_s * 1000) })}`}</Table.Td>
                      <Table.Td>{pool.bytes_to_move ? size(pool.bytes_to_move) : ""}</Table.Td>
                    </>
                  ) : (
                    <Table.Td colSpan={3}>{plain(pool.reason)}</Table.Td>
                  )}
                </Table.Tr>
              )),
            ])}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  );
}

/** Money against time: each objective is a bar from its low to its high end; choosing one is choosing the objective. */
function Picture({ choices, objective, onObjective }: { choices: Choice[]; objective: string; onObjective: (value: Choice["objective"]) => void }) {
  const { t } = useTranslation();
  const [width, height, left, bottom] = [420, 170, 52, 24];
  const mostMoney = Math.max(1, ...choices.map((c) => c.money_high_micros)) * 1.1;
  const mostTime = Math.max(1, ...choices.map((c) => c.time_high_s)) * 1.1;
  const x = (s: number) => left + (s / mostTime) * (width - left - 70);
  const y = (micros: number) => height - bottom - (micros / mostMoney) * (height - bottom - 12);
  // Objectives that come to the same stand on one point: their words go above one another.
  const same = (a: Choice, b: Choice) => a.time_high_s === b.time_high_s && a.money_high_micros === b.money_high_micros;
  const above = (index: number) => choices.slice(0, index).filter((c) => same(c, choices[index]!)).length;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} style={{ maxWidth: width, width: "100%" }} role="radiogroup" aria-label={t("launch.picture")}>
      <path d={`M${left} 6V${height - bottom}H${width}`} fill="none" stroke="currentColor" opacity={0.4} />
      <text x={2} y={14} fontSize={10} fill="currentColor">{money(Math.round(mostMoney))}</text>
      <text x={2} y={height - bottom} fontSize={10} fill="currentColor">0</text>
      <text x={width} y={height - 8} fontSize={10} textAnchor="end" fill="currentColor">{duration(mostTime * 1000)}</text>
      {choices.map((choice, index) => {
        const name = choice.objective;
        const chosen = name === objective;
        const [cx, cy] = [(x(choice.time_low_s) + x(choice.time_high_s)) / 2, (y(choice.money_low_micros) + y(choice.money_high_micros)) / 2];
        const words = `${t(`launch.${name}`)}: ${moneyRange(choice.money_low_micros, choice.money_high_micros)}, ${duration(choice.time_low_s * 1000)} – ${duration(choice.time_high_s * 1000)}`;
        return (
          <g
            key={name}
            role="radio"
            aria-checked={chosen}
            aria-label={words}
            tabIndex={0}
            style={{ cursor: "pointer" }}
            onClick={() => onObjective(name)}
            onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), onObjective(name))}
          >
            <title>{words}</title>
            <path d={`M${x(choice.time_low_s)} ${cy}H${x(choice.time_high_s)}M${cx} ${y(choice.money_low_micros)}V${y(choice.money_high_micros)}`} stroke={chosen ? "#1c7ed6" : "#8793a3"} strokeWidth={chosen ? 3 : 1.5} />
            <circle cx={cx} cy={cy} r={chosen ? 7 : 5} fill={chosen ? "#1c7ed6" : "#8793a3"} />
            <text x={cx + 10} y={cy - 6 - 13 * above(index)} fontSize={11} fill="currentColor">{t(`launch.${name}`)}</text>
          </g>
        );
      })}
    </svg>
  );
}
