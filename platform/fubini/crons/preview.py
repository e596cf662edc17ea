"""What lines somebody is writing mean: each in words or with its fault, and when they would be due. Pure but for the time given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fubini.language import cronwords, schedules
from fubini.language.errors import LanguageError

NEXT_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line; either `error` or `words` (by language)."""

    text: str
    error: str
    words: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Preview:
    lines: list[Line]
    zone_error: str
    next_ms: list[int]


def words_of(line: str) -> dict[str, str]:
    """A schedule in all languages; what cannot be read (any more) as it is written."""
    try:
        parsed = schedules.parse(line)
    except LanguageError:
        return dict.fromkeys(cronwords.LANGUAGES, line)
    return {language: cronwords.words(parsed, language) for language in cronwords.LANGUAGES}


def preview(lines: Sequence[str], timezone: str, now_ms: int) -> Preview:
    """Every line judged by itself; ticks only where all of it can be read."""
    judged = [_line(text) for text in lines]
    try:
        zone, zone_error = schedules.zone(timezone), ""
    except LanguageError as error:
        zone, zone_error = None, error.message
    coming: list[int] = []
    if zone is not None and not any(line.error for line in judged):
        parsed = [schedules.parse(text) for text in lines]
        at: int | None = now_ms
        while at is not None and len(coming) < NEXT_SHOWN:
            at = schedules.next_after(parsed, zone, at, anchor_ms=now_ms)
            coming += [at] if at is not None else []
    return Preview(judged, zone_error, coming)


def _line(text: str) -> Line:
    try:
        schedules.parse(text)
    except LanguageError as error:
        return Line(text, error.message, None)
    return Line(text, "", words_of(text))
