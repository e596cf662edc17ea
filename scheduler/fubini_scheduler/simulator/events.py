"""The event heap: what happens next, and what time it is then."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], None]


class EventHeap:
    """Actions by time; equal times in the order they were put in. `now_ms` moves only forward."""

    __slots__ = ("_heap", "_next", "now_ms")

    def __init__(self, start_ms: int = 0) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._next = 0
        self.now_ms = start_ms

    def at(self, at_ms: int, action: Action) -> None:
        """Do `action` at `at_ms`, or now if that has passed."""
        heappush(self._heap, (max(at_ms, self.now_ms), self._next, action))
        self._next += 1

    def __len__(self) -> int:
        return len(self._heap)

    def step(self, until_ms: int) -> bool:
        """Move to the next moment before `until_ms` and do all that happens then; False when there is none."""
        if not self._heap or self._heap[0][0] > until_ms:
            return False
        self.now_ms = self._heap[0][0]
        while self._heap and self._heap[0][0] == self.now_ms:
            heappop(self._heap)[2]()
        return True
