"""Signing in: login, logout, profiles, whoami and one's own tokens."""

from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect, segment
from fubini.cli.config import OPTIONS, Target, config_path, config_read, config_write
from fubini.cli.errors import READABLE, CliError, Exit

profile_app = typer.Typer(no_args_is_help=True, help="Servers signed into on this machine.")
token_app = typer.Typer(no_args_is_help=True, help="Your tokens, for programs.")


def add_to(app: typer.Typer) -> None:
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)
    app.add_typer(profile_app, name="profile")
    app.add_typer(token_app, name="token")


def login(
    server: Annotated[str, typer.Argument(metavar="URL", help="The server, such as https://fubini.example.org.")] = "",
    name: Annotated[str, typer.Option(help="Name of the profile.")] = "default",
    user: Annotated[str, typer.Option(help="Sign in with a password; asked for, never an option.")] = "",
    token_file: Annotated[Path | None, typer.Option(help="Read a token from a file; - for standard input.")] = None,
) -> None:
    """Sign in and remember it in a profile. With a password, a token for this machine is made."""
    url = server or OPTIONS.url or config_read()["profiles"].get(name, {}).get("url", "")
    if not url:
        raise CliError("which server?", try_="fubini login https://HOST", exit_code=Exit.USAGE)
    url = url if "://" in url else f"https://{url}"
    if token_file is not None:
        text = sys.stdin.read() if str(token_file) == "-" else _read(token_file)
        token = text.strip()
    elif sys.stdin.isatty() or user:
        token = _by_password(url.rstrip("/"), user or typer.prompt("User", err=True))
    else:
        raise CliError(
            "no terminal to ask for a password on",
            try_="fubini login URL --token-file FILE, or set FUBINI_URL and FUBINI_TOKEN_FILE",
            exit_code=Exit.USAGE,
        )
    client = Client(Target(url.rstrip("/"), token, "", "this login"))
    me = client.get("/me")
    config = config_read()
    config["profiles"][name] = {
        "url": url.rstrip("/"),
        "token": token,
        "project": OPTIONS.project,
        "actor": me["actor"],
    }
    config["current"] = name
    config_write(config)
    output.show(
        {"profile": name, "url": url, "actor": me["actor"]},
        f"signed in to {url} as {me['actor']} (profile {name}, kept in {config_path()})",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError(f"cannot read {path}", why=error.strerror or "", try_=READABLE, exit_code=Exit.USAGE) from error


def _by_password(url: str, user: str) -> str:
    """Sign in with a password, make a token, end the session."""
    password = (
        typer.prompt("Password", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    )
    client = Client(Target(url, "", "", "this login"))
    csrf = {"X-CSRFToken": client.get("/login")["csrf_token"], "Referer": f"{url}/"}
    client.send("POST", "/login", body={"username": user, "password": password}, headers=csrf)
    csrf["X-CSRFToken"] = client.get("/login")["csrf_token"]
    me = client.get("/me")
    scopes = ["read", "write", *(["admin"] if me["is_admin"] else [])]
    body = {"name": f"cli on {socket.gethostname()}"[:80], "scopes": scopes}
    made = client.send("POST", "/tokens", body=body, headers=csrf)
    client.send("POST", "/logout", body={}, headers=csrf)
    return str(made["token"])


def logout(name: Annotated[str, typer.Argument(help="The profile; default: the current one.")] = "") -> None:
    """Forget a profile, and revoke its token on the server if it can be reached."""
    config = config_read()
    chosen = name or config["current"]
    found = config["profiles"].pop(chosen, None)
    if found is None:
        raise CliError(f"no profile {chosen!r}", try_="fubini profile list", exit_code=Exit.NOT_FOUND)
    revoked = _revoke(found)
    if config["current"] == chosen:
        config["current"] = next(iter(config["profiles"]), "")
    config_write(config)
    rest = "and its token is revoked" if revoked else "(its token could not be revoked now; it stays valid)"
    output.show({"profile": chosen, "revoked": revoked}, f"signed out of {found['url']} {rest}")


def _revoke(found: dict[str, Any]) -> bool:
    prefix = found.get("token", "").split("_")[1:2]
    try:
        client = Client(Target(found["url"], found.get("token", ""), "", "the profile"), timeout_s=5.0)
        for token in client.pages("/tokens"):
            if [token["prefix"]] == prefix:
                client.delete(f"/tokens/{segment(token['id'])}")
                return True
    except CliError:
        return False
    return False


def whoami() -> None:
    """Who this command line is, where, and how it knows."""
    client = connect()
    me = client.get("/me")
    value = {**me, "url": client.where.url, "source": client.where.source}
    output.fields_out(
        value,
        [
            ("actor", me["actor"]),
            ("server", client.where.url),
            ("known from", client.where.source),
            ("administrator", "yes" if me["is_admin"] else ""),
            ("scopes", ", ".join(me["scopes"])),
            ("role", me["role"]),
        ],
    )


@profile_app.command("list")
def profile_list() -> None:
    """Servers signed into."""
    config = config_read()
    rows = [
        {"name": name, "current": name == config["current"], "url": p["url"], "project": p.get("project", "")}
        for name, p in config["profiles"].items()
    ]
    output.rows_out(
        rows,
        [
            ("NAME", lambda r: f"{r['name']}{' *' if r['current'] else ''}"),
            ("URL", lambda r: r["url"]),
            ("PROJECT", lambda r: r["project"]),
        ],
        empty="no profiles yet: fubini login URL",
    )


@profile_app.command("use")
def profile_use(name: str) -> None:
    """Make a profile the current one; `-` goes back to what runs on this machine."""
    config = config_read()
    if name != "-" and name not in config["profiles"]:
        raise CliError(
            f"no profile {name!r}",
            why=f"there are: {', '.join(config['profiles']) or 'none'}",
            exit_code=Exit.NOT_FOUND,
        )
    config["current"] = "" if name == "-" else name
    config_write(config)
    output.show({"current": config["current"]}, f"current profile: {config['current'] or 'none'}")


TOKEN_COLUMNS: list[tuple[str, Any]] = [
    ("ID", lambda t: t["id"]),
    ("NAME", lambda t: t["name"]),
    ("SCOPES", lambda t: ",".join(t["scopes"])),
    ("ROLE", lambda t: t["role"]),
    ("MADE", lambda t: output.ago(t["created_at"])),
    ("LAST USED", lambda t: output.ago(t["last_used_at"])),
    ("EXPIRES", lambda t: "revoked" if t["revoked_at"] else output.ago(t["expires_at"])),
]


def expiry(days: int | None) -> str | None:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat() if days else None


@token_app.command("list")
def token_list() -> None:
    """Your tokens."""
    output.rows_out(connect().pages("/tokens"), TOKEN_COLUMNS, empty="no tokens")


@token_app.command("create")
def token_create(
    name: str,
    scope: Annotated[list[str] | None, typer.Option(help="read, write or admin; again for more.")] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires; default: never.", min=1)] = None,
) -> None:
    """Make a token; its text is printed once, alone, on standard output."""
    made = connect().post("/tokens", {"name": name, "scopes": scope or ["read", "write"], "expires_at": expiry(days)})
    output.show(made, str(made["token"]))


@token_app.command("revoke")
def token_revoke(id: str) -> None:
    """Revoke a token."""
    connect().delete(f"/tokens/{segment(id)}")
    output.show({"id": id, "revoked": True}, f"revoked {id}")
