"""The state folder's rules: one owner, one supervisor, one format.

Decides whether this code may use a folder at all. The lock is a `flock`, so the kernel gives it back when its holder
dies, however it dies; the text in the lock file only says who to name in an error.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from fubini.common.home import FORMAT, Home, checkout, read_json, start_ticks, write_private
from fubini.supervisor.errors import SupervisorError

DISK_FLOOR_BYTES = 64 * 1024 * 1024


def version_text() -> str:
    """The version of this code."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fubini")
    except PackageNotFoundError:
        return "0"


def who_holds(home: Home) -> str:
    """A sentence about the lock's holder."""
    found = read_json(home.lock) or {}
    where = found.get("checkout") or "an installed copy"
    since = found.get("since", "an unknown time")
    return f"process {found.get('pid', '?')} ({found.get('what', 'fubini up')}, from {where}) holds it since {since}"


@contextlib.contextmanager
def folder_lock(home: Home, what: str) -> Iterator[None]:
    """Be alone with a state folder.

    Raises:
        SupervisorError: somebody else is; the text says who.
    """
    handle = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SupervisorError(
            f"the state folder {home.path} is in use",
            why=who_holds(home),
            try_="fubini down, or give another folder with --home DIR (or FUBINI_HOME)",
            exit_code=5,
        ) from None
    root = checkout()
    record = {
        "pid": os.getpid(),
        "start_ticks": start_ticks(os.getpid()),
        "what": what,
        "checkout": str(root) if root else None,
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(record).encode(), 0)
    try:
        yield
    finally:
        os.close(handle)


def folder_open(home: Home) -> None:
    """Make the folder or check that it is one of ours, with right modes, room and a format this code knows.

    Raises:
        SupervisorError: it is somebody else's, too full, or of a newer format.
    """
    path = home.path
    try:
        home.make()
    except OSError as error:
        raise SupervisorError(
            f"cannot make the state folder {path}",
            why=error.strerror or str(error),
            try_="give a folder you may write with --home DIR",
        ) from error
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise SupervisorError(
            f"the state folder {path} belongs to another user (uid {owner})",
            why="secrets and databases in it are readable by their owner only",
            try_="run as that user, or give a folder of your own with --home DIR",
        )
    free = shutil.disk_usage(path).free
    if free < DISK_FLOOR_BYTES:
        raise SupervisorError(
            f"the disk of {path} is full ({free // 1024**2} MiB free)",
            why=f"the database needs at least {DISK_FLOOR_BYTES // 1024**2} MiB to work safely",
            try_="free some room, or move the folder and give it with --home DIR",
        )
    stamp = read_json(home.version_file)
    if stamp and int(stamp.get("format", 0)) > FORMAT:
        raise SupervisorError(
            f"the state folder {path} is newer than this code",
            why=f"it has format {stamp['format']} (Fubini {stamp.get('fubini')}); this code knows up to {FORMAT}",
            try_="use the newer checkout, or restore an older backup: fubini restore FILE --home EMPTY_DIR",
            exit_code=5,
        )


def folder_stamp(home: Home) -> None:
    """Write down which code last used the folder."""
    root = checkout()
    stamp: dict[str, Any] = {"format": FORMAT, "fubini": version_text(), "checkout": str(root) if root else None}
    if read_json(home.version_file) != stamp:
        write_private(home.version_file, json.dumps(stamp))


def log_open(path: Path) -> TextIO:
    """A child's log, for appending; O_APPEND lets it be truncated under the child without holes."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "a", encoding="utf-8")


def log_rotate(path: Path, *, max_bytes: int, keep: int) -> bool:
    """Copy a log that grew past `max_bytes` to `NAME.1` (older ones move up to `keep`) and empty it in place.

    Writers keep their open file and go on at its new end, so a child needs no signal and survives its supervisor. Lines
    written between the copy and the emptying are lost; rotation happens at most every few megabytes.
    """
    try:
        if path.stat().st_size <= max_bytes:
            return False
        for number in range(keep - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        path.with_name(f"{path.name}.1").chmod(0o600)
        os.truncate(path, 0)
    except OSError:
        return False  # a full disk: emptying is tried again at the next round
    return True
