"""Durations as manifests write them: Go's `1h30m`, a plain count of seconds, and Slurm's `HH:MM:SS` for walltimes.

Results are integer milliseconds, or seconds where the name says so, rounded up.
"""

from __future__ import annotations

import re
from decimal import Decimal

from fubini.language.errors import LanguageError

_UNIT_MS = {
    "ns": Decimal("0.000001"),
    "us": Decimal("0.001"),
    "µs": Decimal("0.001"),
    "μs": Decimal("0.001"),
    "ms": Decimal(1),
    "s": Decimal(1000),
    "m": Decimal(60_000),
    "h": Decimal(3_600_000),
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d{1,2})(?::(\d{1,2}))?")
_MAX_MS = 2**63 // 1_000_000


def parse_go(text: str) -> int:
    """Milliseconds of a Go duration such as ``1h15m30.918s``; may be negative.

    Raises:
        LanguageError: worded as Go words it.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    total, at = Decimal(0), 0
    while at < len(body):
        match = _PART.match(body, at)
        if match is None:
            digits = re.match(r"[\d.]*", body[at:])
            rest = body[at + (digits.end() if digits else 0) :]
            unit = re.match(r"[^\d.]*", rest)
            if digits and digits.end() and not rest:
                raise LanguageError(f'time: missing unit in duration "{text}"', at)
            if digits and digits.end() and unit:
                raise LanguageError(f'time: unknown unit "{unit.group()}" in duration "{text}"', at)
            raise LanguageError(f'time: invalid duration "{text}"', at)
        total += Decimal(match.group(1)) * _UNIT_MS[match.group(2)]
        at = match.end()
    if not body:
        raise LanguageError(f'time: invalid duration "{text}"', 0)
    if total > _MAX_MS:
        raise LanguageError(f'time: invalid duration "{text}"', 0)
    value = int(total)
    return -value if text.startswith("-") else value


def parse(text: str) -> int:
    """Milliseconds of a plain count of seconds or a Go duration, as manifests' `duration` and `timeout` are read.

    Raises:
        LanguageError: neither.
    """
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text) * 1000
    return parse_go(text)


def parse_walltime_s(text: str) -> int:
    """Seconds of a walltime: seconds, ``[D-]HH:MM[:SS]`` or a Go duration.

    Raises:
        LanguageError: none of them, or not positive.
    """
    stripped = text.strip()
    clock = _CLOCK.fullmatch(stripped)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        total_s = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    else:
        try:
            total_s = -(-parse(stripped) // 1000)
        except LanguageError:
            raise LanguageError(
                f'walltime "{text}" is not a duration: write seconds (3600), a clock time (01:00:00) or 1h30m'
            ) from None
    if total_s <= 0:
        raise LanguageError(f'walltime "{text}" must be longer than zero')
    return total_s


def humanize(milliseconds: int) -> str:
    """A duration in the words of the messages Argo shows ("1 minute 30 seconds")."""
    seconds, ms = divmod(milliseconds, 1000)
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    if not parts:
        return f"{ms} milliseconds" if ms else "0 seconds"
    return " ".join(parts[:2])
