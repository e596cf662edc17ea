"""How far a look along the links goes: breadth first, within a depth and a number of places. Pure.

A place is a text (`artifact:<key>`, `dataset:<version id>`, `step:<task id>`, `run:<id>`); a link goes from what was there
before to what came of it. Whoever asks is told which places have more behind them than was looked at, so a cut is never
silent; a look from such a place goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

BEHIND: Final = "behind"
AHEAD: Final = "ahead"


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """`how`: read, left, taken_over (a result of another run), kept (an artifact became a dataset version), used, made."""

    source: str
    target: str
    how: str
    name: str = ""

    def end(self, direction: str) -> tuple[str, str]:
        """(the place one comes from, the place one comes to) when looking in a direction."""
        return (self.target, self.source) if direction == BEHIND else (self.source, self.target)


@dataclass(slots=True)
class Walked:
    """Places with their distance from the start, links between them, and places that have more than was looked at."""

    depth: dict[str, int] = field(default_factory=dict)
    links: dict[Link, None] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)


def walk(
    starts: Collection[str],
    direction: str,
    links_of: Callable[[Sequence[str]], Iterable[Link]],
    *,
    depth: int,
    limit: int,
) -> Walked:
    """Look from `starts` in one direction.

    Args:
        links_of: all links of some places in that direction; asked once a level, at most `depth` + 1 times.
        depth: levels beyond the start.
        limit: places beyond the start.
    """
    found = Walked(dict.fromkeys(starts, 0))
    room = limit
    level = list(found.depth)
    for at in range(1, depth + 2):
        following: list[str] = []
        for link in sorted(set(links_of(level))):
            near, far = link.end(direction)
            if far not in found.depth:
                if at > depth or room == 0:
                    found.more.add(near)
                    continue
                room -= 1
                found.depth[far] = at
                following.append(far)
            found.links[link] = None
        if not following:
            break
        level = following
    return found
