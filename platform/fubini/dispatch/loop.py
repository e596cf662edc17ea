"""The dispatch process: hear, plan, grant, again.

Woken by a bell; a lost ring costs at most `POLL_S`. Each part is guarded by itself: a failing part is logged with its
ids and the others go on.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections

from fubini.common import bell, clock
from fubini.common.collector import collector_for_large_state
from fubini.crons.services import crons_pass
from fubini.dispatch.draining import drains_step
from fubini.dispatch.expiry import holds_extend, leases_expire
from fubini.dispatch.grants import Granted, WhyMemory, placements_apply, reasons_write, unreadable_refuse
from fubini.dispatch.leader import Leadership
from fubini.dispatch.predictions import Predictions
from fubini.dispatch.pump import engines_pump
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.dispatch.usage import usage_decay
from fubini.runs.children import children_step
from fubini.runs.locks import locks_tend
from fubini_scheduler.cycle import plan

log = logging.getLogger(__name__)
POLL_S = 1.0
STANDBY_S = 1.0
PREFETCH_PACE_S = 0.08
SLOW_EVERY_S = 1.0
PUMP_PASSES = 4  # before planning, so that a flood of results does not keep ready steps from starting


class Loop:
    """The loop's own memory between cycles; all of it can be lost."""

    def __init__(self) -> None:
        self.leadership = Leadership()
        self.cache = RequestCache()
        self.memory = WhyMemory({})
        self.predictions = Predictions()
        self.stopping = False
        self.prefetching = False
        self._slow_at = 0.0
        self._lock_after = ""

    def cycle(self) -> bool:
        """One turn; True if there may be more to do at once."""
        started = time.monotonic()
        fed = 0
        for _ in range(PUMP_PASSES):
            got = self._guarded("pump", engines_pump, 0)
            fed += got
            if not got:
                break
        if started - self._slow_at >= SLOW_EVERY_S:
            self._slow_at = started
            self._guarded("expiry", lambda: leases_expire(at_ms=clock.now_ms()), 0)
            self._guarded("extension", lambda: holds_extend(at_ms=clock.now_ms()), 0)
            self._guarded("drains", lambda: drains_step(at_ms=clock.now_ms()), 0)
            fed += self._guarded("crons", lambda: crons_pass(at_ms=clock.now_ms()), 0)
            self._lock_after = self._guarded(
                "locks", lambda: locks_tend(at_ms=clock.now_ms(), after=self._lock_after), ""
            )
            fed += self._guarded("children", children_step, 0)
            self._guarded("predictions", lambda: self.predictions.score(at_ms=clock.now_ms()), 0)
            self._guarded("usage", lambda: usage_decay(at_ms=clock.now_ms()), 0)
        pumped = time.monotonic()
        granted, figures = self._guarded("plan", self._plan, (Granted(), {}))
        figures |= {
            "fed": fed,
            "leased": granted.leased,
            "stale": granted.stale,
            "parked": granted.parked,
            "pump_ms": int((pumped - started) * 1000),
            "plan_ms": int((time.monotonic() - pumped) * 1000),
        }
        self._guarded("note", lambda: self.leadership.cycle_done(figures), None)
        return bool(fed or granted.leased)

    def _plan(self) -> tuple[Granted, dict[str, Any]]:
        world = world_of(self.cache)
        self.prefetching = world.prefetching
        unreadable_refuse(self.cache.unreadable, at_ms=clock.now_ms())
        if not world.snapshot.tasks:
            self.memory.written.clear()
            return Granted(), {"queued": 0}
        result = plan(world.snapshot, world.policy, world.now_ms)
        granted = placements_apply(world, result.placements, at_ms=clock.now_ms())
        reasons_write(self.memory, result.unplaced, at_ms=clock.now_ms())
        self._guarded(
            "predict", lambda: self.predictions.make(world.snapshot, world.policy, result.unplaced, world.now_ms), None
        )
        return granted, {"queued": len(world.snapshot.tasks), "running": len(world.snapshot.allocations)}

    def _guarded(self, part: str, work: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return work()
        except Exception:
            log.exception("dispatch: %s failed; going on", part)
            time.sleep(0.05)
            return otherwise

    def run(self) -> None:
        """Until told to stop (SIGTERM, SIGINT)."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        collector_for_large_state()
        with bell.Bell("dispatch") as mine:
            while not self.stopping:
                if not self._guarded("leadership", self.leadership.hold, False):
                    mine.wait(STANDBY_S)
                    continue
                mine.drain()
                started = time.monotonic()
                again = self.cycle()
                if self.prefetching:
                    # Agents have work waiting: gathering results for a moment makes larger, cheaper batches.
                    time.sleep(max(0.0, PREFETCH_PACE_S - (time.monotonic() - started)))
                close_old_connections()
                if not again:
                    mine.wait(POLL_S)
        self._guarded("release", self.leadership.release, None)

    def _stop(self, *_: object) -> None:
        self.stopping = True
        bell.ring("dispatch")
