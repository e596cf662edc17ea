"""The shape of a dag: who depends on whom, what that loops back to, and who comes before whom.

`depends` is read for the names in it as Argo's validator reads it, by the form of words; whether it is well formed is
judged by the language itself, elsewhere. Pure graph work, no recursion: a dag may be a chain of thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
ITEM_RESULTS = frozenset({"AnySucceeded", "AllFailed"})

_WORD = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?)\.([A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")


def names_in(depends: str) -> list[tuple[str, str]]:
    """(task, result) of each mention, in order; the result is "" where the task stands alone."""
    return [(m.group(1) or m.group(3), m.group(2) or "") for m in _WORD.finditer(depends)]


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """One cycle as names in order, first one repeated at the end; [] when there is none. Unknown names are ignored."""
    state: dict[str, int] = {}  # 1 = on the way, 2 = done
    for start in edges:
        if start in state:
            continue
        way: list[str] = [start]
        todo = [iter(edges[start])]
        state[start] = 1
        while way:
            for name in todo[-1]:
                if name not in edges:
                    continue
                if state.get(name) == 1:
                    return [*way[way.index(name) :], name]
                if name not in state:
                    state[name] = 1
                    way.append(name)
                    todo.append(iter(edges[name]))
                    break
            else:
                todo.pop()
                state[way.pop()] = 2
    return []


def in_order(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Names so that each comes after all it depends on; the given order otherwise. `edges` has no cycle."""
    done: set[str] = set()
    order: list[str] = []
    for start in edges:
        if start in done:
            continue
        done.add(start)
        way = [start]
        todo = [iter(edges[start])]
        while way:
            for name in todo[-1]:
                if name in edges and name not in done:
                    done.add(name)
                    way.append(name)
                    todo.append(iter(edges[name]))
                    break
            else:
                todo.pop()
                order.append(way.pop())
    return order


class Ancestry:
    """Answers "does `earlier` come before `later`?" from one bit set a name, so that a long chain stays cheap."""

    def __init__(self, edges: Mapping[str, Iterable[str]]):
        order = in_order(edges)
        self._bit = {name: index for index, name in enumerate(order)}
        self._before: dict[str, int] = {}
        for name in order:
            mask = 0
            for dependency in edges[name]:
                if dependency in self._before:
                    mask |= self._before[dependency] | 1 << self._bit[dependency]
            self._before[name] = mask

    def before(self, earlier: str, later: str) -> bool:
        bit = self._bit.get(earlier)
        return bit is not None and later in self._before and bool(self._before[later] >> bit & 1)
