"""Manifests of files: what an artifact or a dataset version consists of, checked before anything stands on it.

Pure. An entry's `path` is relative with '/' between names; a single file has exactly one entry, with path "". Names are
kept byte for byte: two names that differ only in case or in Unicode normal form are two files, and a listing gives
back what was put in. What could leave its folder, or could not be a file beside another entry, is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fubini.common.saying import say
from fubini.datasets.errors import EntriesInvalid
from fubini.datasets.limits import NAME_MAX_BYTES, PATH_MAX_BYTES
from fubini.datasets.store import is_digest

SHOWN_ERRORS: Final = 50
SIZE_MAX: Final = 2**53 - 1  # exact in every JSON reader


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One regular file. `mode` has permission bits only."""

    path: str
    size: int
    sha256: str
    mode: int = 0o644

    def to_json(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size, "mode": self.mode, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Manifest:
    """Checked entries, sorted by path."""

    entries: tuple[Entry, ...]

    @property
    def size_bytes(self) -> int:
        return sum(e.size for e in self.entries)

    @property
    def is_directory(self) -> bool:
        return not (len(self.entries) == 1 and self.entries[0].path == "")

    @property
    def sizes(self) -> dict[str, int]:
        """Digest -> bytes, each digest once."""
        return {e.sha256: e.size for e in self.entries}

    def digest(self) -> str:
        """The sha256 of the list in one fixed spelling; equal lists have equal digests."""
        rows = [[e.path, e.size, e.mode, e.sha256] for e in self.entries]
        text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_json(self) -> list[dict[str, Any]]:
        return [e.to_json() for e in self.entries]

    def below(self, sub_path: str) -> Manifest:
        """What lies at `sub_path`: one file (then with path "") or a folder's files; empty when there is nothing."""
        wanted = sub_path.strip("/")
        if wanted in ("", "."):
            return self
        for entry in self.entries:
            if entry.path == wanted:
                return Manifest((Entry("", entry.size, entry.sha256, entry.mode),))
        head = wanted + "/"
        return Manifest(
            tuple(Entry(e.path[len(head) :], e.size, e.sha256, e.mode) for e in self.entries if e.path.startswith(head))
        )


def manifest_of(rows: Iterable[Mapping[str, Any]]) -> Manifest:
    """Entries as stored, back as a manifest; not checked again."""
    return Manifest(tuple(Entry(r["path"], r["size"], r["sha256"], r["mode"]) for r in rows))


def manifest_check(rows: Sequence[Any], *, max_entries: int, max_bytes: int, may_be_empty: bool = True) -> Manifest:
    """Check raw entries ({path, size, sha256, mode?}) and sort them.

    Raises:
        EntriesInvalid: with every wrong entry (at most 50) as an item of `errors`: path, detail.
    """
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Sequence):
        raise EntriesInvalid("The entries are not a list.", next_step="Send a list of {path, size, mode, sha256}.")
    if len(rows) > max_entries:
        raise EntriesInvalid(
            say("{rows_count} files came; {max_entries} are allowed.", rows_count=len(rows), max_entries=max_entries),
            next_step="Pack the files into fewer, for example as one tar.",
        )
    if not rows and not may_be_empty:
        raise EntriesInvalid("There are no files in it.", next_step="Import a file or a folder with at least one file.")
    problems: list[dict[str, Any]] = []
    entries: list[Entry] = []
    for number, row in enumerate(rows):
        found = _entry(row)
        if isinstance(found, str):
            shown = str(row.get("path", ""))[:200] if isinstance(row, Mapping) else ""
            problems.append({"path": ascii(shown)[1:-1] or f"[{number}]", "detail": found})
        else:
            entries.append(found)
    entries.sort(key=lambda e: e.path)
    problems += _clashes(entries)
    if not problems and sum(e.size for e in entries) > max_bytes:
        problems.append({"path": "", "detail": f"together they have more than {max_bytes} bytes"})
    if problems:
        raise EntriesInvalid(
            say(
                "{problems_count} of {rows_count} files cannot be kept; the first: {path!r} {detail}",
                problems_count=len(problems),
                rows_count=len(rows),
                path=problems[0]["path"],
                detail=problems[0]["detail"],
            ),
            errors=problems[:SHOWN_ERRORS],
            next_step="Rename or leave out the named files.",
        )
    return Manifest(tuple(entries))


def path_problem(path: object) -> str:
    """Why `path` cannot be a file's path inside a manifest; "" when it can."""
    if not isinstance(path, str):
        return "its path is not text"
    try:
        raw = path.encode("utf-8")
    except UnicodeEncodeError:
        return "its name is not valid UTF-8"
    if len(raw) > PATH_MAX_BYTES:
        return f"its path has {len(raw)} bytes, {PATH_MAX_BYTES} are allowed"
    if "\x00" in path:
        return "its name has a NUL character"
    if path.startswith("/"):
        return "its path is absolute; paths are relative to the artifact"
    for name in path.split("/"):
        if name in ("", ".", ".."):
            return f"its path has the part {name!r}; a path names each folder once, without '.' and '..'"
        if len(name.encode()) > NAME_MAX_BYTES:
            return f"a name in its path has more than {NAME_MAX_BYTES} bytes"
    return ""


def _entry(row: Any) -> Entry | str:
    if not isinstance(row, Mapping):
        return "is not an object with path, size and sha256"
    path, size, sha256, mode = row.get("path", ""), row.get("size"), row.get("sha256"), row.get("mode", 0o644)
    if path != "" and (problem := path_problem(path)):
        return problem
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= SIZE_MAX:
        return f"its size {str(size)[:40]} is not a count of bytes"
    if not isinstance(sha256, str) or not is_digest(sha256):
        return "its sha256 is not 64 lower-case hex characters"
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= 0o777777:
        return f"its mode {str(mode)[:40]} is not a file mode"
    return Entry(path, size, sha256, mode & 0o777)


def _clashes(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Names that cannot stand beside each other: one twice, a file that is also a folder, a file without a name."""
    problems: list[dict[str, Any]] = []
    paths = {e.path for e in entries}
    last: str | None = None
    sizes: dict[str, int] = {}

    def wrong(entry: Entry, detail: str) -> None:
        problems.append({"path": ascii(entry.path[:200])[1:-1], "detail": detail})

    for entry in entries:
        if entry.path == last:
            wrong(entry, "is listed twice")
        last = entry.path
        if entry.path == "" and len(entries) > 1:
            wrong(entry, "has no path though there are other files")
        if sizes.setdefault(entry.sha256, entry.size) != entry.size:
            wrong(entry, "has the sha256 of another entry, but another size")
        at = entry.path.find("/")
        while at != -1:
            if entry.path[:at] in paths:
                wrong(entry, f"lies in {entry.path[:at]!a}, which is a file")
                break
            at = entry.path.find("/", at + 1)
    return problems
