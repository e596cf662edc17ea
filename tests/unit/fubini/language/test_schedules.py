"""Cron schedules: what is one, and when it is due on days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fubini.language.errors import LanguageError
from fubini.language.schedules import latest_until, next_after, parse, zone

BERLIN = zone("Europe/Berlin")


def ms(text: str, tz: object = BERLIN, *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=tz, fold=fold).timestamp() * 1000)  # type: ignore[arg-type]


def coming(text: str, start: str, count: int, tz: object = BERLIN) -> list[str]:
    at, found = ms(start, tz), []
    for _ in range(count):
        following = next_after([parse(text)], tz, at, anchor_ms=ms(start, tz))  # type: ignore[arg-type]
        assert following is not None
        at = following
        found.append(datetime.fromtimestamp(at / 1000, tz).isoformat())  # type: ignore[arg-type]
    return found


def test_a_nightly_schedule_runs_once_on_the_day_its_hour_is_left_out() -> None:
    assert coming("30 2 * * *", "2026-03-28T12:00", 2) == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_nightly_schedule_runs_once_on_the_day_its_hour_comes_twice() -> None:
    assert coming("30 2 * * *", "2026-10-24T12:00", 2) == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


def test_a_nightly_schedule_asked_in_the_repeated_hour_waits_for_the_next_day() -> None:
    inside = ms("2026-10-25T02:10", fold=1)
    assert next_after([parse("30 2 * * *")], BERLIN, inside, anchor_ms=0) == ms("2026-10-26T02:30")
    assert latest_until([parse("30 2 * * *")], BERLIN, inside, anchor_ms=0) == ms("2026-10-25T02:30")


def test_a_half_hourly_schedule_goes_on_through_a_change_of_clocks() -> None:
    found = coming("*/30 * * * *", "2026-10-25T01:30", 6)
    assert [t[11:] for t in found] == [
        "02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00", "03:00:00+01:00", "03:30:00+01:00",
    ]  # fmt: skip


def test_either_day_field_suffices_where_neither_is_a_plain_star() -> None:
    # 2026-11-02 is a Monday; */2 means the odd days here and is no star.
    assert coming("0 0 */2 * MON", "2026-11-01T12:00", 2, UTC) == [
        "2026-11-02T00:00:00+00:00",
        "2026-11-03T00:00:00+00:00",
    ]
    assert coming("0 0 ? * mon", "2026-11-01T12:00", 1, UTC) == ["2026-11-02T00:00:00+00:00"]


def test_every_counts_from_its_anchor_in_whole_seconds() -> None:
    assert coming("@every 90s", "2026-11-01T12:00", 2, UTC) == [
        "2026-11-01T12:01:30+00:00",
        "2026-11-01T12:03:00+00:00",
    ]
    assert parse("@every 10ms").every_ms == 1000


def test_of_several_schedules_the_earliest_counts() -> None:
    both = [parse("0 3 * * *"), parse("@hourly")]
    assert next_after(both, UTC, ms("2026-11-01T01:10", UTC), anchor_ms=0) == ms("2026-11-01T02:00", UTC)
    assert latest_until(both, UTC, ms("2026-11-01T03:30", UTC), anchor_ms=0) == ms("2026-11-01T03:00", UTC)


def test_a_leap_day_is_found_across_years_without_one() -> None:
    assert next_after([parse("0 0 29 2 *")], UTC, ms("2024-03-01T00:00", UTC), anchor_ms=0) == ms(
        "2028-02-29T00:00", UTC
    )
    assert latest_until([parse("0 0 29 2 *")], UTC, ms("2028-02-01T00:00", UTC), anchor_ms=0) == ms(
        "2024-02-29T00:00", UTC
    )


@pytest.mark.parametrize(
    ("text", "want_reason"),
    [
        ("* * * *", "4 fields found"),
        ("0 * * * * *", "6 fields found"),
        ("60 * * * *", "not a minute"),
        ("* * * * 7", "not a day of week"),
        ("5-2 * * * *", "goes upwards"),
        ("*/0 * * * *", "a step"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 L * *", "not a day of month"),
        ("@dayly", "is not one of"),
        ("@every soon", "is no duration"),
        ("", "five fields"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_part_that_is_wrong(text: str, want_reason: str) -> None:
    with pytest.raises(LanguageError, match=want_reason):
        parse(text)


def test_an_unknown_time_zone_is_named() -> None:
    with pytest.raises(LanguageError, match="Mars/Olympus"):
        zone("Mars/Olympus")
    with pytest.raises(LanguageError):
        zone("../../etc/passwd")


_FIELDS = st.builds(
    lambda a, b, c, d, e: f"{a} {b} {c} {d} {e}",
    st.sampled_from(["*", "0", "30", "*/7", "5,35", "10-20/3"]),
    st.sampled_from(["*", "2", "1-3", "*/6", "0,2,23"]),
    st.sampled_from(["*", "1", "*/2", "28", "?"]),
    st.sampled_from(["*", "3", "oct", "3,10"]),
    st.sampled_from(["*", "sun", "1-5", "*/3"]),
)


_ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe"])


@given(text=_FIELDS, day=st.integers(0, 720), second=st.integers(0, 86_399), tz=_ZONES)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_latest_time_is_the_last_that_came_and_the_next_comes_after_it(
    text: str, day: int, second: int, tz: str
) -> None:
    there = ZoneInfo(tz)
    until = int((datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)).timestamp() * 1000)
    schedule = [parse(text)]
    latest = latest_until(schedule, there, until, anchor_ms=0)
    following = next_after(schedule, there, until, anchor_ms=0)
    assert latest is not None and latest <= until
    assert following is not None and following > until
    assert next_after(schedule, there, latest, anchor_ms=0) == following
