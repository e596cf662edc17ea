"""The newest events of the stream in memory, ready to send: read and encoded once a process, whoever listens.

Holds an unbroken stretch of the stream, `start` (exclusive) to `end`, all projects together; what a reader sees of it is
decided by its filter at each read. A reader before `start` reads from the database until it has caught up. One thread
extends it, any thread reads it. Bounded by a number of events and of bytes; the oldest go first.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from fubini.events.models import Event
from fubini.events.selectors import EventFilter, event_document, position_of

MAX_EVENTS = 4_000
MAX_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is sent, and what filters ask of it."""

    position: int
    project_id: str | None
    run_id: str | None
    topic: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a reader gets: lines in order, and where to read on (past what its filter hides)."""

    lines: tuple[Line, ...]
    cursor: int


def frame_of(name: str, data: object, at: int) -> bytes:
    """A server-sent event; a plain message where `name` is empty."""
    head = f"event: {name}\n" if name else ""
    return f"id: {at}\n{head}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def line_of(event: Event) -> Line:
    at = position_of(event)
    return Line(at, event.project_id, event.run_id, event.topic, frame_of("", event_document(event), at))


def passes(wanted: EventFilter, line: Line) -> bool:
    """As `selectors.events_after` filters."""
    return (
        (wanted.project_ids is None or line.project_id in wanted.project_ids)
        and (wanted.run_id is None or line.run_id == wanted.run_id)
        and (not wanted.topics or line.topic in wanted.topics)
    )


class Window:
    """See the module's header. Closed until `begin`."""

    def __init__(self, *, most: int = MAX_EVENTS, most_bytes: int = MAX_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._open = False
        self._start = self._end = self._bytes = 0
        self._lines: list[Line] = []
        self._positions: list[int] = []

    @property
    def end(self) -> int:
        return self._end

    def begin(self, at: int) -> None:
        """Start anew, empty, at a position that readers may have come to."""
        with self._lock:
            self._open = True
            self._start = self._end = at
            self._bytes = 0
            self._lines, self._positions = [], []

    def close(self) -> None:
        """Nobody extends it any more, so nobody may read it."""
        with self._lock:
            self._open = False
            self._lines, self._positions = [], []

    def extend(self, lines: Sequence[Line]) -> None:
        """Append the events that follow the last one."""
        if not lines:
            return
        with self._lock:
            assert lines[0].position > self._end, "the window's events come in order"
            self._lines.extend(lines)
            self._positions.extend(line.position for line in lines)
            self._end = lines[-1].position
            self._bytes += sum(len(line.frame) for line in lines)
            over = max(0, len(self._lines) - self._most)
            self._bytes -= sum(len(line.frame) for line in self._lines[:over])
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._lines[over].frame)
                over += 1
            if over:
                self._start = self._positions[over - 1]
                del self._lines[:over], self._positions[:over]

    def read(self, wanted: EventFilter, after: int, *, limit: int = 500) -> Stretch | None:
        """The next events after a position; None where the window does not reach back to it."""
        with self._lock:
            if not self._open or after < self._start:
                return None
            lines = self._lines[bisect_right(self._positions, after) :]
            end = max(self._end, after)
        found: list[Line] = []
        for line in lines:
            if passes(wanted, line):
                found.append(line)
                if len(found) == limit:
                    return Stretch(tuple(found), line.position)
        return Stretch(tuple(found), end)
