"""Holders and waiters as rows: what a run's engine asks of locks, within the transaction that records its step.

Only the leading dispatch process grants. A grant to another run is a row that its engine has not heard yet, so nothing
is lost by a crash; what an ended run may have left behind is given back by `locks_tend`. The rules are `locktable`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Exists, OuterRef

from fubini.audit.services import audit_append
from fubini.common import bell
from fubini.common.errors import Conflict
from fubini.common.ids import new_id
from fubini.pipelines.selectors import config_map_data
from fubini.runs.engine import (
    Event,
    LockGranted,
    LockKind,
    LockName,
    LockRefused,
    LockRelease,
    LockRequest,
    LockWaiting,
    NodeId,
)
from fubini.runs.locktable import no_size_message, obstacle, settle, size_in
from fubini.runs.models import Lock, LockClaim, Run
from fubini.runs.transitions import RUN_ENDED

log = logging.getLogger(__name__)
TENDED_A_PASS = 200
FORGOTTEN_A_PASS = 5000


@dataclass(frozen=True, slots=True)
class RowClaim:
    """One wish, of one or several rows."""

    id: str
    run_id: str
    node_id: str
    generation: int
    locks: tuple[LockName, ...]
    order: tuple[int, int, str]


def _order(row: LockClaim) -> tuple[int, int, str]:
    return (-row.priority, row.created_at_ms, row.claim)


class RowQueues:
    """The locks of one project for the length of a transaction (see `locktable.Queues`)."""

    def __init__(self, project_id: str, namespace: str, at_ms: int) -> None:
        self.project_id = project_id
        self.namespace = namespace
        self.at_ms = at_ms
        self._rows: dict[LockName, Lock] = {}
        self._first: dict[LockName, RowClaim | None] = {}
        self._held: dict[LockName, int] = {}
        self._sizes: dict[LockName, int] = {}

    def row(self, name: LockName) -> Lock:
        """The lock's row, locked against others until the transaction ends; made if need be."""
        found = self._rows.get(name)
        if found is None:
            place: dict[str, Any] = {
                "project_id": self.project_id,
                "kind": name.kind.value,
                "semaphore": name.semaphore,
                "resource": name.resource,
                "key": name.key,
            }
            found = Lock.objects.select_for_update().filter(**place).first()
            if found is None:  # none yet, or `locks_forget` took it just now
                Lock.objects.get_or_create(**place)
                found = Lock.objects.select_for_update().get(**place)
            self._rows[name] = found
        return found

    def name_of(self, lock: Lock) -> LockName:
        return LockName(self.namespace, LockKind(lock.kind), lock.resource, lock.key, lock.semaphore)

    def known_size(self, name: LockName) -> int | None:
        """A semaphore's size, None where none was ever to be read."""
        if not name.semaphore:
            return 1
        lock = self.row(name)
        if name.kind is LockKind.CONFIG_MAP:
            found = size_in(config_map_data(self.project_id, name.resource), name.key)
            if found is not None and found != lock.size:
                lock.size = found
                lock.save(update_fields=["size"])
        return lock.size

    # `Queues`
    def size(self, lock: LockName) -> int:
        found = self._sizes.get(lock)
        if found is None:
            found = self._sizes[lock] = self.known_size(lock) or 0
        return found

    def held(self, lock: LockName) -> int:
        found = self._held.get(lock)
        if found is None:
            rows = LockClaim.objects.filter(lock=self.row(lock), held_at_ms__isnull=False)
            found = self._held[lock] = rows.count()
        return found

    def first(self, lock: LockName) -> RowClaim | None:
        if lock not in self._first:
            queue = LockClaim.objects.filter(lock=self.row(lock), held_at_ms=None)
            row = queue.order_by("-priority", "created_at_ms", "claim").first()
            self._first[lock] = self.claim_of(row) if row is not None else None
        return self._first[lock]

    def grant(self, claim: RowClaim) -> None:
        LockClaim.objects.filter(claim=claim.id).update(held_at_ms=self.at_ms, heard=False)
        self.forget(claim.locks)

    # rows
    def claim_of(self, row: LockClaim) -> RowClaim:
        rows = LockClaim.objects.filter(claim=row.claim).select_related("lock").order_by("position")
        names = tuple(self.name_of(r.lock) for r in rows)
        return RowClaim(row.claim, row.run_id, row.node_id, row.generation, names, _order(row))

    def join(self, row: LockClaim, locks: Sequence[LockName]) -> None:
        """A wish has just been queued: it changes who is first only where it goes before whom we know to be."""
        wish = RowClaim(row.claim, row.run_id, row.node_id, row.generation, tuple(locks), _order(row))
        for lock in locks:
            if lock not in self._first:
                continue
            first = self._first[lock]
            if first is None or wish.order < first.order:
                self._first[lock] = wish

    def forget(self, locks: Iterable[LockName]) -> None:
        """The queues of these locks have changed."""
        for lock in locks:
            self._first.pop(lock, None)
            self._held.pop(lock, None)

    def settle(self, locks: Sequence[LockName], *, run_id: str = "") -> list[Event]:
        """Give locks to all who may have them now; -> what the run at hand hears of it. Others hear of it later."""
        granted = settle(self, locks)
        own = [claim for claim in granted if claim.run_id == run_id]
        LockClaim.objects.filter(claim__in=[claim.id for claim in own]).update(heard=True)
        if len(own) < len(granted):
            transaction.on_commit(lambda: bell.ring("dispatch"))
        return [LockGranted(self.at_ms, NodeId(claim.node_id), claim.generation) for claim in own]


def lock_request(*, run: Run, request: LockRequest, queues: RowQueues) -> list[Event]:
    """Take locks for a node of a run, or queue for them; -> what its engine hears at once."""
    at_ms, holder, generation = queues.at_ms, request.holder, request.generation
    known = LockClaim.objects.filter(run=run, node_id=holder)
    rows = list(known.order_by("position"))
    heard: list[Event] = []
    if rows and rows[0].generation != generation:  # of an earlier generation: its engine has let go of it
        heard = locks_release(run=run, releases=[LockRelease(holder, generation)], queues=queues)
        rows = []
    if not rows:
        for lock in request.locks:
            if queues.known_size(lock) is None:
                return [LockRefused(at_ms, holder, generation, no_size_message(lock)), *heard]
        claim = new_id()
        rows = [
            LockClaim(
                claim=claim,
                lock=queues.row(lock),
                run=run,
                node_id=holder,
                generation=generation,
                position=position,
                priority=request.priority,
                created_at_ms=run.created_at_ms,
                asked_at_ms=at_ms,
            )
            for position, lock in enumerate(request.locks)
        ]
        LockClaim.objects.bulk_create(rows)
        queues.join(rows[0], request.locks)
        heard += queues.settle(request.locks, run_id=run.pk)
        mine = LockGranted(at_ms, holder, generation)
        if mine in heard:
            return [mine, *(event for event in heard if event != mine)]
    row = rows[0]
    if row.held_at_ms is not None:
        LockClaim.objects.filter(claim=row.claim).update(heard=True)
        return [LockGranted(at_ms, holder, generation), *heard]
    names = tuple(queues.name_of(r.lock) for r in rows)
    wish = RowClaim(row.claim, row.run_id, row.node_id, row.generation, names, _order(row))
    found = obstacle(queues, wish)
    assert found is not None, "settled, yet the first in every queue has not got its locks"
    return [LockWaiting(at_ms, holder, generation, found[0].text, found[1]), *heard]


def locks_release(*, run: Run, releases: Sequence[LockRelease], queues: RowQueues) -> list[Event]:
    """Give back what nodes of a run hold or wait for, all at once; -> what the run's other nodes get by that."""
    holders = [release.holder for release in releases]
    rows: list[LockClaim] = []
    for start in range(0, len(holders), 500):
        rows += LockClaim.objects.filter(run=run, node_id__in=holders[start : start + 500])
    return _release(rows, queues, run_id=run.pk)


def run_locks_release(*, run: Run, at_ms: int) -> None:
    """A run is over, however it came to that: it holds nothing and waits for nothing."""
    _release(list(LockClaim.objects.filter(run=run)), RowQueues(run.project_id, run.project.slug, at_ms))


def _release(rows: Sequence[LockClaim], queues: RowQueues, *, run_id: str = "") -> list[Event]:
    if not rows:
        return []
    locks = Lock.objects.filter(pk__in={row.lock_id for row in rows}).order_by("pk")
    names = [queues.name_of(lock) for lock in locks]
    for name in names:
        queues.row(name)
    for start in range(0, len(rows), 500):
        LockClaim.objects.filter(pk__in=[row.pk for row in rows[start : start + 500]]).delete()
    queues.forget(names)
    return queues.settle(names, run_id=run_id)


class NotHeld(Conflict):
    code: ClassVar[str] = "lock_not_held"
    title: ClassVar[str] = "It does not hold the lock"


@transaction.atomic
def lock_break(*, lock: Lock, run: Run, node_id: str, actor: str, at_ms: int) -> None:
    """Take a lock from who holds it and give it to who is next. The holder goes on as if it still had it.

    Raises:
        NotHeld: it does not hold it, or has been given it only now and not heard of it yet.
    """
    queues = RowQueues(lock.project_id, lock.project.slug, at_ms)
    queues.row(queues.name_of(lock))
    row = LockClaim.objects.filter(lock=lock, run=run, node_id=node_id, held_at_ms__isnull=False, heard=True).first()
    if row is None:
        raise NotHeld("It does not hold the lock (any more).", next_step="Look at the list again.")
    audit_append(
        actor=actor,
        action="lock.break",
        target=f"lock:{lock.pk}",
        project_id=lock.project_id,
        data={"lock": queues.name_of(lock).text[:300], "run_id": run.pk, "node": node_id},
    )
    _release([row], queues)


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """One row's trouble never stops the others'."""
    try:
        yield
    except Exception:
        log.exception("%s could not be tended; it is tried again", what)


def locks_forget() -> int:
    """Forget locks nobody holds, waits for or gave a size, whose names a manifest may make up anew each run; how many."""
    used = LockClaim.objects.filter(lock=OuterRef("pk"))
    idle = Lock.objects.exclude(kind=LockKind.DATABASE.value).exclude(Exists(used)).order_by("pk")
    gone = 0
    for pk in list(idle.values_list("pk", flat=True)[:FORGOTTEN_A_PASS]):
        with transaction.atomic():
            lock = Lock.objects.select_for_update().filter(pk=pk).first()
            if lock is not None and not lock.claims.exists():
                lock.delete()
                gone += 1
    return gone


def locks_tend(*, at_ms: int, after: str = "") -> str:
    """Follow sizes that changed, and give back what ended runs still have.

    One pass looks at `TENDED_A_PASS` semaphores that are waited for; -> the last of them, after which the next pass goes
    on, "" once all had their turn.
    """
    ended = LockClaim.objects.filter(run__state__in=RUN_ENDED).values_list("run_id", flat=True).distinct()
    for run_id in list(ended[:TENDED_A_PASS]):
        with _alone(f"what the ended run {run_id} holds"), transaction.atomic():
            run = Run.objects.select_for_update(of=("self",)).select_related("project").get(pk=run_id)
            if run.state in RUN_ENDED:
                run_locks_release(run=run, at_ms=at_ms)
    waited = LockClaim.objects.filter(lock=OuterRef("pk"), held_at_ms=None)
    locks = Lock.objects.filter(Exists(waited), semaphore=True, pk__gt=after).select_related("project").order_by("pk")
    looked = list(locks[:TENDED_A_PASS])
    for lock in looked:
        with _alone(f"lock {lock.pk}"), transaction.atomic():
            queues = RowQueues(lock.project_id, lock.project.slug, at_ms)
            queues.settle([queues.name_of(lock)])
    return looked[-1].pk if len(looked) == TENDED_A_PASS else ""
