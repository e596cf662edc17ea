"""`fubini cron`: schedules made, listed, held and let go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.commands.pipelines import manifest_text
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

cron_app = typer.Typer(no_args_is_help=True, help="Runs by the clock: CronWorkflows of the project.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(cron_app, name="cron")


def find(client: Client, name: str) -> dict[str, Any]:
    """A schedule by name or id."""
    for row in client.pages("/crons", project=client.project, name=name, limit=1):
        return row
    if len(name) == 32:
        found: dict[str, Any] = client.get(f"/crons/{segment(name)}")
        return found
    raise CliError(
        f"no schedule {name!r} in project {client.project}", try_="fubini cron list", exit_code=Exit.NOT_FOUND
    )


@cron_app.command("create")
def cron_create(file: Annotated[Path, typer.Argument(help="A CronWorkflow; - for standard input.")]) -> None:
    """Make a schedule of a CronWorkflow."""
    client = connect()
    made = client.post("/crons", {"project": client.project, "manifest": manifest_text(file)})
    output.show(made, lambda: f"{made['name']}: {_words(made)}; next {_when(made)}")


@cron_app.command("update")
def cron_update(file: Annotated[Path, typer.Argument(help="A CronWorkflow; - for standard input.")], name: str) -> None:
    """Change a schedule's manifest; its name stays."""
    client = connect()
    found = find(client, name)
    made = client.put(f"/crons/{segment(found['id'])}", {"manifest": manifest_text(file)})
    output.show(made, lambda: f"{made['name']}: next {_when(made)}")


@cron_app.command("list")
def cron_list() -> None:
    """Schedules of the project, with when each is due next."""
    client = connect()
    output.rows_out(
        client.pages("/crons", project=client.project),
        [
            ("NAME", lambda c: c["name"]),
            ("SCHEDULES", lambda c: "; ".join(c["schedules"])),
            ("TIMEZONE", lambda c: c["timezone"]),
            ("NEXT", _when),
            ("LAST", lambda c: output.ago(c["last_at_ms"])),
            ("ACTIVE", lambda c: c["active"]),
            ("OK", lambda c: c["succeeded"]),
            ("FAILED", lambda c: c["failed"]),
        ],
        empty="no schedules: fubini cron create FILE",
    )


@cron_app.command("get")
def cron_get(
    name: str,
    text: Annotated[bool, typer.Option("--text", help="Only the manifest's text.")] = False,
    ticks: Annotated[int, typer.Option(help="How many past ticks to show.", min=0, max=200)] = 10,
) -> None:
    """A schedule: its next runs, and what became of its last ones."""
    client = connect()
    found = client.get(f"/crons/{segment(find(client, name)['id'])}")
    if text and not OPTIONS.json:
        print(found["manifest"], end="" if found["manifest"].endswith("\n") else "\n")
        return
    past = list(client.pages(f"/crons/{segment(found['id'])}/ticks", limit=ticks)) if ticks else []
    if OPTIONS.json:
        output.print_json({**found, "ticks": past})
        return
    output.fields_out(
        found,
        [
            ("name", found["name"]),
            ("schedules", "; ".join(found["schedules"])),
            ("time zone", found["timezone"]),
            ("while a run goes on", found["policy"]),
            ("state", _state(found)),
            ("next", ", ".join(_clock(at) for at in found["next_ms"])),
            ("trouble", found["condition"]),
            ("saved by", found["saved_by"]),
        ],
    )
    if past:
        print()
        output.rows_out(
            past,
            [
                ("TICK", lambda t: _clock(t["at_ms"])),
                ("STATE", lambda t: t["state"]),
                ("RUN", lambda t: t["run_name"]),
                ("WHY", lambda t: t["message"]),
            ],
        )


@cron_app.command("suspend")
def cron_suspend(name: str) -> None:
    """Hold a schedule: it makes no runs until it is resumed."""
    _switch(name, "suspend")


@cron_app.command("resume")
def cron_resume(name: str) -> None:
    """Let a held schedule go on."""
    _switch(name, "resume")


@cron_app.command("run")
def cron_run(name: str) -> None:
    """Start one run of a schedule now, in your name; also while it is suspended."""
    client = connect()
    made = client.post(f"/crons/{segment(find(client, name)['id'])}/run")
    output.show(made, f"started {made['run_name']}")


@cron_app.command("delete")
def cron_delete(name: str) -> None:
    """Delete a schedule; its runs stay."""
    client = connect()
    found = find(client, name)
    client.delete(f"/crons/{segment(found['id'])}")
    output.show({"id": found["id"], "deleted": True}, f"deleted {found['name']}")


def _switch(name: str, what: str) -> None:
    client = connect()
    made = client.post(f"/crons/{segment(find(client, name)['id'])}/{what}")
    output.show(made, lambda: f"{made['name']}: {_state(made)}, next {_when(made)}")


def _words(row: dict[str, Any]) -> str:
    return "; ".join(one["en"] for one in row["words"]) + f" ({row['timezone']})"


def _state(row: dict[str, Any]) -> str:
    return "stopped" if row["stopped"] else "suspended" if row["suspended"] else "active"


def _when(row: Any) -> str:
    return _clock(row["next_ms"][0]) if row["next_ms"] else _state(row)


def _clock(at_ms: int) -> str:
    found = output.parse_time(at_ms)
    return found.astimezone().strftime("%Y-%m-%d %H:%M %Z") if found is not None else "-"
