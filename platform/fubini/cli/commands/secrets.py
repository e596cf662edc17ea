"""`fubini secret`: what steps may know and nobody may read. A value comes from a file or standard input, never an argument."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import connect, segment
from fubini.cli.errors import READABLE, CliError, Exit

secret_app = typer.Typer(no_args_is_help=True, help="Secrets of a project: steps get them, nobody reads them back.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(secret_app, name="secret")


def _base() -> str:
    return f"/projects/{segment(connect().project)}/secrets"


@secret_app.command("list")
def secret_list() -> None:
    """Names and keys; values are never shown."""
    rows: list[dict[str, Any]] = [
        {"name": secret["name"], **key} for secret in connect().pages(_base()) for key in secret["keys"]
    ]
    columns: list[tuple[str, Any]] = [
        ("NAME", lambda r: r["name"]),
        ("KEY", lambda r: r["key"]),
        ("VERSION", lambda r: r["version"]),
        ("SET", lambda r: output.ago(r["updated_at"])),
        ("BY", lambda r: r["updated_by"]),
    ]
    output.rows_out(rows, columns, empty="no secrets yet: fubini secret set NAME KEY --from-file FILE")


@secret_app.command("set")
def secret_set(
    name: str,
    key: str,
    from_file: Annotated[Path | None, typer.Option(help="Read the value from a file, byte for byte.")] = None,
) -> None:
    """Set one key of a secret from a file or standard input; one trailing line break typed at a terminal or echoed is dropped."""
    if from_file is not None:
        try:
            value = from_file.read_bytes()
        except OSError as error:
            raise CliError(
                f"cannot read {from_file}", why=error.strerror or str(error), try_=READABLE, exit_code=Exit.USAGE
            ) from error
    elif sys.stdin.isatty():
        value = str(typer.prompt("Value", hide_input=True, err=True)).encode()
    else:
        value = sys.stdin.buffer.read().removesuffix(b"\n")
    body = {"secret_values": {key: base64.b64encode(value).decode()}, "encoding": "base64"}
    made = connect().send("PUT", f"{_base()}/{segment(name)}", body=body)
    output.show(made, f"set {name}/{key}")


@secret_app.command("delete")
def secret_delete(name: str, key: Annotated[str, typer.Argument(help="Only this key.")] = "") -> None:
    """Delete a secret, or one key of it."""
    connect().delete(f"{_base()}/{segment(name)}" + (f"/{segment(key)}" if key else ""))
    output.show({"name": name, "key": key or None, "deleted": True}, f"deleted {name}{'/' + key if key else ''}")


@secret_app.command("rotate")
def secret_rotate(
    same_key: Annotated[
        bool, typer.Option("--same-key", help="Make no new key: those in FUBINI_SECRETS_KEYS were changed.")
    ] = False,
) -> None:
    """Encrypt all stored secrets with a new key (administrators)."""
    made = connect().post("/secrets/rotate", {"new_key": not same_key})
    output.show(made, f"{made['values']} values are under the newest key, {made['dropped_keys']} old keys removed")
