"""The worker's second job: what the platform itself does for runs on the network, in a few threads of the worker process.

Rows say what is to be done; a bell says "look now", and may be lost. Taking a row is a compare-and-set with a hold that is
renewed while the thread lives, so any number of workers may run, and a killed one's work is taken up again.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from django.db import close_old_connections, connection, transaction

from fubini.common import bell, clock
from fubini.common.errors import FubiniError
from fubini.datasets.fetches import TAKES_MAX, fetch_failed, fetch_take, fetch_verified, fetches_hold, holder_new
from fubini.datasets.models import Fetch
from fubini.dispatch.fetching import Fetched, fetch_perform, scratch_sweep
from fubini.dispatch.inhouse import inhouse_perform
from fubini.remote.guard import RemoteError
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.inhouse import TAKES_MAX as INHOUSE_TAKES_MAX
from fubini.runs.inhouse import inhouse_end, inhouse_hold, inhouse_take
from fubini.runs.models import Task
from fubini.runs.remote import remote_release

log = logging.getLogger(__name__)
AT_ONCE: Final = 8
POLL_S: Final = 2.0


class Performer:
    """Use `start` and `stop`, or `turn` for one pass in the caller's thread (tests)."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.holder = holder_new()
        self.at_once = at_once
        self._working: dict[str, type] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        scratch_sweep()
        self._thread = threading.Thread(target=self._run, name="performer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        bell.ring("remote")

    def _run(self) -> None:
        with bell.Bell("remote") as mine:
            while not self._stopping.is_set():
                try:
                    mine.drain()
                    self._renew()
                    while len(self._working) < self.at_once and (work := self._take()) is not None:
                        # Daemons: a worker that is told to stop does not wait for a far side that hangs.
                        threading.Thread(target=self._work, args=(work,), name="performer-work", daemon=True).start()
                except Exception:
                    log.exception("the performer could not look for work; going on")
                close_old_connections()
                mine.wait(POLL_S)

    def turn(self) -> int:
        """Do all there is to do now, in this thread; how many pieces of work."""
        done = 0
        while (work := self._take()) is not None:
            self._perform(work)
            done += 1
        return done

    def _take(self) -> Fetch | Task | None:
        """What waits; requests first, for they are short."""
        at_ms = clock.now_ms()
        work = inhouse_take(holder=self.holder, at_ms=at_ms) or fetch_take(holder=self.holder, at_ms=at_ms)
        if work is not None:
            with self._lock:
                self._working[work.pk] = type(work)
        return work

    def _renew(self) -> None:
        with self._lock:
            working = dict(self._working)
        at_ms = clock.now_ms()
        if working:
            fetches_hold(holder=self.holder, ids=[pk for pk, kind in working.items() if kind is Fetch], at_ms=at_ms)
            inhouse_hold(holder=self.holder, ids=[pk for pk, kind in working.items() if kind is Task], at_ms=at_ms)

    def _work(self, work: Fetch | Task) -> None:
        try:
            self._perform(work)
        except Exception:
            log.exception("%s could not be recorded; it is taken up again", work.pk)
        finally:
            connection.close()
            bell.ring("remote")

    def _perform(self, work: Fetch | Task) -> None:
        try:
            if isinstance(work, Task):
                outcome = _performed(work)
                inhouse_end(task=work, holder=self.holder, outcome=outcome, at_ms=clock.now_ms())
                return
            _fetched(work)
        finally:
            with self._lock:
                self._working.pop(work.pk, None)


def _performed(task: Task) -> LeafOutcome:
    if task.fence > INHOUSE_TAKES_MAX:
        text = f"{INHOUSE_TAKES_MAX} workers of the platform ended while they performed it"
        return LeafOutcome(kind=OutcomeKind.PLATFORM, error=text)
    try:
        return inhouse_perform(task)
    except Exception as error:  # one poisoned step must not stop the others
        log.exception("task %s failed", task.pk)
        text = f"the platform could not perform it ({type(error).__name__})"
        return LeafOutcome(kind=OutcomeKind.PLATFORM, error=text)


def _fetched(fetch: Fetch) -> None:
    """Fetch, and record what came together with whom it releases: a worker killed between the two would leave tasks that
    wait for nothing for ever."""
    fetched: Fetched | None = None
    failure: dict[str, Any] = {}
    try:
        if fetch.tries > TAKES_MAX:
            raise RemoteError(f"{TAKES_MAX} workers of the platform ended while they fetched it")
        fetched = fetch_perform(fetch)
    except Exception as error:
        failure = _failure(fetch, error)
    if fetched is not None:
        try:
            with transaction.atomic():
                fetch_verified(
                    fetch=fetch, entries=fetched.entries, provenance=fetched.provenance, at_ms=clock.now_ms()
                )
                remote_release(fetch.run_id, at_ms=clock.now_ms())
            return
        except FubiniError as error:  # what came cannot be kept
            failure = _failure(fetch, error)
    with transaction.atomic():
        if fetch_failed(fetch=fetch, at_ms=clock.now_ms(), **failure):
            remote_release(fetch.run_id, at_ms=clock.now_ms())


def _failure(fetch: Fetch, error: Exception) -> dict[str, Any]:
    if isinstance(error, RemoteError):
        return {"error": error.message, "again": error.again}
    if isinstance(error, FubiniError):
        return {"error": error.detail, "again": error.http_status >= 500}
    log.error("fetch %s failed", fetch.pk, exc_info=error)  # one poisoned source must not stop the others
    return {"error": f"the platform could not fetch it ({type(error).__name__})", "again": True}
