"""What steps print: one file an attempt and stream, appended by offset, capped, with its gaps on record.

Decides where logs live (`<state folder>/logs/<run>/<attempt>.<stream>.log`, and `<attempt>.<container>.<stream>.log` for the
other containers of a step that has several; names are made of our own ids and of checked container names) and
that appending is idempotent: bytes that are there already are skipped, bytes that would leave a hole are not taken and
the sender is told where to go on. Offsets of senders count every byte the step printed; offsets of readers count
the bytes kept. A gap (bytes that never come: the stream's limit) is recorded beside the file, never silently closed.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from fubini.common import clock
from fubini.common.options import option
from fubini.runs.models import Attempt
from fubini.runs.transitions import ATTEMPT_ENDED

STREAMS: Final = ("main", "stdout", "stderr")
READ_MAX_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 16 * 1024
LINES_MAX_BYTES: Final = 64 * 1024 * 1024
LATE_MS: Final = 3_000
_ID: Final = re.compile(r"[0-9a-f]{32}")
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


@dataclass(frozen=True, slots=True)
class Gap:
    """`skipped_bytes` of what the step printed are missing at `offset` of what is kept."""

    offset: int
    skipped_bytes: int


@dataclass(frozen=True, slots=True)
class LogAck:
    """Where the sender goes on; `closed`: nothing more of this stream is wanted."""

    next_offset: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some kept bytes of a stream. `eof`: the stream has ended and this part reaches its end."""

    stream: str
    offset: int
    data: bytes
    size_bytes: int
    eof: bool
    gaps: tuple[Gap, ...] = ()

    @property
    def next_offset(self) -> int:
        return self.offset + len(self.data)


@dataclass(slots=True)
class _Notes:
    """What is kept beside a log: its gaps and whether it has ended."""

    gaps: list[Gap] = field(default_factory=list)
    eof: bool = False

    @property
    def skipped(self) -> int:
        return sum(g.skipped_bytes for g in self.gaps)


def log_append(
    attempt: Attempt,
    offset: int,
    data: bytes,
    *,
    stream: str = "main",
    container: str = "",
    skipped_bytes: int = 0,
    eof: bool = False,
) -> LogAck:
    """Take bytes of an attempt's stream, from `offset` of all the step printed on.

    Args:
        container: which one of a step's several; "" is the one that stands for the step.
        skipped_bytes: that many bytes behind `data` will never be sent.
        eof: the stream ends behind them.
    """
    path = _path(attempt.run_id, attempt.pk, stream, container)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two syncs of one agent may carry chunks of one stream
        return _append(handle, path, offset, data, max(0, skipped_bytes), eof)
    finally:
        os.close(handle)


def _append(handle: int, path: Path, offset: int, data: bytes, skipped: int, eof: bool) -> LogAck:
    most = option("LOG_MAX_BYTES")
    notes = _notes_read(path)
    size = os.fstat(handle).st_size
    expected = size + notes.skipped
    if notes.eof:
        return LogAck(expected, closed=True)
    if offset > expected or offset < 0:
        return LogAck(expected)
    end = offset + len(data)
    fresh = data[expected - offset :] if end > expected else b""
    if end < expected or (end == expected and not skipped and not eof and not fresh):
        return LogAck(expected)  # all of it came before
    room = most - size
    kept = fresh[:room]
    view = memoryview(kept)
    while view:
        view = view[os.write(handle, view) :]
    size += len(kept)
    dropped = len(fresh) - len(kept) + skipped
    full = size >= most
    if dropped:
        notes.gaps.append(Gap(size, dropped))
    if dropped or eof:
        notes.eof = eof
        _notes_write(path, notes)
    return LogAck(size + notes.skipped, closed=eof or full)


def log_read(
    run_id: str,
    attempt_id: str,
    *,
    stream: str = "main",
    container: str = "",
    offset: int = 0,
    limit: int = READ_MAX_BYTES,
) -> LogPart:
    """At most `limit` kept bytes from `offset` on; none when there are none (yet)."""
    path = _path(run_id, attempt_id, stream, container)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = min(max(0, offset), size)
            file.seek(start)
            data = file.read(max(0, min(limit, READ_MAX_BYTES)))
    except FileNotFoundError:
        return LogPart(stream, 0, b"", 0, False)
    notes = _notes_read(path)
    ends = start + len(data)
    gaps = tuple(g for g in notes.gaps if start <= g.offset <= ends)
    return LogPart(stream, start, data, size, notes.eof and ends >= size, gaps)


def log_lines_from(run_id: str, attempt_id: str, lines: int, *, stream: str = "main", container: str = "") -> int:
    """The offset at which the last `lines` lines begin, counted as `tail` does: what follows the last line end is a line.

    Read from the end, at most `LINES_MAX_BYTES`: of longer lines only that much is there.
    """
    size = log_read(run_id, attempt_id, stream=stream, container=container, limit=0).size_bytes
    at, left = size, lines
    while at > max(0, size - LINES_MAX_BYTES):
        start = max(0, at - READ_MAX_BYTES)
        block = log_read(run_id, attempt_id, stream=stream, container=container, offset=start, limit=at - start).data
        end = len(block) - 1 if at == size and block.endswith(b"\n") else len(block)
        while (end := block.rfind(b"\n", 0, end)) >= 0:
            left -= 1
            if left == 0:
                return start + end + 1
        at = start
    return at


def log_streams(run_id: str, attempt_id: str, container: str = "") -> list[str]:
    """The streams an attempt, or one of its containers, has written to."""
    return [s for s in STREAMS if _path(run_id, attempt_id, s, container).is_file()]


def container_is_plain(container: str) -> bool:
    """Whether a container's name can name a log."""
    return not container or _CONTAINER.fullmatch(container) is not None


def log_is_late(attempt: Attempt) -> bool:
    """Has the attempt been over for so long that no more of its log is waited for?

    An attempt may end before its last lines have come. Its agent says of each stream when it was the last; this is for
    streams that were never written to and for agents that cannot say it any more.
    """
    return attempt.state in ATTEMPT_ENDED and clock.now_ms() - (attempt.ended_at_ms or 0) > LATE_MS


def log_tail(run_id: str, attempt_id: str, *, lines: int = 20) -> list[str]:
    """The last lines an attempt printed, for an error's page: of both streams, errors last.

    Bytes that are not UTF-8 are shown as replacement characters; a line is cut at 500 characters.
    """
    found: list[str] = []
    for stream in ("main", "stdout", "stderr"):
        size = log_read(run_id, attempt_id, stream=stream, limit=0).size_bytes
        part = log_read(run_id, attempt_id, stream=stream, offset=max(0, size - TAIL_BYTES), limit=TAIL_BYTES)
        text = part.data.decode("utf-8", "replace").replace("\x00", "\ufffd")
        found += [line.rstrip("\r")[:500] for line in text.split("\n")[-lines - 1 :] if line.strip()]
    return found[-lines:]


def text_cut(data: bytes, *, whole: bool) -> bytes:
    """`data` without a character that is only begun at its end, unless that is all there will be (`whole`)."""
    if whole:
        return data
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead < 0x80:
            break
        if lead >= 0xC0:
            needs = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return data if back >= needs else data[:-back]
    return data


def logs_delete(run_ids: Iterable[str]) -> int:
    """Remove the logs of runs; how many runs had any."""
    gone = 0
    for run_id in run_ids:
        folder = _folder(run_id)
        if folder.is_dir():
            shutil.rmtree(folder)
            gone += 1
    return gone


def attempt_logs_delete(run_id: str, attempt_ids: Iterable[str]) -> int:
    """Remove what some attempts of a run printed; how many had printed anything."""
    folder, gone = _folder(run_id), 0
    for attempt_id in attempt_ids:
        found = list(folder.glob(f"{attempt_id}.*")) if _ID.fullmatch(attempt_id) else []
        for path in found:
            path.unlink(missing_ok=True)
        gone += bool(found)
    return gone


def logs_expire(*, keep_days: int) -> int:
    """Remove logs nothing was written to for `keep_days`; how many runs."""
    root = Path(settings.FUBINI_HOME) / "logs"
    before = time.time() - keep_days * 86_400
    gone = 0
    for folder in root.iterdir() if root.is_dir() else ():
        times = [p.stat().st_mtime for p in folder.iterdir()] if folder.is_dir() else []
        if max([folder.stat().st_mtime, *times]) < before:
            shutil.rmtree(folder)
            gone += 1
    return gone


def _folder(run_id: str) -> Path:
    if not _ID.fullmatch(run_id):
        raise ValueError("a run's id is 32 hex characters")
    return Path(settings.FUBINI_HOME) / "logs" / run_id


def _path(run_id: str, attempt_id: str, stream: str, container: str = "") -> Path:
    if not _ID.fullmatch(attempt_id) or stream not in STREAMS or not container_is_plain(container):
        raise ValueError("a log is named by an attempt's id, a known stream and a container's name")
    return _folder(run_id) / ".".join([attempt_id, *([container] if container else ()), stream, "log"])


def _notes_read(path: Path) -> _Notes:
    try:
        found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    except (FileNotFoundError, ValueError):
        return _Notes()
    return _Notes([Gap(*pair) for pair in found.get("gaps", [])], bool(found.get("eof")))


def _notes_write(path: Path, notes: _Notes) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"gaps": [[g.offset, g.skipped_bytes] for g in notes.gaps], "eof": notes.eof}))
    part.replace(path.with_suffix(".json"))
