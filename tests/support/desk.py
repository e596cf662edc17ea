"""What the platform answers to an engine's questions about locks and caches, in memory, by the real rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fubini.runs.engine import (
    Event,
    LockGranted,
    LockKind,
    LockName,
    LockRefused,
    LockRelease,
    LockRequest,
    LockWaiting,
    MemoAnswer,
    MemoLookup,
    MemoSave,
    NodeId,
)
from fubini.runs.locktable import LockTable, size_in
from fubini.runs.memorules import Entry, look_up

Question = LockRequest | LockRelease | MemoLookup | MemoSave


class Desk:
    """One run's locks and caches. `database` holds the sizes of database semaphores; None: there is no such database."""

    def __init__(self, library: Sequence[Mapping[str, Any]], *, database: Mapping[str, int] | None = None) -> None:
        self.config_maps = {e["metadata"]["name"]: e for e in library if e.get("kind") == "ConfigMap"}
        self.database = database
        self.table = LockTable(self.size_of)
        self.caches: dict[tuple[str, str], Entry] = {}

    def size_of(self, lock: LockName) -> int | None:
        if lock.kind is LockKind.DATABASE:
            return (self.database or {}).get(lock.resource)
        return size_in((self.config_maps.get(lock.resource) or {}).get("data"), lock.key)

    def answer(self, question: Question, now: int, created_ms: int) -> Iterable[Event]:
        """The events that follow from one command."""
        if isinstance(question, LockRequest):
            yield from self._request(question, now, created_ms)
        elif isinstance(question, LockRelease):
            for wish in self.table.release(f"{question.holder}@{question.generation}"):
                yield granted(wish.holder, now)
        elif isinstance(question, MemoLookup):
            outputs, error = look_up(
                self.caches.get((question.cache, question.key)),
                self.config_maps.get(question.cache),
                key=question.key,
                max_age_ms=question.max_age_ms,
                now_ms=now,
            )
            yield MemoAnswer(now, question.node_id, question.generation, outputs, error)
        else:
            self.caches[question.cache, question.key] = Entry(question.outputs, now)

    def _request(self, question: LockRequest, now: int, created_ms: int) -> Iterable[Event]:
        who = (question.holder, question.generation)
        if self.database is None and any(lock.kind is LockKind.DATABASE for lock in question.locks):
            yield LockRefused(now, *who, no_database(question.locks))
            return
        holder = f"{question.holder}@{question.generation}"
        refused, gained = self.table.request(holder, question.locks, priority=question.priority, created_ms=created_ms)
        obstacle = self.table.obstacle_of(holder)
        if refused:
            yield LockRefused(now, *who, refused)
        elif obstacle is not None:
            yield LockWaiting(now, *who, obstacle[0].text, obstacle[1])
        for wish in gained:
            yield granted(wish.holder, now)

    def resized(self, lock: LockName, now: int) -> Iterable[Event]:
        """A size has changed."""
        for wish in self.table.resized(lock):
            yield granted(wish.holder, now)


def granted(holder: str, now: int) -> LockGranted:
    node, _, generation = holder.rpartition("@")
    return LockGranted(now, NodeId(node), int(generation))


def no_database(locks: Iterable[LockName]) -> str:
    """What Argo's controller says where no database is set up for locks."""
    first = next(lock for lock in locks if lock.kind is LockKind.DATABASE)
    return f"database session is not available for {'semaphore' if first.semaphore else 'mutex'} {first.text}"
