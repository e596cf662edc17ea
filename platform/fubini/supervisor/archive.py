"""`migrate`, `backup` and `restore`: the state folder as one archive.

A backup is a tar with the database (copied consistently while it is in use: an SQLite file, or a server's own dump), the
objects, the keys and the agents' credentials: what cannot be made again. Objects are named by their digest and never
change, so copying them after the database gives everything the database speaks of.
The archive holds secrets and is written 0600.

Restoring is only into an empty folder (and an empty database of a server), member by member under an allow-list: plain
files and folders with relative names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tarfile
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any

from fubini.common import figures
from fubini.common.home import FORMAT, Home, read_json
from fubini.supervisor.errors import SupervisorError
from fubini.supervisor.folder import folder_lock, folder_open, folder_stamp, version_text
from fubini.supervisor.server import Server

SQLITE, DUMP = "db.sqlite3", "database.pgdump"
MEMBERS = (SQLITE, DUMP, "secret.key", "secrets.keys", "admin.token", "admin.password", "objects", "agents")
# An agent's journal and credential are kept; what its steps left lying about and its cache are made again.
SKIPPED = frozenset({"cache", "work", "tmp", "spool", "steps", "scratch"})
MANIFEST = "backup.json"


def run(options: argparse.Namespace, home: Home) -> int:
    if options.command == "backup":
        report = backup(home, options.file)
    elif options.command == "restore":
        report = restore(home, options.file)
    else:
        report = migrate(home)
    print(json.dumps(report) if options.json else report["text"])
    return 0


def migrate(home: Home) -> dict[str, Any]:
    """Upgrade the database while nothing runs."""
    from fubini.supervisor.database import database_check, database_migrate, django_ready

    folder_open(home)
    with folder_lock(home, "fubini migrate"):
        django_ready()
        database_check()
        done = database_migrate(home, allowed=True)
        folder_stamp(home)
    return {"changed": bool(done), "text": done or "the database is up to date"}


def _server() -> Server | None:
    """The server that has the database; None where it is the folder's SQLite file."""
    return Server.of_url(os.environ.get("FUBINI_DATABASE_URL", "sqlite:///"))


def backup(home: Home, target: Path) -> dict[str, Any]:
    """Write the archive; safe while Fubini runs."""
    from fubini.supervisor.database import sqlite_copy

    server = _server()
    if not (home.database if server is None else home.path).exists():
        raise SupervisorError(
            f"there is nothing to back up in {home.path}",
            why="it has no database" if server is None else "there is no such folder",
            try_="give the folder with --home DIR",
        )
    if target.exists():
        raise SupervisorError(
            f"{target} exists", why="a backup never replaces a file", try_="give another name", exit_code=5
        )
    began = time.monotonic()
    part = target.with_name(f".{target.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with (
            tempfile.TemporaryDirectory(dir=home.path, prefix=".backup-") as scratch,
            os.fdopen(handle, "wb") as raw,
            tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar,
        ):
            copy = Path(scratch) / (SQLITE if server is None else DUMP)
            if server is None:
                sqlite_copy(home.database, copy)
            else:
                server.dump(copy)
            note = {"format": FORMAT, "fubini": version_text(), "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
            (Path(scratch) / MANIFEST).write_text(json.dumps(note))
            tar.add(Path(scratch) / MANIFEST, MANIFEST)
            tar.add(copy, copy.name, filter=_keep)
            for name in MEMBERS[2:]:
                source = home.path / name
                if source.exists():
                    tar.add(source, name, filter=_keep)
            raw.flush()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    size = target.stat().st_size
    what = str(home.path) if server is None else f"{home.path} and the database {server}"
    text = f"backed up {what} to {target} ({figures.size(size)}, {time.monotonic() - began:.1f} s); it holds secrets"
    return {"file": str(target), "size_bytes": size, "text": text}


def _keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Plain files and folders; no caches, sockets or links."""
    parts = PurePosixPath(member.name).parts
    if parts[0] == "agents" and len(parts) > 2 and SKIPPED & set(parts[2:]):
        return None
    return member if member.isfile() or member.isdir() else None


def restore(home: Home, source: Path) -> dict[str, Any]:
    """Fill an empty folder, and a server's empty database, from an archive."""
    server = _server()
    if not source.is_file():
        raise SupervisorError(
            f"no file {source}", why="a backup's archive is needed", try_="fubini restore FILE", exit_code=4
        )
    if (home.database if server is None else home.secret_key).exists():
        raise SupervisorError(
            f"the state folder {home.path} is not empty",
            why="a restore never overwrites a database" if server is None else "a restore never overwrites keys",
            try_=f"move it away first (mv {home.path} {home.path}.old), or restore elsewhere with --home DIR",
            exit_code=5,
        )
    if server is not None:
        server.check_empty()
    folder_open(home)
    with folder_lock(home, "fubini restore"):
        scratch = Path(tempfile.mkdtemp(dir=home.path, prefix=".restore-"))
        try:
            note = _extract(source, scratch)
            if int(note.get("format", 0)) > FORMAT:
                raise SupervisorError(
                    "the backup is newer than this code",
                    why=f"it has format {note['format']}, this code knows formats up to {FORMAT}",
                    try_="restore it with the newer checkout",
                    exit_code=5,
                )
            _same_kind(scratch, server)
            if server is not None:  # whole or not at all; what comes after it are renames
                server.restore(scratch / DUMP)
            for name in (*MEMBERS[2:], SQLITE):  # the database last: its presence says the restore is whole
                found = scratch / name
                if found.is_dir():
                    shutil.rmtree(home.path / name, ignore_errors=True)
                if found.exists():
                    found.rename(home.path / name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        folder_stamp(home)
    text = (
        f"restored {source} (Fubini {note.get('fubini')}, {note.get('at')}) into {home.path}; start it with: fubini up"
    )
    return {"home": str(home.path), "backup": note, "text": text}


def _same_kind(found: Path, server: Server | None) -> None:
    """Raises SupervisorError where the archive's database is of the other kind."""
    if (found / (SQLITE if server is None else DUMP)).exists():
        return
    has, wants = ("an SQLite file", "a server") if server is not None else ("a server's dump", "SQLite")
    raise SupervisorError(
        f"the backup has {has}, and FUBINI_DATABASE_URL names {wants}",
        why="a backup is restored into a database of the kind it was taken from",
        try_="name an empty PostgreSQL database: FUBINI_DATABASE_URL=postgres://..."
        if server is None
        else "unset FUBINI_DATABASE_URL",
        exit_code=2,
    )


def _extract(source: Path, target: Path) -> dict[str, Any]:
    """Unpack under the allow-list.

    Raises:
        SupervisorError: it is not one of our archives, or has a member that could leave the folder.
    """
    try:
        with tarfile.open(source, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                known = path.parts and (path.parts[0] in MEMBERS or member.name == MANIFEST)
                if not known or path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    raise SupervisorError(
                        f"{source} is not a backup of Fubini",
                        why=f"it has a member {member.name!r} that a backup never has",
                        try_="use an archive made by: fubini backup FILE",
                    )
                place = target.joinpath(*path.parts)
                if member.isdir():
                    place.mkdir(mode=0o700, parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(content, file, 1024 * 1024)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SupervisorError(
            f"{source} cannot be read as a backup",
            why=str(error) or type(error).__name__,
            try_="use an archive made by: fubini backup FILE, on a disk with room for it",
        ) from error
    note = read_json(target / MANIFEST)
    if note is None or not any((target / name).exists() for name in (SQLITE, DUMP)):
        raise SupervisorError(
            f"{source} is not a backup of Fubini",
            why="it has no database or no description",
            try_="use an archive made by: fubini backup FILE",
        )
    return note
