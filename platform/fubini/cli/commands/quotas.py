"""`fubini project quota`: how much a project and its members may use, and what they use now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.admin import amount
from fubini.cli.errors import CliError, Exit


def add_to(project_app: typer.Typer) -> None:
    project_app.command("quota")(project_quota)


def project_quota(
    member: Annotated[str, typer.Option(help="Of this member; default: the project's own.")] = "",
    cores: Annotated[str, typer.Option(help="Cores at once, such as 8 or 0.5; none lifts the limit.")] = "",
    accelerators: Annotated[str, typer.Option(help="Accelerators at once.")] = "",
    runs: Annotated[str, typer.Option(help="Runs at once; later ones wait.")] = "",
    storage_gib: Annotated[str, typer.Option(help="GiB stored, of the project as a whole.")] = "",
    month: Annotated[str, typer.Option(help="Currency units spent in an accounting month.")] = "",
) -> None:
    """Quotas with their use; with options, set some. What is over a quota waits, nothing that runs is stopped."""
    body: dict[str, Any] = {}
    for name, text, unit in (
        ("cpu_millis", cores, 1000),
        ("accelerators", accelerators, 1),
        ("runs", runs, 1),
        ("storage_bytes", storage_gib, 1 << 30),
    ):
        if text:
            body[name] = _count(text, unit)
    if month:
        body["month_micros"] = None if month == "none" else amount(month)
    client = connect()
    path = f"/projects/{segment(client.project)}/quotas"
    if body and member:
        body["member"] = member
    rows = client.patch(path, body) if body else client.get(path)
    output.rows_out(
        rows,
        [
            ("WHOSE", lambda q: q["member"] or "the project"),
            ("CORES", lambda q: _use(q["used_cpu_millis"] / 1000, q["cpu_millis"], 1000)),
            ("ACCELERATORS", lambda q: _use(q["used_accelerators"], q["accelerators"], 1)),
            ("RUNS", lambda q: _use(q["used_runs"], q["runs"], 1)),
            ("STORED", lambda q: f"{output.size(q['used_storage_bytes'])}{_of(output.size, q['storage_bytes'])}"),
            ("THIS MONTH ¤", lambda q: f"{output.amount(q['used_month_micros'])}{_of(output.amount, q['month_micros'])}"),
        ],
    )


def _count(text: str, unit: int) -> int | None:
    if text == "none":
        return None
    try:
        value = float(text) * unit
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**62 or value != int(value):
        raise CliError(f"{text!r} is no limit", try_="give a number, or none", exit_code=Exit.USAGE)
    return int(value)


def _use(used: float, limit: int | None, unit: int) -> str:
    return f"{used:g}" if limit is None else f"{used:g} of {limit / unit:g}"


def _of(shown: Any, limit: int | None) -> str:
    return "" if limit is None else f" of {shown(limit)}"
