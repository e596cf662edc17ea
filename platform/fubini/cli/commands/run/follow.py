"""`fubini run watch`: to a run's end; the exit code is the run's, and what failed is told with its cause."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.commands.run.given import Ref, find
from fubini.cli.commands.run.show import costs_text, seconds_of
from fubini.cli.config import OPTIONS
from fubini.cli.errors import Exit


def follow(client: Client, run: dict[str, Any], timeout: float | None) -> None:
    """Watch to the end; the exit code is the run's."""
    from fubini.cli.watch import watch

    ended = watch(client, run["id"], timeout_s=timeout)
    output.show(ended, lambda: summary_text(ended))
    if ended["state"] != "succeeded":
        if not OPTIONS.json:
            for line in failures(client, ended):
                output.note(line)
        raise typer.Exit(Exit.FAILED)


def summary_text(run: dict[str, Any]) -> str:
    took = output.duration(seconds_of(run))
    text = f"{run['name']} {run['phase']} after {took}: {run['steps_done']} of {run['steps_total']} steps"
    return output.plain(f"{text}, cost {costs_text(run)}" + (f": {run['message']}" if run["message"] else ""))


def failures(client: Client, run: dict[str, Any], most: int = 3) -> list[str]:
    """The first failed steps, each with its cause and the end of what it printed."""
    from fubini.cli.watch import log_awaited

    lines: list[str] = []
    for task in client.pages(f"/runs/{segment(run['id'])}/tasks", state="failed", limit=most):
        log_awaited(client, task["id"])
        detail = client.get(f"/tasks/{segment(task['id'])}")
        last = detail["attempt_list"][-1] if detail["attempt_list"] else {}
        code = f", exit code {last['exit_code']}" if last.get("exit_code") is not None else ""
        where = f" at {last['site']}" if last.get("site") else ""
        lines.append(f"failed: {task['display_name']}{where} ({last.get('cause') or 'unknown'}{code})")
        argv = " ".join(detail["spec"].get("argv") or [])
        if argv:
            lines.append(output.plain(f"  command: {argv[:300]}"))
        if last.get("message"):
            lines.append(output.plain(f"  {last['message']}"))
        lines += [output.plain(f"  | {line}") for line in detail["log_tail"]]
        lines.append(f"  all of it: fubini run logs {run['job_number']} {task['display_name']}")
    return lines


def run_watch(
    ref: Ref,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds (exit 7).")] = None,
) -> None:
    """Follow a run to its end; Ctrl-C detaches, the run goes on."""
    client = connect()
    follow(client, find(client, ref), timeout)
