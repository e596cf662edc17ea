"""Price versions: which applies when, how they compare, what a use costs, and the CSV there and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.sites.models import Price
from fubini.sites.pricecsv import COLUMNS, ERRORS_MAX, parse, write
from fubini.sites.prices import (
    GIB,
    HOUR_MS,
    RateChange,
    Rates,
    Use,
    changes,
    coming,
    cost_micros,
    in_force,
    price_set,
)
from fubini.sites.selectors import prices_now
from tests.support.rows import make_place

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class V:
    version: int
    valid_from: datetime


books = st.lists(st.integers(-6, 6), max_size=8).map(
    lambda hours: [V(n, BEGIN + timedelta(hours=h)) for n, h in enumerate(hours, start=1)]
)


@settings(deadline=None)
@given(books, st.integers(-8, 8))
def test_at_every_moment_the_last_beginning_applies_and_of_equals_the_last_made(book: list[V], hour: int) -> None:
    at = BEGIN + timedelta(hours=hour)
    found = in_force(book, at)
    begun = [v for v in book if v.valid_from <= at]
    assert (found is None) == (not begun)
    if found is not None:
        assert all((v.valid_from, v.version) <= (found.valid_from, found.version) for v in begun)
        assert in_force(book, found.valid_from) is found  # inclusive at its beginning
        assert in_force(book, found.valid_from - timedelta(microseconds=1)) is not found


@settings(deadline=None)
@given(books, st.integers(-8, 8))
def test_walking_through_what_comes_is_what_applies_at_every_later_moment(book: list[V], hour: int) -> None:
    at = BEGIN + timedelta(hours=hour)
    steps = coming(book, at)
    assert [v.valid_from for v in steps] == sorted({v.valid_from for v in book if v.valid_from > at})
    current = in_force(book, at)
    for later in range(hour, 9):
        moment = BEGIN + timedelta(hours=later)
        while steps and steps[0].valid_from <= moment:
            current = steps.pop(0)
        assert in_force(book, moment) is current


@settings(deadline=None)
@given(books, st.integers(-8, 8))
def test_what_is_made_now_or_later_changes_nothing_that_was(book: list[V], hour: int) -> None:
    now = BEGIN + timedelta(hours=hour)
    grown = [*book, V(99, now), V(100, now + timedelta(hours=2))]
    before = [now - timedelta(hours=h) for h in range(1, 16)] + [now - timedelta(microseconds=1)]
    assert [in_force(grown, at) for at in before] == [in_force(book, at) for at in before]


@pytest.mark.django_db
def test_a_planned_price_takes_place_whatever_is_made_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_place(core_hour_micros=1)
    now = clock.now()
    price_set(pool=place.pool, actor="user:ada", core_hour_micros=5, valid_from=now + timedelta(hours=2))
    price_set(pool=place.pool, actor="user:ada", core_hour_micros=3)
    seen = []
    for hours in (0, 1, 2, 3):
        monkeypatch.setattr(clock, "now", lambda hours=hours: now + timedelta(hours=hours, seconds=5))
        seen.append(prices_now()[place.pool.pk].core_hour_micros)
        assert seen[-1] == in_force(Price.objects.all(), clock.now()).core_hour_micros  # type: ignore[union-attr]
    assert seen == [3, 3, 5, 5]
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=1))
    for moment in (now, now + timedelta(hours=1, microseconds=-1)):
        with pytest.raises(Invalid, match="past"):
            price_set(pool=place.pool, actor="t", valid_from=moment)
    entry = AuditEntry.objects.filter(action="pool.price").first()
    assert entry is not None and entry.actor == "user:ada" and entry.data["core_hour_micros"] == 5


def test_changes_are_told_rate_by_rate_in_thousandths() -> None:
    before = Rates(core_hour_micros=200, device_hour_micros={"gpu": 10})
    after = Rates(core_hour_micros=250, start_micros=7, device_hour_micros={"fpga": 1})
    assert changes(before, after) == [
        RateChange("core_hour_micros", 200, 250, 250),
        RateChange("memory_gib_hour_micros", 0, 0, None),
        RateChange("start_micros", 0, 7, None),
        RateChange("egress_gib_micros", 0, 0, None),
        RateChange("device:fpga", 0, 1, None),
        RateChange("device:gpu", 10, 0, -1000),
    ]


def test_a_use_costs_its_hours_and_its_starts() -> None:
    rates = Rates(
        core_hour_micros=100, memory_gib_hour_micros=10, start_micros=3, egress_gib_micros=9, device_hour_micros={"gpu": 50}
    )  # fmt: skip
    hour = Use(starts=2, core_milli_ms=2000 * HOUR_MS, byte_ms=4 * GIB * HOUR_MS, device_ms={"gpu": HOUR_MS, "tpu": 5})
    assert cost_micros(rates, hour) == 2 * 3 + 200 + 40 + 50
    assert cost_micros(rates, Use(starts=1, core_milli_ms=1)) == 4  # what begins counts
    assert cost_micros(rates, Use()) == 0


rates = st.builds(
    Rates,
    *[st.integers(0, 10**15)] * 4,
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9./-]{0,20}", fullmatch=True), st.integers(0, 10**15), max_size=3),
)


@settings(deadline=None)
@given(st.lists(st.tuples(rates, st.integers(0, 10**6)), max_size=5))
def test_what_is_written_is_read_again(written: list[tuple[Rates, int]]) -> None:
    lines = [
        {
            "site": "lab", "pool": "big", "version": n, "valid_from": BEGIN + timedelta(seconds=at), "created_by": "=evil,\n",
            **{name: getattr(asked, name) for name in ("core_hour_micros", "memory_gib_hour_micros")},
            **{name: getattr(asked, name) for name in ("start_micros", "egress_gib_micros", "device_hour_micros")},
        }
        for n, (asked, at) in enumerate(written, start=1)
    ]  # fmt: skip
    text = "".join(write(lines))
    assert "\n=" not in text and ",=" not in text
    rows, errors = parse(text, "UTC")
    assert errors.found == []
    assert [(r.site, r.pool, r.version, r.valid_from, r.rates) for r in rows] == [
        ("lab", "big", n, BEGIN + timedelta(seconds=at), asked) for n, (asked, at) in enumerate(written, start=1)
    ]


HEADER = "site,pool,version,valid_from,core_hour_micros,device_hour_micros\n"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("", [(1, "", "empty")], id="nothing"),
        pytest.param("site,pool,colour\n", [(1, "colour", "column")], id="a column there is not"),
        pytest.param("site,site\n", [(1, "site", "column"), (1, "site", "column"), (1, "pool", "required")], id="a column twice"),
        pytest.param(HEADER + "lab,big,,,1.5,\n", [(2, "core_hour_micros", "number")], id="no micros"),
        pytest.param(HEADER + "lab,big,,,-1,\n", [(2, "core_hour_micros", "number")], id="below nothing"),
        pytest.param(HEADER + "lab,big,,,9999999999999999,\n", [(2, "core_hour_micros", "number")], id="too much"),
        pytest.param(HEADER + "lab,big,,,1,\n\n,big,,2026-12-01T00:00:00,1,gpu\n",
                     [(4, "site", "required"), (4, "device_hour_micros", "device"), (4, "valid_from", "time")],
                     id="several in one line, which is the file's"),
        pytest.param(HEADER + "lab,big,,tomorrow,1,gpu=x;gpu=1\n",
                     [(2, "device_hour_micros", "number"), (2, "device_hour_micros", "device"), (2, "valid_from", "time")],
                     id="a device twice"),
        pytest.param(HEADER + "lab,big\n", [(2, "", "cells")], id="too few cells"),
        pytest.param(HEADER + 'lab,"big\n', [(2, "", "csv")], id="a quote that does not end"),
    ],
)  # fmt: skip
def test_errors_come_with_line_and_column(text: str, want: list[tuple[int, str, str]]) -> None:
    _, errors = parse(text, "UTC")
    assert [(e["line"], e["path"], e["code"]) for e in errors.found] == want


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=300) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_no_text_breaks_the_reader(text: str) -> None:
    for one in (text, ",".join(COLUMNS) + "\n" + text):
        rows, errors = parse(one, "Asia/Shanghai")
        assert len(rows) <= 1000 and len(errors.found) <= ERRORS_MAX


def test_a_date_is_its_midnight_in_the_accounting_zone() -> None:
    rows, errors = parse(HEADER + "lab,big,,2026-12-01,1,\nlab,big,,now,1,gpu=2\n", "Asia/Shanghai")
    assert errors.found == []
    assert rows[0].valid_from == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert (rows[1].valid_from, rows[1].rates.device_hour_micros) == (None, {"gpu": 2})
