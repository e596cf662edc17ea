"""`fubini budget`: what a project has, what it cost, what comes, statements of months; for administrators closing and
corrections."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.admin import amount
from fubini.cli.config import OPTIONS

budget_app = typer.Typer(invoke_without_command=True, help="Money: what is left, what was spent on, what comes.")
BY = "step, pipeline, pool, member, run or label"


def add_to(app: typer.Typer) -> None:
    app.add_typer(budget_app, name="budget")


@budget_app.callback()
def budget(
    context: typer.Context,
    statement: Annotated[bool, typer.Option("--statement", help="The bookings, newest first.")] = False,
    by_run: Annotated[bool, typer.Option("--by-run", help="What each run cost.")] = False,
    limit: Annotated[int, typer.Option(help="How many lines.", min=1)] = 50,
) -> None:
    """What the project may still spend, has set aside and has spent; with a command, what comes and where it went."""
    if context.invoked_subcommand is not None:
        return
    client = connect()
    base = f"/projects/{segment(client.project)}"
    if by_run:
        output.rows_out(
            client.pages(f"{base}/costs", limit=limit),
            [
                ("RUN", lambda c: c["run_id"]),
                ("SPENT ¤", lambda c: output.amount(c["spent_micros"])),
                ("HELD ¤", lambda c: output.amount(c["held_micros"])),
                ("ATTEMPTS", lambda c: c["attempts"]),
                ("LAST", lambda c: output.ago(c["last_at"])),
            ],
        )
    elif statement:
        output.rows_out(
            client.pages(f"{base}/ledger", limit=limit),
            [
                ("WHEN (UTC)", lambda e: e["at"][:19].replace("T", " ")),
                ("KIND", lambda e: e["kind"]),
                ("BUDGET ¤", lambda e: output.amount(e["budget_micros"])),
                ("HELD ¤", lambda e: output.amount(e["held_micros"])),
                ("SPENT ¤", lambda e: output.amount(e["spent_micros"])),
                ("RUN", lambda e: output.short(e["run_id"])),
                ("NOTE", lambda e: e["note"]),
            ],
        )
    else:
        found = client.get(f"{base}/budget")
        output.fields_out(
            found,
            [
                ("project", client.project),
                ("budget left", output.money(found["budget_micros"])),
                ("held", output.money(found["held_micros"])),
                ("spent", output.money(found["spent_micros"])),
                ("granted in all", output.money(found["granted_micros"])),
            ],
        )


def range_text(found: Mapping[str, Any]) -> str:
    """A range in a column whose head says the currency."""
    if found["low"] == found["high"]:
        return output.amount(found["expected"])
    return f"{output.amount(found['expected'])} ({output.amount(found['low'])} to {output.amount(found['high'])})"


@budget_app.command("forecast")
def forecast() -> None:
    """What the time ahead costs, as a range with its basis, and when the money is used up."""
    client = connect()
    found = client.get(f"/projects/{segment(client.project)}/money/forecast")
    if OPTIONS.json:
        output.print_json(found)
        return
    windows = [
        ("the next 7 days", "week"),
        (f"the rest of {found['month']}", "month_rest"),
        ("next month", "next_month"),
    ]
    parts = ("committed", "scheduled", "trend", "total")
    body = [[name, *(range_text(found[key][part]) for part in parts)] for name, key in windows]
    print(output.table(body, ["", *(f"{part.upper()}{output.IN_CURRENCY}" for part in parts)]))
    out, basis = found["runs_out"], found["basis"]
    print()
    output.fields_out(
        found,
        [
            ("amounts in", f"{found['currency']}, days and months of {found['zone']}"),
            ("spent this month", output.money(found["spent_month_micros"])),
            ("not spent yet", output.money(found["funds_micros"])),
            ("money lasts until", _lasts(out)),
            (
                "committed",
                f"{basis['steps_held']} steps; of what is set aside, {basis['settled_permille'] / 10:g} % is charged",
            ),
            ("scheduled", _scheduled(basis, found["next_month"])),
            ("trend", f"{basis['history_days']} past days" if basis["history_days"] else "nothing was spent yet"),
        ],
    )


def _lasts(out: Mapping[str, Any]) -> str:
    if out["expected"] is None and out["earliest"] is None:
        return "more than a year"
    early, late = out["earliest"] or "more than a year", out["latest"] or "more than a year"
    return f"{out['expected'] or 'more than a year'} ({early} at the earliest, {late} at the latest)"


def _scheduled(basis: Mapping[str, Any], month: Mapping[str, Any]) -> str:
    text = f"{basis['schedules']} schedules, {month['ticks']} times next month"
    if basis["schedules_unpriced"]:
        text += f"; {basis['schedules_unpriced']} of them never ran and are in no figure"
    return text


@budget_app.command("spend")
def spend(
    by: Annotated[str, typer.Option(help=f"By {BY}.")] = "step",
    label: Annotated[str, typer.Option(help="With --by label: the label's key.")] = "",
    since: Annotated[str, typer.Option(help="The first day, yyyy-mm-dd; default: thirty days ago.")] = "",
    until: Annotated[str, typer.Option(help="The first day that does not count any more.")] = "",
) -> None:
    """What money went to; what failed and cancelled work cost stands apart."""
    client = connect()
    query = {"by": by, "label": label or None, "since": since or None, "until": until or None}
    found = client.get(f"/projects/{segment(client.project)}/money", **query)
    if not OPTIONS.json:
        output.note(f"{found['since']} to before {found['until']} ({found['zone']}), in {found['currency']}")
    output.rows_out(
        found["rows"],
        [
            (found["by"].upper(), lambda r: r["name"]),
            ("SPENT ¤", lambda r: output.amount(r["spent_micros"])),
            ("LOST ON FAILED AND CANCELLED ¤", lambda r: output.amount(r["lost_micros"])),
            ("BORNE BY SITES ¤", lambda r: output.amount(r["absorbed_micros"])),
            ("ATTEMPTS", lambda r: r["attempts"]),
        ],
        empty="nothing was spent in this time",
    )


@budget_app.command("months")
def months() -> None:
    """Accounting months and whether their statement is final."""
    client = connect()
    found = client.get(f"/projects/{segment(client.project)}/money")
    if not OPTIONS.json:
        output.note(f"months of {found['zone']}, in {found['currency']}")
    output.rows_out(
        found["months"],
        [
            ("MONTH", lambda m: m["month"]),
            ("STATE", lambda m: m["state"]),
            ("SPENT ¤", lambda m: output.amount(m["spent_micros"])),
            ("CLOSED", lambda m: (m["closed_at"] or "")[:10]),
            ("BY", lambda m: m["closed_by"]),
            ("SHA-256", lambda m: m["digest"][:16]),
        ],
    )


@budget_app.command("statement")
def statement(
    month: Annotated[str, typer.Argument(help="yyyy-mm.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; default: standard output.")
    ] = None,
) -> None:
    """A month's statement as CSV. That of a closed month is the same bytes for ever."""
    client = connect()
    path = f"/projects/{segment(client.project)}/money/{segment(month)}.csv"
    content: bytes = client.send("GET", path, raw=True).content
    if out is not None:
        out.write_bytes(content)
        output.show({"month": month, "file": str(out), "size_bytes": len(content)}, f"wrote {out}")
    else:
        sys.stdout.buffer.write(content)


@budget_app.command("close")
def close(month: Annotated[str, typer.Argument(help="yyyy-mm; it and all months before it.")]) -> None:
    """Make the statements of ended months final (administrators)."""
    client = connect()
    made = client.post(f"/projects/{segment(client.project)}/money/months", {"month": month})
    names = ", ".join(row["month"] for row in made)
    output.show(made, f"closed {names}" if names else f"{month} was closed already")


@budget_app.command("correct")
def correct(
    units: Annotated[str, typer.Argument(help="Currency units: positive is given back, negative is charged.")],
    note: Annotated[str, typer.Option(help="Why; shown in the statement.")],
    run: Annotated[str, typer.Option(help="The id of the run it is about.")] = "",
    key: Annotated[str, typer.Option(help="An idempotency key; the same key never books twice.")] = "",
) -> None:
    """Put right what was charged wrongly, by an entry of the open month (administrators)."""
    client = connect()
    body = {"amount_micros": amount(units), "note": note} | ({"run": run} if run else {})
    made = client.post(f"/projects/{segment(client.project)}/money/corrections", body, key=key)
    output.show(made, f"{client.project} may now spend {output.money(made['budget_micros'])}")
