"""Which server, as whom, in which project.

Decides in this order: options, environment (`FUBINI_URL`, `FUBINI_TOKEN`, `FUBINI_TOKEN_FILE`, `FUBINI_PROJECT`), the
chosen profile (`--profile`, `FUBINI_PROFILE`, else the current one), and last what `fubini up` runs on this machine. A
token is only ever sent to the URL it belongs to: one found for the local server is not used with a URL given otherwise.

Profiles are in one file readable by its owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fubini.cli.errors import CliError, Exit
from fubini.common.home import Home, alive, home_path, read_json, write_private


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. `source` says where the URL came from, for error texts and `doctor`."""

    url: str
    token: str = field(default="", repr=False)
    project: str = ""
    source: str = ""


@dataclass(slots=True)
class Options:
    """The options every command has."""

    url: str = ""
    project: str = ""
    profile: str = ""
    home: Path | None = None
    json: bool = False
    quiet: bool = False
    timeout_s: float = 30.0


OPTIONS = Options()


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """The profiles' file."""
    env = os.environ if environ is None else environ
    base = env.get("XDG_CONFIG_HOME")
    folder = Path(base) if base and Path(base).is_absolute() else Path(env.get("HOME", "~")).expanduser() / ".config"
    return folder / "fubini" / "config.json"


def config_read() -> dict[str, Any]:
    """``{"current": name, "profiles": {name: {"url", "token", "project"}}}``, empty when there is none."""
    path = config_path()
    found = read_json(path)
    if found is None:
        if path.exists():
            raise CliError(
                f"{path} cannot be read",
                why="it is not a JSON object, or not yours to read",
                try_="mend it, or remove it and sign in again: fubini login URL",
                exit_code=Exit.USAGE,
            )
        return {"current": "", "profiles": {}}
    found.setdefault("current", "")
    found.setdefault("profiles", {})
    return found


def config_write(config: Mapping[str, Any]) -> None:
    path = config_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(config, indent=2) + "\n")


def local_home() -> Home:
    """The state folder this command speaks of."""
    return Home(OPTIONS.home.expanduser().resolve() if OPTIONS.home else home_path(os.environ))


def local_server(home: Home) -> dict[str, Any] | None:
    """What the supervisor of a folder says of itself, if it runs."""
    record = read_json(home.up)
    return record if alive(record) else None


def _token_given() -> str:
    token = os.environ.get("FUBINI_TOKEN", "").strip()
    file = os.environ.get("FUBINI_TOKEN_FILE", "")
    if token or not file:
        return token
    return _token_file(Path(file), "FUBINI_TOKEN_FILE")


def _token_file(path: Path, named_by: str) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CliError(
            f"the token file {path} cannot be read",
            why=f"{error.strerror} (named by {named_by})",
            try_="check the path and its mode",
            exit_code=Exit.AUTH,
        ) from error


def target() -> Target:
    """Where this command's requests go.

    Raises:
        CliError: no server is known.
    """
    token = _token_given()
    project = OPTIONS.project or os.environ.get("FUBINI_PROJECT", "")
    url = OPTIONS.url or os.environ.get("FUBINI_URL", "")
    if url:
        source = "--url" if OPTIONS.url else "FUBINI_URL"
        return Target(_clean(url), token or _token_for(_clean(url)), project, source)
    config = config_read()
    name = OPTIONS.profile or os.environ.get("FUBINI_PROFILE", "")
    if name and name not in config["profiles"]:
        raise CliError(
            f"no profile {name!r}",
            why=f"there are: {', '.join(config['profiles']) or 'none'}",
            try_="fubini login URL --name NAME",
            exit_code=Exit.USAGE,
        )
    local = None if name else local_server(local_home())
    # A server somebody started here and now is meant before a remote one signed into some day, unless it was chosen.
    if local is not None and not (config["current"] and OPTIONS.home is None and not _asked_for_home()):
        home = local_home()
        token = token or _token_file(home.token, "fubini up")
        return Target(local["url"], token, project or local.get("project", ""), f"fubini up in {home.path}")
    name = name or config["current"]
    if name and name in config["profiles"]:
        found = config["profiles"][name]
        return Target(
            found["url"], token or found.get("token", ""), project or found.get("project", ""), f"profile {name}"
        )
    raise CliError(
        "no server is known",
        why=f"nothing runs on {local_home().path}, and neither FUBINI_URL nor a profile names one",
        try_="fubini up   (start one here), or: fubini login https://HOST",
        exit_code=Exit.UNREACHABLE,
    )


def _asked_for_home() -> bool:
    return bool(os.environ.get("FUBINI_HOME"))


def _token_for(url: str) -> str:
    """A token kept for exactly this URL, by a profile or by the local server."""
    for found in config_read()["profiles"].values():
        if found["url"] == url:
            return str(found.get("token", ""))
    home = local_home()
    local = local_server(home)
    if local is not None and local["url"] == url:
        return _token_file(home.token, "fubini up")
    return ""


def _clean(url: str) -> str:
    url = url.strip().rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise CliError(
            f"{url!r} is not a server's URL",
            why="it has to begin with https:// (or http:// on a machine you trust)",
            try_="fubini --url https://HOST ...",
            exit_code=Exit.USAGE,
        )
    return url
