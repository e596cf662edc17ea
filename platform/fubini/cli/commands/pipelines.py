"""`fubini pipeline`: manifests kept under a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

pipeline_app = typer.Typer(no_args_is_help=True, help="Manifests kept under a name, with versions.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(pipeline_app, name="pipeline")
    app.command("pipelines")(pipeline_list)


def manifest_text(path: Path) -> str:
    """A manifest from a file, from standard input for `-`, or made by a Python file, which is run here."""
    import sys

    if path.suffix == ".py":
        return _manifest_of_program(path)
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CliError(
            f"{path} is not UTF-8 text", why=f"byte {error.start} cannot be read", exit_code=Exit.USAGE
        ) from error
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or str(error), exit_code=Exit.USAGE) from error


def _manifest_of_program(path: Path) -> str:
    """The one manifest a Python file makes.

    Raises:
        CliError: it fails, or makes none or several.
    """
    from fubini.cli.pyfile import manifests_of_program
    from fubini.manifests.documents import split_documents

    parts = split_documents(manifests_of_program(path))
    if len(parts) > 1:
        raise CliError(
            f"{path} makes {len(parts)} manifests",
            why="one is submitted at a time; templates that it refers to are kept as pipelines first",
            try_="let it create or print one, and see them all with: fubini lint",
            exit_code=Exit.USAGE,
        )
    return parts[0].text


def parameters_of(given: list[str] | None) -> dict[str, str]:
    """``-p name=value`` options."""
    found: dict[str, str] = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CliError(f"-p {text!r} is not NAME=VALUE", try_=f"-p {name or 'name'}=value", exit_code=Exit.USAGE)
        found[name] = value
    return found


def finding_line(file: str, finding: dict[str, Any]) -> str:
    """``file:line:column: error: path: what (did you mean ...)``, as compilers write it."""
    where = f"{file}:{finding.get('line') or 1}:{finding.get('column') or 1}"
    path, step = finding.get("path") or "", finding.get("next_step") or ""
    text = f"{where}: {finding.get('severity', 'error')}: {path}: "
    text += (finding.get("detail") or "").removeprefix(f"{path}: ")
    if finding.get("nearest") and finding["nearest"] not in step:
        text += f" (did you mean {finding['nearest']!r}?)"
    return f"{text} {step}".rstrip()


def find(client: Client, name: str) -> dict[str, Any]:
    """A pipeline by name or id."""
    for row in client.pages("/pipelines", project=client.project, name=name, limit=1):
        return row
    if re.fullmatch("[0-9a-f]{32}", name):
        found: dict[str, Any] = client.get(f"/pipelines/{segment(name)}")
        return found
    raise CliError(
        f"no pipeline {name!r} in project {client.project}", try_="fubini pipelines", exit_code=Exit.NOT_FOUND
    )


@pipeline_app.command("list")
def pipeline_list(search: Annotated[str, typer.Option()] = "") -> None:
    """Pipelines of the project."""
    client = connect()
    output.rows_out(
        client.pages("/pipelines", project=client.project, search=search),
        [
            ("NAME", lambda p: p["name"]),
            ("VERSION", lambda p: p["version"]),
            ("KIND", lambda p: p["kind"]),
            ("TITLE", lambda p: p["title"]),
            ("CHANGED", lambda p: output.ago(p["changed_at"])),
        ],
        empty="no pipelines: fubini pipeline save FILE",
    )


@pipeline_app.command("save")
def pipeline_save(
    file: Annotated[Path, typer.Argument(help="A manifest; - for standard input.")],
    name: Annotated[str, typer.Option(help="Default: the manifest's own name.")] = "",
    title: Annotated[str, typer.Option()] = "",
) -> None:
    """Keep a manifest as a pipeline, or as the next version of one."""
    client = connect()
    body = {"project": client.project, "manifest": manifest_text(file), "name": name}
    if title:
        body["title"] = title
    made = client.post("/pipelines", body)
    for warning in made.get("warnings", []):
        output.note(finding_line(str(file), warning))
    output.show(made, f"{made['name']} is {'now' if made['created'] else 'already'} version {made['version']}")


@pipeline_app.command("show")
def pipeline_show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]")],
    text: Annotated[bool, typer.Option("--text", help="Only the manifest's text.")] = False,
) -> None:
    """A pipeline's parameters, or its text."""
    client = connect()
    name, _, number = name.partition("@")
    found = find(client, name)
    wanted = int(number) if number.isdecimal() else found["version"]
    version = client.get(f"/pipelines/{segment(found['id'])}/versions/{wanted}")
    if text and not OPTIONS.json:
        print(version["text"], end="")
        return
    if OPTIONS.json:
        output.print_json({**found, "shown": version})
        return
    output.fields_out(
        found,
        [("name", found["name"]), ("title", found["title"]), ("kind", version["kind"]), ("version", wanted)],
    )
    if version["parameters"]:
        print()
        output.rows_out(
            version["parameters"],
            [
                ("PARAMETER", lambda p: p["name"]),
                ("VALUE", lambda p: p["value"] if p["value"] is not None else p["default"]),
                ("CHOICES", lambda p: ", ".join(p["enum"])),
                ("WHAT", lambda p: p["description"]),
            ],
        )


@pipeline_app.command("delete")
def pipeline_delete(name: str) -> None:
    """Delete a pipeline; runs made from it stay."""
    client = connect()
    found = find(client, name)
    client.delete(f"/pipelines/{segment(found['id'])}")
    output.show({"id": found["id"], "deleted": True}, f"deleted {found['name']}")
