"""Cron schedules as CronWorkflows write them: five fields, `@daily` and its like, `@every 10m`; when they are due.

The fields are read as Argo's controller reads them (names of months and days, `?`, no 7 for Sunday, either day field
suffices where neither is a star); the arithmetic is cronsim's. Where clocks change, a schedule at a fixed time of day runs once on
that day: a time that does not exist runs right after the gap, a time that comes twice runs the first time. (Argo's
library skips the one and repeats the other.) Times are integer milliseconds since the epoch; all whole seconds.
Pure: no clock. Source: cron's man page in Debian; robfig/cron v3's rules for fields.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from fubini.common.saying import Said, ours, say
from fubini.language import durations
from fubini.language.errors import LanguageError

MAX_CHARS = 200
_NAMED = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_REACH_MS = tuple(1000 * s for s in (90, 3_700, 90_000, 3 * 86_400, 35 * 86_400, 370 * 86_400, 9 * 366 * 86_400))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Part:
    name: Said
    least: int
    most: int
    words: tuple[str, ...] = ()


_PARTS = (
    _Part(ours("minute"), 0, 59),
    _Part(ours("hour"), 0, 23),
    _Part(ours("day of month"), 1, 31),
    _Part(ours("month"), 1, 12, _MONTHS),
    _Part(ours("day of week"), 0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One parsed schedule: `fields` in cronsim's dialect, or a fixed distance `every_ms`."""

    text: str
    fields: str = ""
    every_ms: int = 0


@lru_cache(maxsize=4096)
def parse(text: str) -> Schedule:
    """A schedule.

    Raises:
        LanguageError: it is none, or no day is ever meant (30 February).
    """
    words = text.split()
    if not words or len(text) > MAX_CHARS:
        raise LanguageError(say("a schedule has five fields and at most {most} characters", most=MAX_CHARS), 0)
    if words[0] == "@every" and len(words) == 2:
        try:
            every_ms = durations.parse_go(words[1])
        except LanguageError:
            raise LanguageError(say("{text!r} is no duration; write 90m, 1h30m or 45s", text=words[1]), 0) from None
        # Shorter distances than a second are a second, fractions are cut, as in Argo's library.
        return Schedule(text, every_ms=max(1000, every_ms // 1000 * 1000))
    if len(words) == 1 and words[0] in _NAMED:
        return Schedule(text, fields=_NAMED[words[0]])
    if words[0].startswith("@"):
        raise LanguageError(
            say("{text!r} is not one of {names} or '@every' with a duration", text=text, names=", ".join(_NAMED)), 0
        )
    if len(words) != len(_PARTS):
        raise LanguageError(
            say("{count} fields found, five wanted: minute hour day-of-month month day-of-week", count=len(words)), 0
        )
    fields = " ".join(_field(word, part) for word, part in zip(words, _PARTS, strict=True))
    try:
        # Whether any day is ever meant shows only by looking for one.
        next(CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise LanguageError(say("{text!r} never comes: no month has such a day", text=text), 0) from None
    return Schedule(text, fields=fields)


def _field(word: str, part: _Part) -> str:
    """One field in cronsim's dialect."""
    terms = [_term(term, part) for term in word.split(",")]
    return "*" if "*" in terms else ",".join(terms)


def _term(term: str, part: _Part) -> str:
    span, slash, step_text = term.partition("/")
    step = 1
    if slash:
        if not re.fullmatch(r"[0-9]{1,4}", step_text) or int(step_text) == 0:
            raise _bad(term, part, ours("a step is a number from 1 on"))
        step = int(step_text)
    if span in ("*", "?"):
        # A star with a step is no star when the two day fields are joined, so it must not look like one.
        return "*" if step == 1 else f"{part.least}-{part.most}/{step}"
    low_text, dash, high_text = span.partition("-")
    low = _number(low_text, term, part)
    high = _number(high_text, term, part) if dash else (part.most if slash else low)
    if high < low:
        raise _bad(term, part, ours("a range goes upwards"))
    return f"{low}-{high}/{step}" if high > low or slash else str(low)


def _number(word: str, term: str, part: _Part) -> int:
    if word.lower() in part.words:
        return part.words.index(word.lower()) + part.least
    if re.fullmatch(r"[0-9]{1,4}", word) and part.least <= int(word) <= part.most:
        return int(word)
    if part.words:
        first, last = part.words[0], part.words[-1]
        allowed = say("allowed is {least}-{most} or {first}-{last}", least=part.least, most=part.most, first=first, last=last)
    else:
        allowed = say("allowed is {least}-{most}", least=part.least, most=part.most)
    raise _bad(term, part, allowed)


def _bad(term: str, part: _Part, why: Said) -> LanguageError:
    return LanguageError(say("{term!r} is not a {part}: {why}", term=term[:40], part=part.name, why=why))


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """A time zone by its name in the IANA database; "" is UTC.

    Raises:
        LanguageError: there is none of that name.
    """
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LanguageError(say("there is no time zone {name!r}", name=name[:60])) from None


def next_after(schedules: Sequence[Schedule], zone_: tzinfo, after_ms: int, *, anchor_ms: int) -> int | None:
    """The first time after `after_ms` that any of the schedules is due; None: never again.

    Args:
        anchor_ms: from where `@every` counts.
    """
    found = [_next(schedule, zone_, after_ms, anchor_ms) for schedule in schedules]
    return min((at for at in found if at is not None), default=None)


def latest_until(schedules: Sequence[Schedule], zone_: tzinfo, until_ms: int, *, anchor_ms: int) -> int | None:
    """The last time up to and including `until_ms` that any of the schedules was due; None: never before."""
    found = [_latest(schedule, zone_, until_ms, anchor_ms) for schedule in schedules]
    return max((at for at in found if at is not None), default=None)


def _next(schedule: Schedule, zone_: tzinfo, after_ms: int, anchor_ms: int) -> int | None:
    if schedule.every_ms:
        start = anchor_ms // 1000 * 1000
        turns = max(0, (after_ms - start) // schedule.every_ms) + 1
        return start + turns * schedule.every_ms
    try:
        coming = CronSim(schedule.fields, datetime.fromtimestamp(after_ms / 1000, zone_))
        # Asked inside an hour that comes twice, the iterator may begin with the time's first coming, which is past.
        for at in islice(coming, 4):
            if _ms(at) > after_ms:
                return _ms(at)
    except (StopIteration, OverflowError, ValueError):
        pass
    return None


def _latest(schedule: Schedule, zone_: tzinfo, until_ms: int, anchor_ms: int) -> int | None:
    if schedule.every_ms:
        start = anchor_ms // 1000 * 1000
        turns = (until_ms - start) // schedule.every_ms
        return start + turns * schedule.every_ms if turns > 0 else None
    # Only the forward direction says once and for all when a schedule is due, so the past is searched forwards, in
    # windows that grow: few turns for any schedule, for what is frequent is found in a short window.
    for reach_ms in _REACH_MS:
        found = None
        here = _next(schedule, zone_, until_ms - reach_ms, anchor_ms)
        while here is not None and here <= until_ms:
            found = here
            here = _next(schedule, zone_, here, anchor_ms)
        if found is not None:
            return found
    return None


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000
