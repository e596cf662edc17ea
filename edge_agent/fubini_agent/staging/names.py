"""Which names may become paths. Pure text; nothing here touches a disk.

An *entry path* is relative, inside an artifact, with ``/`` between components. An *inside path* is absolute in a step's
own root. Neither may climb, hide a NUL or be longer than a file system takes; everything else (spaces, quotes, unicode,
twins that differ in case or normal form) is a legal name on Linux and is kept byte for byte.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

COMPONENT_MAX_BYTES = 255
PATH_MAX_BYTES = 4000
DEPTH_MAX = 128
ENTRIES_MAX = 100_000


class BadName(ValueError):
    """The text says what was found and what is allowed; the name in it is escaped and shortened."""


def shown(name: str) -> str:
    """A name for an error message: printable ASCII, short, with nothing a terminal or a page would interpret."""
    text = ascii(name)
    return text if len(text) <= 120 else text[:100] + f"...' ({len(name)} characters)"


def _check_text(name: str, what: str) -> bytes:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError:
        raise BadName(f"{what} {shown(name)} is not valid UTF-8: rename the file") from None
    if "\0" in name:
        raise BadName(f"{what} {shown(name)} holds a NUL byte")
    if len(raw) > PATH_MAX_BYTES:
        raise BadName(f"{what} {shown(name)} has {len(raw)} bytes, at most {PATH_MAX_BYTES} are allowed")
    return raw


def _check_component(part: str, name: str, what: str) -> None:
    if part == "..":
        raise BadName(f"{what} {shown(name)} climbs with '..': only paths below are allowed")
    if len(part.encode("utf-8")) > COMPONENT_MAX_BYTES:
        raise BadName(f"{what} {shown(name)} has a part of more than {COMPONENT_MAX_BYTES} bytes")


def entry_path_check(path: str) -> str:
    """The path itself when an artifact may contain it.

    Raises:
        BadName: absolute, climbing, with an empty or ``.`` component, a NUL, too long or too deep.
    """
    what = "artifact entry"
    _check_text(path, what)
    if not path:
        raise BadName(f"{what} '' is empty: a file in a directory needs a name")
    if path.startswith("/"):
        raise BadName(f"{what} {shown(path)} is absolute: only relative paths are allowed")
    parts = path.split("/")
    if len(parts) > DEPTH_MAX:
        raise BadName(f"{what} {shown(path)} is {len(parts)} levels deep, at most {DEPTH_MAX} are allowed")
    for part in parts:
        if part in ("", "."):
            raise BadName(f"{what} {shown(path)} has an empty or '.' part: write the path in its plain form")
        _check_component(part, path, what)
    return path


def entry_paths_check(paths: Iterable[str]) -> list[str]:
    """All paths of one directory artifact: each valid, none twice, none both a file and a directory.

    Raises:
        BadName: on the first that is not.
    """
    seen: set[str] = set()
    folders: set[str] = set()
    result: list[str] = []
    for path in paths:
        if len(result) >= ENTRIES_MAX:
            raise BadName(f"an artifact has more than {ENTRIES_MAX} entries: pack it into one file")
        entry_path_check(path)
        if path in seen:
            raise BadName(f"artifact entry {shown(path)} appears twice")
        if path in folders:
            raise BadName(f"artifact entry {shown(path)} is both a file and a directory")
        at = path.find("/")
        while at >= 0:
            folder = path[:at]
            if folder in seen:
                raise BadName(f"artifact entry {shown(folder)} is both a file and a directory")
            folders.add(folder)
            at = path.find("/", at + 1)
        seen.add(path)
        result.append(path)
    return result


def inside_path(path: str, cwd: str = "/") -> str:
    """A path as a step means it -> absolute and normal; relative ones start at `cwd`.

    Raises:
        BadName: empty, the root itself, climbing, with a NUL, too long.
    """
    what = "path"
    _check_text(path, what)
    if not path.strip():
        raise BadName("an artifact or parameter has an empty path: give a file or directory")
    joined = path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}"
    parts = [part for part in joined.split("/") if part not in ("", ".")]
    for part in parts:
        _check_component(part, path, what)
    if not parts:
        raise BadName(f"path {shown(path)} is the root itself: give a file or directory below it")
    if len(parts) > DEPTH_MAX:
        raise BadName(f"path {shown(path)} is {len(parts)} levels deep, at most {DEPTH_MAX} are allowed")
    return "/" + "/".join(parts)


def is_below(path: str, folder: str) -> bool:
    """Whether an absolute, normal path is `folder` or inside it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def ancestors(path: str) -> list[str]:
    """All directories above an absolute path, nearest first, without the root."""
    found: list[str] = []
    while True:
        path = posixpath.dirname(path)
        if path == "/":
            return found
        found.append(path)
