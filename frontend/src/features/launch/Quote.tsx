// What it would cost and take, before anything is set aside: ranges, their basis, and each pool on one picture.

import { Alert, Group, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schemas } from "@/api/client";
import { Figure } from "@/components/parts";
import { WideTable } from "@/components/WideTable";
import { amountRange, duration, money, moneyRange, plain, priced, size } from "@/lib/format";

type Quote = Schemas["QuoteOut"];
type Choice = Schemas["ChoiceRangeOut"];
type Range = Pick<Choice, "money_low_micros" | "money_high_micros" | "time_low_s" | "time_high_s">;

/** The figures are those of the objective chosen, or of the one the quote was made for. */
export function QuoteView({ quote, objective, onObjective }: { quote: Quote; objective: string; onObjective: (value: Choice["objective"]) => void }) {
  const { t } = useTranslation(["base", "launch"]);
  const chosen = quote.choices.find((choice) => choice.objective === (objective || quote.objective));
  const told = chosen ?? quote;
  const short = quote.available_micros !== null && told.money_high_micros > quote.available_micros;
  const same = quote.choices.every((choice) => sameAs(choice, told));
  return (
    <Stack gap="sm">
      <Group gap="xl">
        <Figure label={t("launch.money")} value={moneyRange(told.money_low_micros, quote.bounded ? told.money_high_micros : null)} />
        <Figure label={t("launch.time")} value={timeRange(told, quote.bounded)} />
        <Figure label={t("runs.steps")} value={quote.bounded ? quote.steps : `${t("launch.atLeast")} ${quote.steps}`} />
      </Group>
      {chosen && chosen.pools.length > 0 && <Text size="sm">{t("launch:goes", { pools: chosen.pools.map(plain).join(", ") })}</Text>}
      {same ? <Text size="sm">{t("launch:allSame")}</Text> : <Picture quote={quote} chosen={told} onObjective={onObjective} />}
      {chosen && chosen.left > 0 && quote.feasible && <Alert color="yellow" p="xs">{t("launch:left", { n: chosen.left })}</Alert>}
      {!quote.feasible && <Alert color="red" p="xs">{t("launch.infeasible")}</Alert>}
      {!quote.bounded && <Alert color="yellow" p="xs">{t("launch.unbounded")}</Alert>}
      {quote.available_micros !== null && (
        <Text size="sm" c={short ? "red" : undefined}>
          {t("launch.available", { money: money(quote.available_micros) })} {short && t("launch.over")}
        </Text>
      )}
      <Text size="xs" c="dimmed">{t("launch.basis")}: {plain(quote.basis)}</Text>
      <WideTable minWidth={460}>
        <Table fz="xs" withTableBorder>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t("launch.pools")}</Table.Th>
              <Table.Th>{priced(t("launch.money"))}</Table.Th>
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
                  <Table.Td pl="md">{plain(pool.pool)}{pool.steps > 0 && <Text span inherit fw={600}> ✓ {t("launch:takes", { n: pool.steps })}</Text>}</Table.Td>
                  {pool.feasible ? (
                    <>
                      <Table.Td>{amountRange(pool.money_low_micros, pool.money_high_micros)}</Table.Td>
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
      </WideTable>
    </Stack>
  );
}

function sameAs(a: Range, b: Range): boolean {
  return a.time_low_s === b.time_low_s && a.time_high_s === b.time_high_s && a.money_low_micros === b.money_low_micros && a.money_high_micros === b.money_high_micros;
}

function timeRange(range: Range, bounded: boolean): string {
  const [low, high] = [duration(range.time_low_s * 1000), duration(range.time_high_s * 1000)];
  return !bounded ? `${low} – …` : low === high ? low : `${low} – ${high}`;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, LINE] = [440, 190, 8, 24, 13];

/** Money against time. A point is what is expected, its bars reach to the high end; choosing an objective's point is choosing it. */
function Picture({ quote, chosen, onObjective }: { quote: Quote; chosen: Range; onObjective: (value: Choice["objective"]) => void }) {
  const { t } = useTranslation(["base", "launch"]);
  // Objectives that come to the same are one point; choosing it chooses the first of them.
  const groups = quote.choices.filter((c, n) => quote.choices.findIndex((o) => sameAs(o, c)) === n).map((c) => ({ range: c, of: quote.choices.filter((o) => sameAs(o, c)) }));
  const pools = quote.pools.filter((pool) => !quote.choices.some((choice) => sameAs(choice, pool)));
  const all = [...quote.choices, ...pools];
  // Scaled by the points, by square roots so that near ones do not run together; lines that go further end at the edge.
  const mostMoney = Math.max(1, ...all.map((c) => c.money_low_micros)) * 1.3;
  const mostTime = Math.max(1, ...all.map((c) => c.time_low_s)) * 1.3;
  const x = (s: number) => LEFT + Math.sqrt(Math.min(1, s / mostTime)) * (WIDTH - LEFT - 8);
  const y = (micros: number) => HEIGHT - BOTTOM - Math.sqrt(Math.min(1, micros / mostMoney)) * (HEIGHT - BOTTOM - 2 * LINE);
  const inPool = (range: Range) => quote.pools.filter((pool) => sameAs(range, pool)).map((pool) => plain(pool.pool));
  const labels = placed([
    ...groups.map(({ range, of }) => ({ x: x(range.time_low_s), y: y(range.money_low_micros), text: [...of.map((c) => t(`launch.${c.objective}`)), ...inPool(range)].join(" · ") })),
    ...pools.map((p) => ({ x: x(p.time_low_s), y: y(p.money_low_micros), text: t("launch:inPool", { pool: plain(p.pool) }) })),
  ]);
  const words = (name: string, range: Range) => `${name}: ${moneyRange(range.money_low_micros, quote.bounded ? range.money_high_micros : null)}, ${timeRange(range, quote.bounded)}`;
  const bars = (range: Range) => `M${x(range.time_low_s)} ${y(range.money_low_micros)}H${x(range.time_high_s)}M${x(range.time_low_s)} ${y(range.money_low_micros)}V${y(range.money_high_micros)}`;
  return (
    <div>
      <Text size="xs" c="dimmed">{t("launch:axes", { money: money(Math.round(mostMoney)), time: duration(mostTime * 1000) })}</Text>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} style={{ maxWidth: WIDTH, width: "100%" }} role="radiogroup" aria-label={t("launch.picture")}>
        <path d={`M${LEFT} 6V${HEIGHT - BOTTOM}H${WIDTH}`} fill="none" stroke="currentColor" opacity={0.5} />
        <text x={LEFT + 4} y={12} fontSize={11} fill="currentColor">{t("launch.money")} ↑</text>
        <text x={WIDTH} y={HEIGHT - 8} fontSize={11} textAnchor="end" fill="currentColor">{t("launch.time")} →</text>
        {pools.map((pool, n) => (
          <g key={`${pool.site}/${pool.pool}`} role="img" aria-label={words(t("launch:inPool", { pool: plain(pool.pool) }), pool)}>
            <title>{words(`${plain(pool.site)}/${plain(pool.pool)}`, pool)}</title>
            <path d={bars(pool)} stroke="#8793a3" strokeDasharray="2 3" />
            <rect x={x(pool.time_low_s) - 4} y={y(pool.money_low_micros) - 4} width={8} height={8} fill="#8793a3" />
            <Label at={labels[groups.length + n]!} />
          </g>
        ))}
        {groups.map(({ range, of }, n) => {
          const mine = sameAs(range, chosen);
          const name = words(of.map((c) => t(`launch.${c.objective}`)).join(" · "), range);
          const choose = () => onObjective(of[0]!.objective);
          return (
            <g
              key={range.objective}
              role="radio"
              aria-checked={mine}
              aria-label={name}
              tabIndex={0}
              style={{ cursor: "pointer" }}
              onClick={choose}
              onKeyDown={(e) => (e.key === "Enter" || e.key === " ") && (e.preventDefault(), choose())}
            >
              <title>{name}</title>
              <path d={bars(range)} stroke={mine ? "#1c7ed6" : "#8793a3"} strokeWidth={mine ? 3 : 1.5} />
              <circle cx={x(range.time_low_s)} cy={y(range.money_low_micros)} r={mine ? 7 : 5} fill={mine ? "#1c7ed6" : "#8793a3"} />
              <Label at={labels[n]!} />
            </g>
          );
        })}
      </svg>
    </div>
  );
}

type Placed = { x: number; y: number; text: string };

function Label({ at }: { at: Placed }) {
  return <text x={at.x} y={at.y} fontSize={11} fill="currentColor">{at.text}</text>;
}

/** Words beside their points, inside the picture and not on one another. */
function placed(points: Placed[]): Placed[] {
  const taken: { x: number; y: number; width: number }[] = [];
  return points.map((point) => {
    const width = [...point.text].reduce((sum, c) => sum + (c.charCodeAt(0) > 0x2e80 ? 11 : 6.2), 0);
    const at = Math.max(LEFT + 4, Math.min(point.x + 10, WIDTH - width));
    const free = (y: number) => y > LINE && y < HEIGHT - BOTTOM - 2 && taken.every((o) => Math.abs(o.y - y) >= LINE || o.x + o.width < at || o.x > at + width);
    const found = [-6, 16, -20, 30, -34, 44, -48, 58].map((by) => point.y + by).find(free) ?? point.y - 6;
    taken.push({ x: at, y: found, width });
    return { x: at, y: found, text: point.text };
  });
}
