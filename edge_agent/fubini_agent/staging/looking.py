"""Look into a step's working directory for somebody: list a directory, read a piece of a file. Changes nothing.

A step's files are hostile, and may change while they are looked at. Names are walked by descriptors and links resolved in
the step's own root (`Layout.open`), only regular files are read, sizes and numbers are bounded before anything is read, and
the values of the step's secrets are hidden byte for byte. Folders of the site (`Volume.shared`) are nobody's to show; files
of secrets and inputs lie elsewhere, so only their names appear. Where a step has no root of its own, what it wrote below the
directory made for it is shown and nothing else of the host.
"""

from __future__ import annotations

import base64
import itertools
import os
import stat
from collections.abc import Iterable
from dataclasses import replace
from typing import Optional

from fubini_agent.masking import Masker
from fubini_agent.staging import names
from fubini_agent.staging.layout import Found, Layout, is_whiteout
from fubini_protocol.v1.messages import FileKind, FilesAnswer, FilesAsk, FileSeen, LookProblem

READ_MAX_BYTES = 256 * 1024
ENTRIES_MAX = 1000
#: A directory is sorted over this many names at most; of a larger one the rest is not looked at.
SCAN_MAX = 20_000


def look(
    layout: Layout, ask: FilesAsk, *, live: bool, masker: Optional[Masker] = None, hidden: Iterable[str] = ()
) -> FilesAnswer:
    """What is at `ask.path`. Blocks on the disk: run it in a thread.

    Args:
        live: the command may still write, so a file's end may be the beginning of a secret.
        hidden: paths inside whose volume is not to be shown.
    """
    view = _view(layout, set(hidden), live)
    try:
        full = _inside(view, ask.path)
    except names.BadName as exc:
        return _problem(ask, LookProblem.REFUSED, str(exc))
    try:
        found = _open(view, full)
    except FileNotFoundError:
        seen = _passages(view, full)
        if not seen and full != _inside(view, ""):
            return _problem(ask, LookProblem.MISSING, f"nothing is at {names.shown(full)}")
        return _answer(ask, full, live, kind=FileKind.DIRECTORY, entries=tuple(_masked(seen, masker)))
    except names.BadName as exc:
        return _problem(ask, LookProblem.REFUSED, str(exc))
    except OSError as exc:
        return _problem(ask, LookProblem.REFUSED, f"{names.shown(full)} cannot be opened: {exc.strerror}")
    try:
        if found.is_dir:
            return _directory(view, ask, found, live, masker)
        if not stat.S_ISREG(found.info.st_mode):
            return _problem(ask, LookProblem.REFUSED, f"{names.shown(full)} is a device, pipe or socket")
        return _file(ask, found, live, masker)
    except OSError as exc:
        return _problem(ask, LookProblem.REFUSED, f"{names.shown(full)} cannot be read: {exc.strerror}")
    finally:
        found.close()


def _view(layout: Layout, hidden: set[str], live: bool) -> Layout:
    """The layout as one may look at it. Without a private root its paths are the host's: the own directory stands for all."""
    if not layout.private:
        return Layout(layout.top, private=True, cwd="/", mends=not live)
    shares = [share for share in layout.shares if not any(names.is_below(share.inside, path) for path in hidden)]
    return replace(layout, shares=shares, mends=not live)


def _inside(view: Layout, path: str) -> str:
    path = path if path.strip() else view.cwd  # a name may begin or end with a space
    if not path.strip("/."):
        return "/" if path.startswith("/") else view.inside(view.cwd) if view.cwd.strip("/") else "/"
    return view.inside(path)


def _open(view: Layout, full: str) -> Found:
    if full != "/":
        return view.open(full)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(view.upper, flags)
    return Found(descriptor, os.fstat(descriptor), "/")


def _directory(view: Layout, ask: FilesAsk, found: Found, live: bool, masker: Optional[Masker]) -> FilesAnswer:
    inputs = {inside for _host, inside in view.binds}
    base = found.inside.rstrip("/")
    seen: dict[str, FileSeen] = {}
    with os.scandir(found.descriptor) as scan:
        listed = [entry.name for entry in itertools.islice(scan, SCAN_MAX + 1)]
    for name in sorted(listed[:SCAN_MAX]):
        try:
            name.encode("utf-8")
            info = os.stat(name, dir_fd=found.descriptor, follow_symlinks=False)
        except (UnicodeEncodeError, OSError):
            continue  # not a name that can be asked for, or gone meanwhile
        if not is_whiteout(info):
            kind = FileKind.INPUT if f"{base}/{name}" in inputs else _kind(info)
            size = info.st_size if kind is FileKind.FILE else 0
            seen[name] = FileSeen(name=name, kind=kind, size=size, modified_ms=int(info.st_mtime * 1000))
    for passage in _passages(view, found.inside):
        seen.setdefault(passage.name, passage)
    rows = [seen[name] for name in sorted(seen)]
    return _answer(
        ask,
        found.inside,
        live,
        kind=FileKind.DIRECTORY,
        entries=tuple(_masked(rows[:ENTRIES_MAX], masker)),
        truncated=len(rows) > ENTRIES_MAX or len(listed) > SCAN_MAX,
        modified_ms=int(found.info.st_mtime * 1000),
    )


def _passages(view: Layout, full: str) -> list[FileSeen]:
    """Directories on the way to what lies elsewhere: overlays over the host's directories, and volumes."""
    inner = [overlay.inside for overlay in view.overlays] + [share.inside for share in view.shares]
    base = full.rstrip("/") + "/"
    found = {path[len(base) :].partition("/")[0] for path in inner if path.startswith(base)}
    return [FileSeen(name=name, kind=FileKind.DIRECTORY) for name in sorted(found)]


def _file(ask: FilesAsk, found: Found, live: bool, masker: Optional[Masker]) -> FilesAnswer:
    size = found.info.st_size
    offset = max(0, size + ask.offset) if ask.offset < 0 else min(ask.offset, size)
    end = min(size, offset + max(0, min(ask.limit, READ_MAX_BYTES)))
    margin = masker.longest if masker is not None else 0
    first = max(0, offset - margin)
    window = os.pread(found.descriptor, end + margin - first, first)
    end = min(end, first + len(window))
    if masker is not None:
        held = masker.held(window) if end == first + len(window) else 0
        window = masker.mask(window)
        if live:
            end = max(offset, end - held)  # shown once it is known what follows
        elif held:
            window = window[: len(window) - held] + b"*" * held
    content = base64.b64encode(window[offset - first : end - first]).decode("ascii")
    return _answer(
        ask,
        found.inside,
        live,
        kind=FileKind.FILE,
        size=size,
        offset=offset,
        content=content,
        modified_ms=int(found.info.st_mtime * 1000),
    )


def _kind(info: os.stat_result) -> FileKind:
    if stat.S_ISREG(info.st_mode):
        return FileKind.FILE
    if stat.S_ISDIR(info.st_mode):
        return FileKind.DIRECTORY
    return FileKind.LINK if stat.S_ISLNK(info.st_mode) else FileKind.OTHER


def _masked(rows: Iterable[FileSeen], masker: Optional[Masker]) -> list[FileSeen]:
    if masker is None:
        return list(rows)
    return [row.model_copy(update={"name": masker.text(row.name)}) for row in rows]


def _answer(ask: FilesAsk, full: str, live: bool, **more: object) -> FilesAnswer:
    values = {"ask_id": ask.ask_id, "attempt_id": ask.attempt_id, "path": full, "live": live, **more}
    return FilesAnswer(**values)  # type: ignore[arg-type]


def _problem(ask: FilesAsk, problem: LookProblem, text: str) -> FilesAnswer:
    return FilesAnswer(ask_id=ask.ask_id, attempt_id=ask.attempt_id, problem=problem, text=text[:400])
