"""The state folder: where it is and what is in it. Standard library only, because the CLI starts from here.

Everything the embedded default keeps lives in one folder: `$FUBINI_HOME`, else `.fubini` of the checkout the code runs
from, else `.fubini` of the working directory. Only its owner may read it (0700); secrets in it are 0600.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1  # of the folder's layout; a folder with a higher number was made by newer code
DEFAULT_PORT = 8642


def checkout() -> Path | None:
    """The checkout this code runs from; None when it was installed from a wheel."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "manage.py").is_file() and (root / "platform").is_dir() else None


def home_path(environ: Mapping[str, str]) -> Path:
    """Where the state folder is, made or not."""
    given = environ.get("FUBINI_HOME")
    if given:
        return Path(given).expanduser().resolve()
    return (checkout() or Path.cwd().resolve()) / ".fubini"


@dataclass(frozen=True, slots=True)
class Home:
    """Names inside the state folder."""

    path: Path

    @property
    def version_file(self) -> Path:
        return self.path / "version.json"

    @property
    def database(self) -> Path:
        return self.path / "db.sqlite3"

    @property
    def secret_key(self) -> Path:
        return self.path / "secret.key"

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def run(self) -> Path:
        """One file a process: who runs. Says nothing by being there; pid and start time must match."""
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def backups(self) -> Path:
        return self.path / "backups"

    @property
    def agents(self) -> Path:
        return self.path / "agents"

    @property
    def lock(self) -> Path:
        """Held (flock) by the one supervisor of this folder, or by a command that must be alone with it."""
        return self.path / "supervisor.lock"

    @property
    def token(self) -> Path:
        """The administrator's token; the CLI on this machine signs in with it."""
        return self.path / "admin.token"

    @property
    def password(self) -> Path:
        return self.path / "admin.password"

    @property
    def up(self) -> Path:
        """What the supervisor says of itself while it runs: pid, start time, URL."""
        return self.run / "supervisor.json"

    def make(self) -> None:
        """Make the folder and tighten its modes; never loosens anything."""
        for folder in (self.path, self.run, self.log, self.backups, self.agents, self.objects):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Replace a file by `text`, whole or not at all, readable by its owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def made_once(path: Path, make: Callable[[], str]) -> str:
    """The text of a private file, made if it is missing. Two processes that make it at once get one text."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    return path.read_text(encoding="utf-8").strip()


def read_json(path: Path) -> dict[str, Any] | None:
    """A small JSON object from a file; None when it is missing or not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is no such process (or it is a zombie).

    A pid alone proves nothing, for pids are used again; pid and start time together name one process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return int(fields[19])


def alive(record: Mapping[str, Any] | None) -> bool:
    """Whether the very process a record names (pid, start_ticks) still runs."""
    if not record:
        return False
    try:
        return start_ticks(int(record["pid"])) == int(record["start_ticks"])
    except (KeyError, TypeError, ValueError):
        return False
