"""`fubini admin flag` and `fubini project flag`: feature flags of the installation and of a project."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.errors import CliError, Exit

flag_app = typer.Typer(no_args_is_help=True, help="Feature flags of the installation.")
project_flag_app = typer.Typer(no_args_is_help=True, help="Feature flags of the project.")
WORDS: dict[str, bool | None] = {"on": True, "off": False, "default": None}

Name = Annotated[str, typer.Argument(metavar="FLAG")]
Word = Annotated[str, typer.Argument(metavar="on|off|default", help="default: take the word back.")]


def add_to(admin_app: typer.Typer, project_app: typer.Typer) -> None:
    admin_app.add_typer(flag_app, name="flag")
    project_app.add_typer(project_flag_app, name="flag")


@flag_app.command("list")
def flag_list() -> None:
    """How every flag stands, and whose word holds."""
    _show(connect().get("/flags"))


@flag_app.command("set")
def flag_set(name: Name, word: Word) -> None:
    """Turn a flag of the installation (administrators)."""
    _show([connect().put(f"/flags/{segment(name)}", {"on": _word(word)})])


@project_flag_app.command("list")
def project_flag_list() -> None:
    """How the flags a project may have a word in stand."""
    client = connect()
    _show(client.get(f"/projects/{segment(client.project)}/flags"))


@project_flag_app.command("set")
def project_flag_set(name: Name, word: Word) -> None:
    """Turn a flag for the project; its word wins over the installation's."""
    client = connect()
    _show([client.put(f"/projects/{segment(client.project)}/flags/{segment(name)}", {"on": _word(word)})])


def _word(text: str) -> bool | None:
    if text not in WORDS:
        raise CliError(f"{text!r} is no word for a flag", try_="write on, off or default", exit_code=Exit.USAGE)
    return WORDS[text]


def _show(flags: list[dict[str, Any]]) -> None:
    output.rows_out(
        flags,
        [
            ("FLAG", lambda f: f["name"]),
            ("NOW", lambda f: "on" if f["on"] else "off"),
            ("BY", lambda f: f["set_by"] or "default"),
            ("WHOSE WORD", lambda f: f["source"]),
            ("SINCE", lambda f: f["since"]),
            ("TURNS ON", lambda f: f["does"]),
        ],
    )
