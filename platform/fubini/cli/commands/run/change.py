"""`fubini run update` and `delete`: what is changed of the run itself; its work is changed by `signals`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.commands.admin import amount
from fubini.cli.commands.run.given import Ref, find, labels_of
from fubini.cli.commands.run.show import costs_text


def run_update(
    ref: Ref,
    max_cost: Annotated[str, typer.Option(help="Another cost limit; `none` takes it away.")] = "",
    name: Annotated[str, typer.Option(help="Another name.")] = "",
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; replaces all labels.")] = None,
) -> None:
    """Change a run's cost limit, name or labels; a run that waits for its limit goes on once it is raised."""
    client = connect()
    body: dict[str, Any] = {}
    if max_cost:
        body["max_cost_micros"] = None if max_cost == "none" else amount(max_cost)
    if name:
        body["name"] = name
    if label is not None:
        body["labels"] = labels_of(label)
    made = client.patch(f"/runs/{segment(find(client, ref)['id'])}", body)
    output.show(made, f"{made['name']}: cost {costs_text(made)}")


def run_delete(ref: Ref) -> None:
    """Delete an ended run; its bookings stay."""
    client = connect()
    run = find(client, ref)
    client.delete(f"/runs/{segment(run['id'])}")
    output.show({"id": run["id"], "deleted": True}, f"deleted {run['name']}")
