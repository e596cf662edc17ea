"""Is a run late by its own quote, will it be, and where did its time go? Pure; times in milliseconds.

Late is past the quote's high end. About to be late is a run whose steps, at the times they were quoted at, do not fit before
that any more; `SLACK_PERMILLE` of the quoted length is forgiven, for an expectation is not a promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SLACK_PERMILLE: Final = 100


@dataclass(frozen=True, slots=True)
class Expected:
    """The steps of one template as quoted: how many, and how long all of them take when nothing has to wait."""

    count: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall time split by what the furthest step was doing: running, else being brought to its place, else nothing ran."""

    waiting_ms: int = 0
    staging_ms: int = 0
    running_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by_ms` past the quote: already, or expected at the end."""

    already: bool
    by_ms: int


def verdict(*, quoted_ms: int, quoted_end_ms: int, expected_end_ms: int, now_ms: int) -> Verdict | None:
    """None: the run is within its quote and expected to stay there."""
    if now_ms > quoted_end_ms:
        return Verdict(True, now_ms - quoted_end_ms)
    over = expected_end_ms - quoted_end_ms
    return Verdict(False, over) if over > quoted_ms * SLACK_PERMILLE // 1000 else None


def expected_end(quoted: Mapping[str, Expected], seen: Mapping[str, tuple[int, int]], now_ms: int) -> int:
    """When the steps that are left would have run, one template after the other, as a quote's times are summed.

    Args:
        seen: template -> (steps that ended, steps there are).
    """
    left = 0
    for template, one in quoted.items():
        ended, there = seen.get(template, (0, 0))
        count = max(1, one.count)
        left += one.time_ms * max(0, max(count, there) - ended) // count
    return now_ms + left


def spent_of(attempts: Iterable[tuple[int, int | None, int | None]], from_ms: int, now_ms: int) -> Spent:
    """Where the time from `from_ms` to now went.

    Args:
        attempts: of each when it was leased, when its command started, when it ended; None: not yet.
    """
    moves: list[tuple[int, int, int]] = []  # at, change of those being staged, change of those running
    for leased, started, ended in attempts:
        until = now_ms if ended is None else ended
        middle = until if started is None else min(started, until)
        moves += [(leased, 1, 0), (middle, -1, 1), (until, 0, -1)]
    waiting = staging = running = staged = ran = 0
    at = from_ms
    for when, more_staged, more_ran in sorted(moves):
        when = min(max(when, from_ms), now_ms)
        length = max(0, when - at)
        if ran:
            running += length
        elif staged:
            staging += length
        else:
            waiting += length
        at = max(at, when)
        staged, ran = staged + more_staged, ran + more_ran
    return Spent(waiting + max(0, now_ms - at), staging, running)
