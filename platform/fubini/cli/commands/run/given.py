"""How a run and what it is started with are named on the command line: references, parameters, uploads, labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, segment
from fubini.cli.commands.pipelines import manifest_text
from fubini.cli.errors import CliError, Exit

Parameters = Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE; again for more.")]

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="NAME=PATH: upload it and give the parameter the dataset version it becomes; again for more."
    ),
]

Ref = Annotated[str, typer.Argument(metavar="RUN", help="Id, job number or name; @last is your newest.")]


def find(client: Client, ref: str) -> dict[str, Any]:
    """A run by id, job number, name (the newest of that name), or `@last`."""
    if ref == "@last":
        mine = client.get("/me")["actor"]
        for row in client.pages("/runs", project=client.project, submitted_by=mine, limit=1):
            return row
        raise CliError("you have no runs here yet", try_="fubini run submit FILE", exit_code=Exit.NOT_FOUND)
    if re.fullmatch(r"[0-9a-f]{32}|[0-9]{1,17}", ref):
        found: dict[str, Any] = client.get(f"/runs/{segment(ref)}")
        return found
    for row in client.pages("/runs", project=client.project, search=ref, limit=200):
        if row["name"] == ref:
            return row
    raise CliError(f"no run {ref!r} in project {client.project}", try_="fubini runs", exit_code=Exit.NOT_FOUND)


def source_of(file: Path | None, pipeline: str) -> dict[str, Any]:
    """What to submit: a manifest's text, or a pipeline by name and version."""
    if (file is None) == (not pipeline):
        raise CliError(
            "give either a manifest file or --pipeline NAME", try_="fubini run submit FILE", exit_code=Exit.USAGE
        )
    if file is not None:
        return {"manifest": manifest_text(file)}
    name, _, number = pipeline.partition("@")
    return {"pipeline": name, **({"version": int(number)} if number.isdecimal() else {})}


def uploaded(client: Client, given: list[str] | None) -> dict[str, str]:
    """``--input NAME=PATH``: parameter -> the claim of the dataset version its file or folder became."""
    from fubini.cli.commands.data import dataset_name, import_path

    found = {}
    for text in given or []:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise CliError(f"--input {text!r} is not NAME=PATH", try_="--input frames=./frames", exit_code=Exit.USAGE)
        dataset = dataset_name(Path(path))
        made = import_path(client, Path(path), dataset)
        found[name] = f"{dataset}-v{made['version']}"
        output.note(f"{name}: {path} is {found[name]}")
    return found


def labels_of(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise CliError(f"--label {text!r} is not KEY=VALUE", exit_code=Exit.USAGE)
        found[key] = value
    return found
