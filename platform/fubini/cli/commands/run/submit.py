"""`fubini run submit`: a manifest or pipeline becomes a run, which nothing loses once its id is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fubini.cli import output
from fubini.cli.client import connect, new_key
from fubini.cli.commands.admin import amount
from fubini.cli.commands.pipelines import finding_line, parameters_of
from fubini.cli.commands.run.follow import follow
from fubini.cli.commands.run.given import Inputs, Parameters, find, labels_of, source_of, uploaded
from fubini.cli.commands.run.quote import quote_line, quote_show, reuse_text
from fubini.cli.config import OPTIONS


def run_submit(
    file: Annotated[Path | None, typer.Argument(help="A manifest; - for standard input.")] = None,
    pipeline: Annotated[str, typer.Option(help="A kept pipeline instead: NAME or NAME@VERSION.")] = "",
    parameter: Parameters = None,
    input: Inputs = None,
    name: Annotated[str, typer.Option(help="The run's name.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; again for more.")] = None,
    max_cost: Annotated[str, typer.Option(help="Start no step that could pass this; in currency units.")] = "",
    objective: Annotated[str, typer.Option(help="fastest, cheapest or balanced.")] = "",
    priority: Annotated[str, typer.Option(help="interactive, normal or opportunistic.")] = "normal",
    key: Annotated[str, typer.Option(help="An idempotency key: the same key never makes a second run.")] = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Until it has ended; the exit code tells how.")] = False,
    timeout: Annotated[float | None, typer.Option(help="With --wait: give up after so many seconds (exit 7).")] = None,
    reuse: Annotated[
        str, typer.Option(metavar="RUN|any", help="Take over finished steps with the same inputs, of a run or any.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and quote, submit nothing.")] = False,
) -> None:
    """Submit a run. Once this has printed its id, nothing that happens later loses it."""
    source = source_of(file, pipeline)
    client = connect()
    values = parameters_of(parameter) | uploaded(client, input)
    body = {"project": client.project, **source, "parameters": values}
    body |= {"objective": objective, "priority": priority, "name": name}
    if reuse:
        body["reuse"] = reuse if reuse == "any" else find(client, reuse)["id"]
    if dry_run:
        quote_show(client.send("POST", "/quotes", body=body))
        return
    if reuse and not OPTIONS.json:
        found = client.send("POST", "/quotes", body=body)
        output.note(reuse_text(found["reuse"]))
        output.note(quote_line(found))
        body["quote"] = found["token"]
    body |= {"labels": labels_of(label)}
    if max_cost:
        body["max_cost_micros"] = amount(max_cost)
    chosen = key or new_key()  # made before the first send: whatever is lost on the way, there is one run
    try:
        run = client.post("/runs", body, key=chosen)
    except KeyboardInterrupt:
        output.note(f"interrupted before an answer; to see or finish it, submit again with --key {chosen}")
        raise
    for warning in run.get("warnings", ()):
        output.note(output.plain(finding_line(str(file or pipeline), warning)))
    if not wait:
        output.show(run, f"{run['id']}")
        output.note(
            f"submitted {run['name']} as job {run['job_number']}; follow it: fubini run watch {run['job_number']}"
        )
        return
    output.note(f"submitted {run['name']} as job {run['job_number']} ({run['id']})")
    follow(client, run, timeout)
