"""Serving the stream: one tail a process reads what is new and wakes every open stream; each has its own cursor.

What is new is read and encoded once, into a window that all streams take from (`events.window`); a stream that is
behind the window reads from the database in batches. Nothing is queued per client, so a slow one costs no memory. What
a stream may see comes from a `Watch`, asked again every `recheck_s`: a revoked token or a lost membership ends the
stream within that time. Database reads run in a few threads with lasting connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connections

from fubini.common.bell import Bell
from fubini.common.errors import FubiniError, TooManyRequests
from fubini.common.saying import say
from fubini.events.selectors import EventBatch, EventFilter, events_after, events_all_after
from fubini.events.sequence import events_sequence, newest_position
from fubini.events.window import Window, frame_of, line_of

log = logging.getLogger(__name__)
T = TypeVar("T")
POLL_S = 1.0
BATCH_PAUSE_S = 0.02  # rings that come close together wake the streams once
STREAM_PAUSE_S = 0.001  # and for each open stream so much more, so that sending is never all that is done
MOST_PAUSE_S = 0.25
READ = 1000
BEAT_S = 15.0
Watch = Callable[[], EventFilter]  # raises a FubiniError once the reader may no longer read

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="events")


async def in_thread(work: Callable[[], T]) -> T:
    """Run database work off the event loop."""

    def run() -> T:
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


class Tail:
    """Reads new events in one thread (bell, else a poll) into the window and wakes the streams of this process."""

    def __init__(self) -> None:
        self.window = Window()
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever the stream has grown."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.add(entry)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="events-tail", daemon=True)
                self._thread.start()
        try:
            yield entry[1]
        finally:
            with self._lock:
                self._waiting.discard(entry)

    def _run(self) -> None:
        begun = False
        try:
            with Bell("events") as bell:
                while self._anybody():
                    if begun:
                        bell.wait(POLL_S)
                    try:
                        begun = self._look(begun)
                    except Exception:
                        log.exception("looking for events failed; trying again")
                        connections.close_all()
                        time.sleep(BATCH_PAUSE_S)
                    time.sleep(min(BATCH_PAUSE_S + STREAM_PAUSE_S * len(self._waiting), MOST_PAUSE_S))
        except BaseException:
            self.window.close()  # nobody extends it now
            raise
        finally:
            connections.close_all()

    def _anybody(self) -> bool:
        """False ends the thread, decided under the lock that `listen` starts it under."""
        with self._lock:
            if not self._waiting:
                self._thread = None
                self.window.close()
            return bool(self._waiting)

    def _look(self, begun: bool) -> bool:
        close_old_connections()
        events_sequence()
        if not begun:
            self.window.begin(newest_position())
            self._wake()  # who read before the window began may have missed what came between
            return True
        while True:
            rows = events_all_after(self.window.end, limit=READ)
            if rows:
                self.window.extend([line_of(row) for row in rows])
                self._wake()
            if len(rows) < READ:
                return True

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
        for loop, event in waiting:
            by_loop.setdefault(loop, []).append(event)
        for loop, events in by_loop.items():
            with contextlib.suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_set_all, events)


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()


TAIL = Tail()


class Seat:
    """One stream's place; `release` may be called as often as there are ways to end."""

    def __init__(self, taken: Counter[str], actor: str) -> None:
        self._taken: Counter[str] | None = taken
        self._actor = actor
        taken[actor] += 1

    def release(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            taken[self._actor] -= 1
            if not taken[self._actor]:
                del taken[self._actor]


class Seats:
    """How many streams are open, in all and a principal. Taken on the event loop's thread only."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        return self._taken.total()

    def take(self, actor: str, *, most: int, most_an_actor: int) -> Seat:
        """A seat, until it is released.

        Raises:
            TooManyRequests: all seats, or the principal's, are taken.
        """
        if self._taken.total() >= most or self._taken[actor] >= most_an_actor:
            raise TooManyRequests(
                say(
                    "{taken} of your event streams are open; {most_an_actor} may be.",
                    taken=self._taken[actor],
                    most_an_actor=most_an_actor,
                ),
                next_step="Close a stream, or follow several runs with one stream of the project.",
                retry_after_s=5,
            )
        return Seat(self._taken, actor)


SEATS = Seats()


async def frames(
    watch: Watch, after: int | None, *, recheck_s: float = 30.0, beat_s: float = BEAT_S
) -> AsyncIterator[bytes]:
    """Server-sent events for ever, from `after` on (None: from now on).

    Events are plain messages whose `id` is their number. Besides: ``cursor`` (first thing, and with each beat: where to
    resume), ``gap`` (events were deleted before they were read), ``end`` (with the reason's code; do not reconnect).
    """
    wanted = await in_thread(watch)
    cursor = after if after is not None else await in_thread(_now)
    yield b"retry: 2000\n" + frame_of("cursor", {"seq": cursor}, cursor)
    checked = beaten = time.monotonic()
    with TAIL.listen() as grown:
        while True:
            grown.clear()
            stretch = TAIL.window.read(wanted, cursor)
            if stretch is None:
                batch: EventBatch = await in_thread(lambda w=wanted, c=cursor: events_after(w, c))  # type: ignore[misc]
                if batch.gap:
                    yield frame_of("gap", {"after": cursor}, cursor)
                found, position = [line_of(event) for event in batch.events], batch.cursor
            else:
                found, position = list(stretch.lines), stretch.cursor
            if found:
                yield b"".join(line.frame for line in found)
            moved, cursor = position > cursor, position
            now = time.monotonic()
            if now - checked >= recheck_s:
                checked = now
                try:
                    wanted = await in_thread(watch)
                except FubiniError as error:
                    yield frame_of("end", {"code": error.code}, cursor)
                    return
            if now - beaten >= beat_s:
                beaten = now
                yield b": beat\n" + frame_of("cursor", {"seq": cursor}, cursor)
            if moved and found:
                continue
            rest = min(beaten + beat_s, checked + recheck_s) - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, rest)):
                    await grown.wait()


async def poll(watch: Watch, after: int | None, *, wait_s: float, limit: int) -> EventBatch:
    """One long poll: the next events, or an empty batch after `wait_s`."""
    wanted = await in_thread(watch)
    cursor = after if after is not None else await in_thread(_now)
    until = time.monotonic() + wait_s
    with TAIL.listen() as grown:
        while True:
            grown.clear()
            rest = until - time.monotonic()
            ahead = TAIL.window.read(wanted, cursor, limit=1) if rest > 0 else None
            if ahead is None or ahead.lines:
                batch: EventBatch = await in_thread(lambda c=cursor: events_after(wanted, c, limit=limit))  # type: ignore[misc]
                if batch.events or batch.gap or rest <= 0:
                    return batch
                cursor = batch.cursor
            else:
                cursor = ahead.cursor
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, rest)):
                    await grown.wait()


def _now() -> int:
    events_sequence()
    return newest_position()
