"""What the time ahead will cost, as a range: committed, scheduled, trend; and when the budget runs out.

Pure: facts in, figures out; no clock, no database. All amounts are integer micros, all times milliseconds.

- *committed*: holds. At least what an attempt has used by now, at most its hold; expected is what holds of the project
  turned into on the average. It falls evenly into the time until the attempt's walltime is over.
- *scheduled*: the coming ticks of schedules times what one run of each cost so far, or was quoted.
- *trend*: the mean day of past spending on what no schedule made, with a spread of `Z_PERMILLE` standard deviations of a
  day's spending, days taken as independent (so it grows with the square root of the days). What is committed counts
  towards it: those steps are the beginning of the days ahead.

Invariants: low <= expected <= high in every part and in the total; committed and scheduled of neighbouring windows add up
exactly to that of the window over both. Source: the central limit theorem for sums of daily amounts; 1.28 is the normal
distribution's 90 % quantile, so the range holds four times of five if days are alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

DAY_MS: Final = 86_400_000
Z_PERMILLE: Final = 1280
DAYS_AHEAD_MAX: Final = 366


@dataclass(frozen=True, slots=True)
class Range:
    """Micros; low <= expected <= high."""

    low: int = 0
    expected: int = 0
    high: int = 0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.low, self.expected - other.expected, self.high - other.high)

    def times(self, count: int, divisor: int = 1) -> Range:
        return Range(self.low * count // divisor, self.expected * count // divisor, self.high * count // divisor)


@dataclass(frozen=True, slots=True)
class Committed:
    """One hold, or several that end together. `used_micros` is what their attempts have cost by now."""

    hold_micros: int
    used_micros: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One schedule: its known ticks ahead, ascending, and the pace behind them. `cost` None: nobody knows yet."""

    name: str
    cost: Range | None
    ticks_ms: tuple[int, ...]
    known_until_ms: int  # ticks are complete up to here
    ticks_a_day_millis: int = 0  # thousandths of ticks a day, behind that


@dataclass(frozen=True, slots=True)
class Facts:
    """`daily_micros`: past whole days' spending on what no schedule made, any order. `settled_permille`: what of a hold is
    charged in the end, on the average."""

    now_ms: int
    funds_micros: int  # not spent: the budget with what is held
    committed: tuple[Committed, ...] = ()
    scheduled: tuple[Scheduled, ...] = ()
    daily_micros: tuple[int, ...] = ()
    settled_permille: int = 1000


@dataclass(frozen=True, slots=True)
class Window:
    """What one stretch of time costs. `unpriced_ticks` are in no figure."""

    from_ms: int
    to_ms: int
    committed: Range
    scheduled: Range
    trend: Range
    ticks: int
    unpriced_ticks: int

    @property
    def total(self) -> Range:
        return self.committed + self.scheduled + self.trend


@dataclass(frozen=True, slots=True)
class RunsOut:
    """Days from now, counted from 1, on which the money is used up; None: not within `DAYS_AHEAD_MAX` days.

    `earliest` by the high end, `latest` by the low end.
    """

    earliest: int | None
    expected: int | None
    latest: int | None


def window(facts: Facts, from_ms: int, to_ms: int) -> Window:
    """What the time from `from_ms` (not before now) to `to_ms` costs."""
    from_ms = max(from_ms, facts.now_ms)
    to_ms = max(from_ms, to_ms)
    committed = _committed(facts, to_ms) - _committed(facts, from_ms)
    until_to, until_from = _scheduled(facts, to_ms), _scheduled(facts, from_ms)
    return Window(
        from_ms=from_ms,
        to_ms=to_ms,
        committed=committed,
        scheduled=until_to[0] - until_from[0],
        trend=_trend(facts, to_ms - from_ms, committed.expected),
        ticks=until_to[1] - until_from[1],
        unpriced_ticks=until_to[2] - until_from[2],
    )


def runs_out(facts: Facts) -> RunsOut:
    """When the funds are used up, to the day."""
    earliest = expected = latest = None
    for day in range(1, DAYS_AHEAD_MAX + 1):
        total = window(facts, facts.now_ms, facts.now_ms + day * DAY_MS).total
        if earliest is None and total.high > facts.funds_micros:
            earliest = day
        if expected is None and total.expected > facts.funds_micros:
            expected = day
        if total.low > facts.funds_micros:
            latest = day
            break
    return RunsOut(earliest, expected, latest)


def pace(daily_micros: Sequence[int]) -> tuple[int, int]:
    """Mean and standard deviation of a day; of fewer than two days the deviation is taken to be the mean itself."""
    count = len(daily_micros)
    if count == 0:
        return 0, 0
    total = sum(daily_micros)
    mean = total // count
    if count == 1:
        return mean, mean
    # n * sum(x^2) - (sum x)^2, over n * (n - 1): exact in integers until the root
    squares = count * sum(x * x for x in daily_micros) - total * total
    return mean, isqrt(squares // (count * (count - 1)))


def _committed(facts: Facts, until_ms: int) -> Range:
    """What holds will have cost by then; it only grows with `until_ms`."""
    total = Range()
    for one in facts.committed:
        length = max(1, one.until_ms - facts.now_ms)
        passed = min(length, max(0, until_ms - facts.now_ms))
        used = min(one.used_micros, one.hold_micros)
        expected = min(one.hold_micros, max(used, one.hold_micros * facts.settled_permille // 1000))
        total += Range(used, expected, one.hold_micros).times(passed, length)
    return total


def _scheduled(facts: Facts, until_ms: int) -> tuple[Range, int, int]:
    """What ticks before then cost, how many they are, and how many of them have no price."""
    total, ticks, unpriced = Range(), 0, 0
    for one in facts.scheduled:
        count = bisect_left(one.ticks_ms, until_ms) - bisect_left(one.ticks_ms, facts.now_ms)
        if until_ms > one.known_until_ms:
            behind_ms = until_ms - max(one.known_until_ms, facts.now_ms)
            count += behind_ms * one.ticks_a_day_millis // (1000 * DAY_MS)
        ticks += count
        if one.cost is None:
            unpriced += count
        else:
            total += one.cost.times(count)
    return total, ticks, unpriced


def _trend(facts: Facts, length_ms: int, committed_micros: int) -> Range:
    mean, deviation = pace(facts.daily_micros)
    expected = mean * length_ms // DAY_MS
    # deviation * sqrt(days), with the root taken of micro-days so that part days count
    spread = Z_PERMILLE * deviation * isqrt(length_ms * 1_000_000 // DAY_MS) // 1_000_000
    return Range(
        max(0, expected - spread - committed_micros),
        max(0, expected - committed_micros),
        max(0, expected + spread - committed_micros),
    )
