"""Reads on locks: who holds, who waits, and what a run waits for, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, When, Window
from django.db.models.functions import RowNumber

from fubini.common.saying import Said, say, together
from fubini.runs.engine import LockKind
from fubini.runs.models import Lock, LockClaim, Run, RunNode

SHOWN: Final = 100  # holders, and waiters, that one answer lists
NAMED: Final = 3  # holders that a sentence names


@dataclass(frozen=True, slots=True)
class Party:
    """Who holds a lock or waits for it: a step of a run, or (with no node) the run itself."""

    run_id: str
    run_name: str
    node_id: str
    node_name: str
    priority: int
    asked_at_ms: int
    held_at_ms: int | None

    @property
    def text(self) -> Said:
        if self.node_id:
            return say("step {step} of run {run}", step=self.node_name, run=self.run_name)
        return say("run {run}", run=self.run_name)


@dataclass(frozen=True, slots=True)
class LockView:
    """One lock with those who hold it and those who wait, first in the queue first; at most `SHOWN` of each."""

    lock: Lock
    holders: list[Party]
    waiters: list[Party]


@dataclass(frozen=True, slots=True)
class Wait:
    """A lock that something of a run waits for."""

    lock: Said
    since_ms: int
    waiting: list[str]  # what of the run waits, by display name; "" the run itself
    holders: list[Party] = field(default_factory=list)
    ahead: int = 0  # wishes before the first of them in the queue

    @property
    def sentence(self) -> str:
        if "" in self.waiting:
            text = say("The run waits for {lock}.", lock=self.lock)
        elif len(self.waiting) == 1:
            text = say("Step {step} waits for {lock}.", step=self.waiting[0], lock=self.lock)
        else:
            more = len(self.waiting) - 1
            text = say("Step {step} and {more} more wait for {lock}.", step=self.waiting[0], more=more, lock=self.lock)
        held = ""
        if self.holders:
            names = together(*(party.text for party in self.holders[:NAMED]), between=", ")
            more = len(self.holders) - NAMED
            held = say(
                "It is held by {names} and {more} more." if more > 0 else "It is held by {names}.",
                names=names,
                more=more,
            )
        return together(text, held, say("Before it in the queue: {ahead}.", ahead=self.ahead) if self.ahead else "")


def lock_words(lock: Lock) -> Said:
    """A lock as people say it: ``mutex beam``, ``semaphore limits/licences``."""
    name = f"{lock.resource}/{lock.key}" if lock.kind == LockKind.CONFIG_MAP else lock.resource
    return say("semaphore {name}", name=name) if lock.semaphore else say("mutex {name}", name=name)


def locks_of(project_id: str) -> QuerySet[Lock]:
    """A project's locks with the counts `held` and `waiting`."""
    claims = {"held": Q(claims__held_at_ms__isnull=False), "waiting": Q(claims__isnull=False, claims__held_at_ms=None)}
    return Lock.objects.filter(project_id=project_id).annotate(
        **{k: Count("claims", filter=q) for k, q in claims.items()}
    )


def lock_view(lock: Lock) -> LockView:
    """Who holds a lock and who waits for it."""
    rows = _named(LockClaim.objects.filter(lock=lock)).select_related("run")
    holders = list(rows.filter(held_at_ms__isnull=False).order_by("held_at_ms", "id")[:SHOWN])
    return LockView(lock, _parties(holders), _parties(_queue(rows)[:SHOWN]))


def board_of(project_id: str, *, most: int, parties: int) -> tuple[list[LockView], bool]:
    """Locks that somebody holds or waits for, and semaphores with a size of their own; most waited for first.

    -> at most `most` with at most `parties` holders and waiters each, and whether there are more; two queries.
    """
    rows_of: Any = locks_of(project_id)
    used = rows_of.filter(Q(held__gt=0) | Q(waiting__gt=0) | Q(kind=LockKind.DATABASE.value))
    locks = list(used.order_by("-waiting", "-held", "resource", "key", "id")[: most + 1])
    shown = locks[:most]
    place = Window(
        RowNumber(),
        partition_by=[F("lock_id"), Case(When(held_at_ms=None, then=0), default=1)],
        order_by=[F("held_at_ms").asc(), F("priority").desc(), F("created_at_ms").asc(), F("claim").asc()],
    )
    rows: Any = _named(LockClaim.objects.filter(lock__in=shown)).select_related("run").annotate(place=place)
    claims = sorted(rows.filter(place__lte=parties), key=lambda row: row.place)
    found = [
        LockView(
            lock,
            _parties([c for c in claims if c.lock_id == lock.pk and c.held_at_ms is not None]),
            _parties([c for c in claims if c.lock_id == lock.pk and c.held_at_ms is None]),
        )
        for lock in shown
    ]
    return found, len(locks) > most


def waits_of(run: Run) -> list[Wait]:
    """What a run waits for, lock by lock, those that are really full first; two queries, however many locks."""
    own = _queue(_named(LockClaim.objects.filter(run=run))).select_related("lock").annotate(ahead=Subquery(_before()))
    by_lock: dict[str, list[Any]] = {}
    for row in own.order_by("asked_at_ms", "claim", "position")[: SHOWN * 10]:
        by_lock.setdefault(row.lock_id, []).append(row)
    if not by_lock:
        return []
    held: dict[str, list[LockClaim]] = {}
    holding = _named(LockClaim.objects.filter(lock__in=by_lock, held_at_ms__isnull=False)).select_related("run")
    for claim in holding.order_by("held_at_ms", "id"):
        if len(some := held.setdefault(claim.lock_id, [])) < SHOWN:
            some.append(claim)
    found = [
        Wait(
            lock_words(rows[0].lock),
            min(row.asked_at_ms for row in rows),
            [row.node_name or "" for row in rows],
            _parties(held.get(lock_id, [])),
            min(row.ahead or 0 for row in rows),
        )
        for lock_id, rows in by_lock.items()
    ]
    return sorted(found, key=lambda wait: (not wait.holders, wait.since_ms))


def _before() -> Any:
    """In a query over waiting claims: how many of other runs are before each in its lock's queue."""
    mine = {name: OuterRef(name) for name in ("priority", "created_at_ms", "claim")}
    earlier = Q(created_at_ms__lt=mine["created_at_ms"])
    earlier |= Q(created_at_ms=mine["created_at_ms"], claim__lt=mine["claim"])
    before = Q(priority__gt=mine["priority"]) | Q(priority=mine["priority"]) & earlier
    rows = LockClaim.objects.filter(before, lock=OuterRef("lock"), held_at_ms=None).exclude(run=OuterRef("run"))
    return rows.order_by().values("lock").annotate(n=Count("pk")).values("n")


def _queue(rows: QuerySet[LockClaim]) -> QuerySet[LockClaim]:
    return rows.filter(held_at_ms=None).order_by(F("priority").desc(), "created_at_ms", "claim")


def _named(rows: QuerySet[LockClaim]) -> QuerySet[LockClaim]:
    """With the display names of the nodes that claims are for."""
    node = RunNode.objects.filter(run=OuterRef("run"), node_id=OuterRef("node_id"))
    return rows.annotate(node_name=Subquery(node.order_by("id").values("display_name")[:1]))


def _parties(rows: Iterable[Any]) -> list[Party]:
    return [
        Party(
            row.run_id,
            row.run.name,
            row.node_id,
            row.node_name or row.node_id,
            row.priority,
            row.asked_at_ms,
            row.held_at_ms,
        )
        for row in rows
    ]
