"""`fubini quote`: what a submit would cost and take, and what it would reuse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect
from fubini.cli.commands.pipelines import finding_line, parameters_of
from fubini.cli.commands.run.given import Parameters, source_of
from fubini.cli.config import OPTIONS


def quote(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME or NAME@VERSION.")] = "",
    parameter: Parameters = None,
    objective: Annotated[str, typer.Option(help="fastest, cheapest or balanced.")] = "",
) -> None:
    """What a submit would cost and take, for each kind of step and each pool."""
    client = connect()
    body = {"project": client.project, **source_of(file, pipeline), "parameters": parameters_of(parameter)}
    quote_show(client.send("POST", "/quotes", body={**body, "objective": objective}))


def span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def quote_line(found: dict[str, Any]) -> str:
    """A quote in one line."""
    open_end = "" if found["bounded"] else " or more"
    money, time = _ranges(found)
    return f"in all: {found['steps']} steps{open_end}, money {output.in_currency(money)}{open_end}, time {time}{open_end} ({found['objective']})"


def _ranges(found: dict[str, Any]) -> tuple[str, str]:
    """Money and time, from the low end to the high; the column's head or the sentence says the currency."""
    return (
        span(output.amount(found["money_low_micros"]), output.amount(found["money_high_micros"])),
        span(output.duration(found["time_low_s"]), output.duration(found["time_high_s"])),
    )


def objectives_text(found: dict[str, Any]) -> str:
    """What each objective would come to, and each pool that can run everything; `*` marks the objective asked for."""
    rows = [
        [
            f"{'*' if choice['objective'] == found['objective'] else ' '} {choice['objective']}",
            *_ranges(choice),
            ", ".join(choice["pools"]) + (f"; {choice['left']} steps would not start" if choice["left"] else ""),
        ]
        for choice in found["choices"]
    ]
    rows += [["  all in one", *_ranges(pool), f"{pool['site']}/{pool['pool']}"] for pool in found["pools"]]
    lines = [output.table(rows, ["THE WHOLE RUN", "MONEY ¤", "TIME", "GOES TO"])]
    if len({_ranges(choice) for choice in found["choices"]}) == 1:
        lines.append("fastest, balanced and cheapest come to the same here")
    return "\n".join(lines)


def quote_show(found: dict[str, Any]) -> None:
    """A quote as a table: one line a step and pool."""
    if OPTIONS.json:
        output.print_json(found)
        return
    rows = []
    for row in found["rows"]:
        for number, pool in enumerate(row["pools"]):
            first = number == 0
            money = span(output.amount(pool["money_low_micros"]), output.amount(pool["money_high_micros"]))
            time = span(output.duration(pool["time_low_s"]), output.duration(pool["time_high_s"]))
            count = f"{row['count']}{'' if row['count_known'] else '+'}"
            rows.append(
                [
                    row["template"] if first else " ",
                    count if first else " ",
                    f"{pool['site']}/{pool['pool']}" + (f" ({pool['steps']} of them)" if pool["steps"] else ""),
                    money if pool["feasible"] else "no",
                    time if pool["feasible"] else "-",
                    output.size(pool["bytes_to_move"]) if pool["feasible"] else pool["reason"],
                ]
            )
    print(output.table(rows, ["STEP", "COUNT", "POOL", "MONEY ¤", "TIME", "BYTES TO MOVE"]))
    print(f"\n{objectives_text(found)}")
    print(f"\n{quote_line(found)}")
    if found["available_micros"] is not None:
        print(f"the project can set aside {output.money(found['available_micros'])}")
    print(f"basis: {found['basis']}")
    if found["reuse"]:
        print(reuse_text(found["reuse"]))
    if not found["feasible"]:
        print(output.paint("some step fits no pool", "red"))
    for warning in found["warnings"]:
        output.note(finding_line("manifest", warning))


def reuse_text(plan: dict[str, Any]) -> str:
    """What is reused, what runs and why, and the money saved."""
    rows = [
        [
            row["template"] if n == 0 else " ",
            row["verdict"] if n == 0 else " ",
            row["count"] if n == 0 else " ",
            output.amount(row["saved_micros"]) if n == 0 and row["verdict"] == "reused" else " ",
            f"{e['name']}: {e['why']}" + (f" (job {e['job_number']})" if e["job_number"] else ""),
        ]
        for row in plan["rows"]
        for n, e in enumerate(row["examples"])
    ]
    counts = f"{plan['reused']} reused, {plan['runs']} run, {plan['later']} decided when their inputs are known"
    more = "; how many more there are depends on results" if plan["open_ended"] else ""
    saved = f"saved: {output.money(plan['saved_micros'])} and {output.duration(plan['saved_ms'] / 1000)} of run time"
    return f"{output.table(rows, ['STEP', 'REUSE', 'COUNT', 'SAVED', 'WHY'])}\n{counts}{more}\n{saved}"
