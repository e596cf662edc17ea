"""The teller: a thread of the worker that follows the stream, looks at conditions, and sends what is due.

Woken by the bells of new events' commits and of new messages; a lost ring costs at most `POLL_S`. Each part is guarded by
itself. Any number of workers may run one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

from fubini.common import bell
from fubini.notices.deliver import deliveries_send
from fubini.notices.follow import conditions_look, events_follow

log = logging.getLogger(__name__)
POLL_S = 1.0


class Teller:
    """`start()` and `stop()`; `turn()` does one round in the caller's thread."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        bell.ring("notices")

    def _run(self) -> None:
        try:
            with bell.Bell("notices") as mine:
                while not self._stopping.is_set():
                    mine.drain()
                    self.turn()
                    mine.wait(POLL_S)
        finally:
            connections.close_all()

    def turn(self) -> int:
        """Everything there is to do now; how much it was."""
        done = 0
        for part in (events_follow, conditions_look, deliveries_send):
            done += self._guarded(part)
        close_old_connections()
        return done

    @staticmethod
    def _guarded(part: Callable[[], int]) -> int:
        try:
            return part()
        except Exception:
            log.exception("telling: %s failed; going on", part.__name__)
            connections.close_all()
            return 0
