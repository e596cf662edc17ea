"""Who gets a lock next: the rules of mutexes and semaphores, apart from where holders and waiters are kept.

A waiter takes all its locks at once or none, and only while it is first in the queue of each of them. Queues are
ordered by priority (higher first), then by the run's creation, then by arrival, so that one order holds for all queues
and waiters cannot block each other in a circle. A size may change at any time; holders above a smaller size keep what
they hold. `LockTable` keeps everything in memory; rows are kept by `locks` under the same rules, with the same words.
Source: Argo Workflows v4.1, docs/synchronization.md; messages as its controller writes them.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from fubini.runs.engine import LockKind, LockName

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Claim(Protocol):
    """One holder's wish for some locks."""

    @property
    def locks(self) -> Sequence[LockName]: ...


C = TypeVar("C", bound=Claim)


class Queues(Protocol[C]):
    """Holders and waiters, wherever they are kept."""

    def size(self, lock: LockName) -> int:
        """How many may hold it now."""

    def held(self, lock: LockName) -> int:
        """How many hold it now."""

    def first(self, lock: LockName) -> C | None:
        """Who is first in its queue."""

    def grant(self, claim: C) -> None:
        """Move a claim from the queues of its locks to their holders."""


def settle(queues: Queues[C], changed: Iterable[LockName]) -> list[C]:
    """Give locks to all who may have them now; -> whom, in order.

    `changed` are the locks where anything changed since the last time. Each grant costs a look at its own locks, never
    at the whole queue.
    """
    granted: list[C] = []
    todo = list(dict.fromkeys(changed))
    while todo:
        lock = todo.pop(0)
        claim = queues.first(lock)
        if claim is None or queues.held(lock) >= queues.size(lock):
            continue
        if all(queues.held(other) < queues.size(other) and queues.first(other) == claim for other in claim.locks):
            queues.grant(claim)
            granted.append(claim)
            todo = [lock, *todo, *(other for other in claim.locks if other != lock)]
    return granted


def obstacle(queues: Queues[C], claim: C) -> tuple[LockName, str] | None:
    """The first of a waiter's locks that it cannot have now, and the message that says so."""
    for lock in claim.locks:
        size, held = queues.size(lock), queues.held(lock)
        if held >= size or queues.first(lock) != claim:
            return lock, waiting_message(lock, held, size)
    return None


def waiting_message(lock: LockName, held: int, size: int) -> str:
    """What a waiter shows."""
    if lock.kind is LockKind.DATABASE:
        short = f"{'sem' if lock.semaphore else 'mtx'}/{lock.namespace}/{lock.resource}"
        return f"Waiting for {lock.text} lock ({short}). Lock status: {held}/{size}"
    if size == 0:
        return f"Failed to get semaphore limit for {lock.text}"
    return f"Waiting for {lock.text} lock. Lock status: {size - held}/{size}"


def no_size_message(lock: LockName) -> str:
    """Why a semaphore whose size is nowhere to be read cannot be had."""
    return f"failed to initialize semaphore {lock.text} with limit"


def size_in(data: Mapping[str, Any] | None, key: str) -> int | None:
    """A semaphore's size in a ConfigMap's data; None where there is none above 0 to be read."""
    found = (data or {}).get(key)
    text = str(found) if found is not None else ""
    if not _INTEGER.fullmatch(text):
        return None
    return max(int(text), 0) or None


# --- in memory ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """One holder's claim in memory; `order` sorts it among all others."""

    holder: str
    locks: tuple[LockName, ...]
    order: tuple[int, int, int]


class LockTable:
    """Holders and waiters of any number of locks.

    `size_of` says how large a semaphore is now, None where that is nowhere to be read; a size that was known once
    holds until another is. Mutexes have 1.
    """

    def __init__(self, size_of: Callable[[LockName], int | None]) -> None:
        self._size_of = size_of
        self._sizes: dict[LockName, int] = {}
        self._holders: dict[LockName, dict[str, Wish]] = {}
        self._queues: dict[LockName, list[tuple[tuple[int, int, int], Wish]]] = {}
        self._waiting: dict[str, Wish] = {}
        self._held: dict[str, Wish] = {}
        self._count = itertools.count()

    # `Queues`
    def size(self, lock: LockName) -> int:
        if not lock.semaphore:
            return 1
        found = self._size_of(lock)
        if found is not None:
            self._sizes[lock] = found
        return self._sizes.get(lock, 0)

    def held(self, lock: LockName) -> int:
        return len(self._holders.get(lock, ()))

    def first(self, lock: LockName) -> Wish | None:
        queue = self._queues.get(lock, [])
        while queue and self._waiting.get(queue[0][1].holder) is not queue[0][1]:
            heapq.heappop(queue)  # it has left, or waits anew
        return queue[0][1] if queue else None

    def grant(self, claim: Wish) -> None:
        del self._waiting[claim.holder]
        self._held[claim.holder] = claim
        for lock in claim.locks:
            self._holders.setdefault(lock, {})[claim.holder] = claim

    # what holders do
    def request(
        self, holder: str, locks: Sequence[LockName], *, priority: int = 0, created_ms: int = 0
    ) -> tuple[str, list[Wish]]:
        """Ask for all of `locks`; -> (why they cannot be had at all or "", who got theirs: the holder too, if it did)."""
        if holder in self._held or holder in self._waiting:
            return "", []
        for lock in locks:
            if self.size(lock) == 0 and lock not in self._sizes:
                return no_size_message(lock), []
        wish = Wish(holder, tuple(locks), (-priority, created_ms, next(self._count)))
        self._waiting[holder] = wish
        for lock in locks:
            heapq.heappush(self._queues.setdefault(lock, []), (wish.order, wish))
        if not locks:
            self.grant(wish)
            return "", [wish]
        return "", settle(self, locks)

    def release(self, holder: str) -> list[Wish]:
        """Give back, or leave the queues; -> who got locks by that."""
        wish = self._held.pop(holder, None)
        if wish is not None:
            for lock in wish.locks:
                del self._holders[lock][holder]
        else:
            wish = self._waiting.pop(holder, None)
        return settle(self, wish.locks) if wish is not None else []

    def resized(self, lock: LockName) -> list[Wish]:
        """A size has changed; -> who got the lock by that."""
        return settle(self, [lock])

    def holds(self, holder: str) -> bool:
        return holder in self._held

    def obstacle_of(self, holder: str) -> tuple[LockName, str] | None:
        """What a waiter waits for."""
        wish = self._waiting.get(holder)
        return obstacle(self, wish) if wish is not None else None

    def idle(self) -> bool:
        """Whether nobody holds or waits for anything."""
        return not self._held and not self._waiting

    def holders(self, lock: LockName) -> list[str]:
        return list(self._holders.get(lock, ()))
