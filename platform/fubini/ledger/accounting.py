"""The calendar of money: accounting days and months in the installation's one currency and one time zone.

Everything that groups money by time asks here, so that a page, a statement and a forecast mean the same day. A day is the
number of the local date since 1970-01-01; a month is the number ``yyyymm``. Bounds are milliseconds since the epoch, from
inclusive, to exclusive. Pure but for `books`, which reads the settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings

from fubini.common.errors import Invalid
from fubini.common.figures import money
from fubini.common.saying import say

EPOCH: Final = date(1970, 1, 1)
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Books:
    """The currency (an ISO 4217 code, or the installation's own word) and the zone that days begin and end in."""

    currency: str
    zone: str

    def money(self, micros: int) -> str:
        """A sum as people read it, in the installation's currency."""
        return money(micros, self.currency)

    def day_of(self, at_ms: int) -> int:
        """The accounting day of a moment."""
        return (datetime.fromtimestamp(at_ms / 1000, _zone(self.zone)).date() - EPOCH).days

    def day_start_ms(self, day: int) -> int:
        """When an accounting day begins."""
        return _start_ms(EPOCH + timedelta(days=day), self.zone)

    def month_of(self, at_ms: int) -> int:
        """The accounting month of a moment."""
        return month_of_day(self.day_of(at_ms))

    def month_bounds_ms(self, month: int) -> tuple[int, int]:
        """When an accounting month begins, and when the next one does."""
        return _start_ms(_first(month), self.zone), _start_ms(_first(month_after(month)), self.zone)


def books() -> Books:
    """The installation's."""
    options = dict(settings.FUBINI)
    return Books(str(options["CURRENCY"]), str(options["ACCOUNTING_ZONE"]))


def date_of(day: int) -> date:
    """The calendar date of a day's number."""
    return EPOCH + timedelta(days=day)


def day_of_date(of: date) -> int:
    """The number of a calendar date."""
    return (of - EPOCH).days


def month_of_day(day: int) -> int:
    found = date_of(day)
    return found.year * 100 + found.month


def month_days(month: int) -> tuple[int, int]:
    """The first day of a month and the first one behind it."""
    return day_of_date(_first(month)), day_of_date(_first(month_after(month)))


def month_after(month: int) -> int:
    return month + 89 if month % 100 == 12 else month + 1


def month_text(month: int) -> str:
    """As people write it: ``2026-11``."""
    return f"{month // 100:04d}-{month % 100:02d}"


def month_from(text: str) -> int:
    """A month as people write it.

    Raises:
        Invalid: it is not ``yyyy-mm``.
    """
    found = _MONTH.fullmatch(text)
    if found is None or found[1] == "0000":
        raise Invalid(
            say(
                "{text!r} is not a month.",
                text=text[:20],
            ),
            next_step="Write it like 2026-11.",
            found=text[:20],
        )
    return int(found[1]) * 100 + int(found[2])


def _first(month: int) -> date:
    return date(month // 100, month % 100, 1)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def _start_ms(of: date, zone: str) -> int:
    """Midnight there; where a clock change skips it, the first moment of the day."""
    local = datetime.combine(of, time(), _zone(zone))
    return int(local.astimezone(UTC).timestamp() * 1000)
