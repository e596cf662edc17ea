"""Backfill: when a place will have room for a task, and setting that room aside.

A big task is not starved by small ones that slip past it: the first task in order that cannot start now gets a
reservation at the place it waits for, and later tasks use that room only if their reserved time ends before.
At most one reservation stands on a node group, a pool or a machine, the first in order.
"""

from __future__ import annotations

import numpy as np

from fubini_scheduler.capacity import Capacity, Ints
from fubini_scheduler.model import Reservation, TaskId
from fubini_scheduler.shapes import Candidate

_MAX_RELEASES = 4000  # beyond that many moments of release, a start is not predicted


class Opening:
    """The first moment at which a candidate is expected to have room, and all counters as they are then."""

    __slots__ = ("at_ms", "free", "indexes", "machine", "slots")

    def __init__(
        self, at_ms: int, indexes: tuple[int, ...], free: Ints | None, machine: tuple[int, int, int] | None, slots: int
    ) -> None:
        self.at_ms = at_ms
        self.indexes = indexes
        self.free = free
        self.machine = machine
        self.slots = slots


def opening_of(candidate: Candidate, capacity: Capacity, now_ms: int) -> Opening | None:
    """When there will be room for one more such task if everything ends as expected; None when that is not in sight."""
    group, machine, pool = candidate.group, candidate.machine, candidate.pool
    need = candidate.pickers[0].need
    slots = pool.slots
    caps = None if machine is None else [machine.cpu, machine.memory, machine.tasks]
    free: Ints | None = None if candidate.queued else group.free.copy()
    floating = None if group.floating is None else group.floating.copy()
    fits: set[int] = set()
    if free is not None:
        fits = {int(i) for i in np.flatnonzero((free >= need[:, None]).all(axis=0))}

    def open_now() -> bool:
        if slots < 1:
            return False
        if caps is not None and (
            caps[0] < candidate.cpu_total or caps[1] < candidate.memory_total or caps[2] < candidate.nodes
        ):
            return False
        if free is None:
            return True
        if len(fits) < candidate.nodes:
            return False
        if floating is not None:
            whole = np.maximum(free, 0).sum(axis=1) - floating
            return bool((whole >= need * candidate.nodes).all())
        return True

    def opening(at_ms: int) -> Opening:
        indexes = () if free is None else tuple(sorted(fits)[: candidate.nodes])
        return Opening(at_ms, indexes, free, None if caps is None else (caps[0], caps[1], caps[2]), slots)

    if open_now():
        return opening(now_ms)
    seen = at_ms = 0
    touches = False
    for release in capacity.releases_in_order():
        # All that ends at one moment is counted before asking, or less would be left over than there is.
        if touches and release.at_ms > at_ms:
            if open_now():
                return opening(at_ms)
            seen += 1
            if seen >= _MAX_RELEASES:
                return None
            touches = False
        at_ms = release.at_ms
        if release.pool is pool:
            slots += 1
            touches = True
        if caps is not None and release.machine is machine:
            caps[0] += release.cpu_millis
            caps[1] += release.memory_bytes
            caps[2] += release.nodes
            touches = True
        if free is not None and release.group is group and release.need is not None:
            touches = True
            for index in release.indexes:
                free[:, index] += release.need
                if bool((free[:, index] >= need).all()):
                    fits.add(index)
            if not release.indexes and floating is not None:
                floating -= release.need * release.nodes
    return opening(at_ms) if touches and open_now() else None


def reserve(candidate: Candidate, opening: Opening, task_id: TaskId) -> Reservation | None:
    """Set the opening's room aside, or do nothing where a reservation already stands."""
    group, machine, pool = candidate.group, candidate.machine, candidate.pool
    if group.spare is not None or pool.spare_slots is not None or (machine is not None and machine.spare is not None):
        return None
    if opening.free is not None:
        spare = opening.free.copy()
        for index in opening.indexes:
            spare[:, index] -= candidate.pickers[0].need
        group.spare, group.spare_from_ms = spare, opening.at_ms
        group.version += 1
    if machine is not None and opening.machine is not None:
        cpu, memory, tasks = opening.machine
        machine.spare = cpu - candidate.cpu_total, memory - candidate.memory_total, tasks - candidate.nodes
        machine.spare_from_ms = opening.at_ms
    pool.spare_slots, pool.spare_from_ms = opening.slots - 1, opening.at_ms
    return Reservation(task_id, pool.pool.id, group.group.id, opening.indexes, opening.at_ms)
