"""`fubini run logs`, `files`, `outputs` and `origin`: what the steps of a run print, hold and leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fubini.cli.client import connect, segment
from fubini.cli.commands.run.given import Ref, find
from fubini.cli.errors import CliError, Exit


def run_logs(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="A step's name or id; default: every step.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the steps have ended.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only the last so many lines.", min=1)] = None,
    attempt: Annotated[int | None, typer.Option(help="An earlier attempt; default: the newest.", min=1)] = None,
    stream: Annotated[str, typer.Option(help="stdout, stderr or main.")] = "",
    container: Annotated[str, typer.Option(help="Of a step with several; default: the main one.")] = "",
) -> None:
    """What the steps print, from the first byte on."""
    from fubini.cli.watch import logs

    client = connect()
    if container and not node:
        raise CliError("--container is of one step", why="name the step before it", exit_code=Exit.USAGE)
    run_id = find(client, ref)["id"]
    logs(client, run_id, node, follow=follow, tail=tail, attempt=attempt, stream=stream, container=container)


def run_files(
    ref: Ref,
    step: Annotated[str, typer.Argument(help="A step's name or id.")],
    path: Annotated[str, typer.Argument(help="A directory or file as the step sees it; default: where it works.")] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Of a file: print what is added, until it ends.")
    ] = False,
    tail: Annotated[int | None, typer.Option(help="Of a file: only the last so many lines.", min=1)] = None,
    attempt: Annotated[int | None, typer.Option(help="An earlier attempt; default: the newest.", min=1)] = None,
) -> None:
    """List the files of a running or failed step, or print a text file of it."""
    from fubini.cli.files import show_files

    client = connect()
    show_files(client, find(client, ref)["id"], step, path, follow=follow, tail=tail, attempt=attempt)


def run_outputs(
    ref: Ref,
    node: Annotated[str, typer.Argument(help="A step's name or id; default: the run's final outputs.")] = "",
    to: Annotated[Path | None, typer.Option(help="Fetch the files into this folder.")] = None,
) -> None:
    """A run's results; with --to, fetched under readable paths, resumable and verified."""
    from fubini.cli.outputs import fetch, show

    client = connect()
    run = find(client, ref)
    if to is None:
        show(client, run, node)
    else:
        fetch(client, run, node, to)


def run_origin(
    ref: Ref,
    node: Annotated[
        str, typer.Argument(help="A step's name or id: the origin of what it left; default: the run's.")
    ] = "",
    name: Annotated[str, typer.Argument(help="Which of the step's artifacts, where it left several.")] = "",
    depth: Annotated[int, typer.Option(help="How many links to follow.", min=1, max=40)] = 10,
    limit: Annotated[int, typer.Option(help="The most things to tell in each direction.", min=1, max=500)] = 100,
    crate: Annotated[Path | None, typer.Option(help="Write it as RO-Crate metadata to this file or folder.")] = None,
) -> None:
    """Where a run, or what a step left, comes from and what was made of it."""
    from fubini.cli.origin import show
    from fubini.cli.outputs import api_path, artifacts_of

    client = connect()
    run = find(client, ref)
    if not node:
        if crate is not None:
            raise CliError("an RO-Crate is of one artifact", try_=f"fubini run outputs {ref}", exit_code=Exit.USAGE)
        show(client, f"/runs/{segment(run['id'])}", depth=depth, limit=limit, crate=None)
        return
    left = [a for a in artifacts_of(client, run, node)[0] if not name or a["name"] == name]
    if len(left) != 1:
        names = ", ".join(sorted(f"{a['display_name']} {a['name']}" for a in left)[:10])
        raise CliError(
            f"step {node} left {'several artifacts: ' + names if left else 'no artifact' + (f' {name!r}' if name else '')}",
            try_=f"fubini run origin {ref} STEP NAME" if left else f"fubini run outputs {ref} {node}",
            exit_code=Exit.USAGE if left else Exit.NOT_FOUND,
        )
    show(client, api_path(left[0]["key"]), depth=depth, limit=limit, crate=crate)
