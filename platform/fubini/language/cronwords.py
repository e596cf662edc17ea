"""A cron schedule in words, English and Chinese: ``0 9 * * 1-5`` is "At 09:00, Monday to Friday".

Says what `schedules` does, no more and no less, from the times the fields mean rather than from how they are written:
`*/5` and `0-59/5` read alike, and two day fields are joined by "and", as either suffices. (Libraries for this read the
common dialect, where both have to hold.) Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from fubini.language.schedules import Schedule

LANGUAGES = ("en", "zh")
_TIMES_SHOWN = 6
_DAYS = {
    "en": ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
    "zh": ("周日", "周一", "周二", "周三", "周四", "周五", "周六"),
}
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
Values = tuple[int, ...] | None  # None: every one


def words(schedule: Schedule, language: str) -> str:
    """The schedule as a sentence without its full stop.

    Args:
        language: one of `LANGUAGES`.
    """
    zh = language == "zh"
    if schedule.every_ms:
        return f"每 {_span(schedule.every_ms, zh)}" if zh else f"Every {_span(schedule.every_ms, zh)}"
    minutes, hours, days, months, weekdays = (_values(field) for field in schedule.fields.split())
    times = _times_zh(minutes, hours) if zh else _times_en(minutes, hours)
    on = _days_zh(days, weekdays) if zh else _days_en(days, weekdays)
    if zh:
        month = "、".join(f"{m} 月" for m in months) if months else ""
        daily = "" if on or "每" in times else "每天"
        return (
            "，".join(part for part in (month, on) if part)
            + (" " if month or on else "")
            + f"{daily}{' ' if daily else ''}{times}"
        )
    daily = "" if on or "every" in times else " every day"
    month = "in " + ", ".join(_MONTHS_EN[m - 1] for m in months) if months else ""
    text = ", ".join(part for part in (times + daily, on, month) if part)
    return text[0].upper() + text[1:]


def _values(field: str) -> Values:
    if field == "*":
        return None
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, _, high = span.partition("-")
        found.update(range(int(low), int(high or low) + 1, int(step or 1)))
    return tuple(sorted(found))


def _step(values: Sequence[int], whole: int) -> int:
    """The distance of values that come evenly all round the clock; 0 where they do not."""
    if len(values) < 2:
        return 0
    step = values[1] - values[0]
    return step if whole % step == 0 and tuple(values) == tuple(range(values[0] % step, whole, step)) else 0


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours together: (first, last)."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def _numbers(values: Sequence[int], joint: str) -> str:
    return joint.join(str(a) if a == b else f"{a}-{b}" for a, b in _runs(values))


def _clock(minutes: Sequence[int], hours: Sequence[int]) -> list[str]:
    return [f"{h:02}:{m:02}" for h in hours for m in minutes]


def _times_en(minutes: Values, hours: Values) -> str:
    every = _every(minutes)
    if hours is None:
        if minutes == (0,):
            return "every hour"
        return (
            _rhythm_en(every)
            if every or minutes is None
            else f"at minute {_numbers(minutes or (), ', ')} of every hour"
        )
    if minutes is None or every:
        return f"{_rhythm_en(every)} {_between_en(hours)}"
    step = _step(hours, 24)
    if len(minutes) == 1 and step and len(hours) > _TIMES_SHOWN // 2:
        return (
            f"every {step} hours from {_clock(minutes, hours)[0]}"
            if step > 1
            else f"at minute {minutes[0]} of every hour"
        )
    if len(minutes) * len(hours) <= _TIMES_SHOWN:
        return "at " + ", ".join(_clock(minutes, hours))
    return f"at minute {_numbers(minutes, ', ')} {_between_en(hours)}"


def _times_zh(minutes: Values, hours: Values) -> str:
    every = _every(minutes)
    if hours is None:
        if minutes == (0,):
            return "每小时整点"
        return _rhythm_zh(every) if every or minutes is None else f"每小时第 {_numbers(minutes or (), '、')} 分"
    if minutes is None or every:
        return f"{_between_zh(hours)}{_rhythm_zh(every)}"
    step = _step(hours, 24)
    if len(minutes) == 1 and step and len(hours) > _TIMES_SHOWN // 2:
        return f"从 {_clock(minutes, hours)[0]} 起每 {step} 小时" if step > 1 else f"每小时第 {minutes[0]} 分"
    if len(minutes) * len(hours) <= _TIMES_SHOWN:
        return "、".join(_clock(minutes, hours))
    return f"{_between_zh(hours)}每小时第 {_numbers(minutes, '、')} 分"


def _every(minutes: Values) -> tuple[int, int] | None:
    """(distance, first minute) of minutes that come evenly; None where they do not."""
    step = _step(minutes, 60) if minutes else 0
    return (step, minutes[0]) if step and minutes else None


def _rhythm_en(every: tuple[int, int] | None) -> str:
    if every is None or every[0] == 1:
        return "every minute"
    return f"every {every[0]} minutes" + (f" from minute {every[1]}" if every[1] else "")


def _rhythm_zh(every: tuple[int, int] | None) -> str:
    if every is None or every[0] == 1:
        return "每分钟"
    return (f"从第 {every[1]} 分起" if every[1] else "") + f"每 {every[0]} 分钟"


def _between_en(hours: Sequence[int]) -> str:
    runs = _runs(hours)
    if len(runs) == 1:
        return f"between {runs[0][0]:02}:00 and {runs[0][1]:02}:59"
    return f"in the hours {_numbers(hours, ', ')}"


def _between_zh(hours: Sequence[int]) -> str:
    runs = _runs(hours)
    if len(runs) == 1:
        return f"{runs[0][0]:02}:00 至 {runs[0][1]:02}:59 之间"
    return f"{_numbers(hours, '、')} 点内"


def _week(weekdays: Sequence[int], language: str, joint: str, to: str) -> str:
    names = _DAYS[language]
    parts = []
    for first, last in _runs(weekdays):
        if last - first >= 2:
            parts.append(f"{names[first]}{to}{names[last]}")
        else:
            parts += [names[day] for day in range(first, last + 1)]
    return joint.join(parts)


def _days_en(days: Values, weekdays: Values) -> str:
    parts = []
    if days is not None:
        parts.append(f"on day {_numbers(days, ', ')} of the month")
    if weekdays is not None:
        week = _week(weekdays, "en", ", ", " to ")
        parts.append(week if " to " in week and days is None else f"on {week}")
    return " and ".join(parts)


def _days_zh(days: Values, weekdays: Values) -> str:
    parts = []
    if days is not None:
        parts.append(f"每月 {_numbers(days, '、')} 日")
    if weekdays is not None:
        parts.append(_week(weekdays, "zh", "、", "至") if days is None else f"每逢{_week(weekdays, 'zh', '、', '至')}")
    return "以及".join(parts)


def _span(ms: int, zh: bool) -> str:
    units = ((3_600_000, "小时" if zh else "h"), (60_000, "分钟" if zh else "min"), (1000, "秒" if zh else "s"))
    parts = []
    for unit, name in units:
        count, ms = divmod(ms, unit)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts)
