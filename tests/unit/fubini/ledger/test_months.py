"""Accounting days and months, and statements that never change once their month is closed."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.ids import new_id
from fubini.ledger.accounting import Books, month_after, month_from, month_of_day, month_text
from fubini.ledger.models import ClosedMonth, LedgerTransaction, Spend
from fubini.ledger.months import MonthOpen, month_statement, months_close, months_close_due, statement_csv
from fubini.ledger.services import (
    HoldRequest,
    Settlement,
    account_topup,
    correction_book,
    holds_place,
    holds_settle,
    ledger_check,
)

SHANGHAI = Books("CNY", "Asia/Shanghai")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(
    st.integers(0, 4_000_000_000_000),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]),
)
def test_every_moment_is_in_the_day_and_the_month_whose_bounds_hold_it(at_ms: int, zone: str) -> None:
    calendar = Books("X", zone)
    day = calendar.day_of(at_ms)
    assert calendar.day_start_ms(day) <= at_ms < calendar.day_start_ms(day + 1)
    begins, ends = calendar.month_bounds_ms(calendar.month_of(at_ms))
    assert begins <= at_ms < ends
    assert calendar.month_of(ends) == month_after(calendar.month_of(at_ms))
    assert calendar.month_of(at_ms) == month_of_day(day)


def test_a_day_begins_when_the_zone_says_so() -> None:
    assert SHANGHAI.month_of(ms("2026-10-31T15:59:59")) == 202610
    assert SHANGHAI.month_of(ms("2026-10-31T16:00:00")) == 202611
    assert month_text(month_after(month_from("2026-12"))) == "2027-01"
    for text in ("2026-13", "2026-1", "november", "0000-01"):
        with pytest.raises(Invalid):
            month_from(text)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Sets the clock; the moment in milliseconds."""

    def set_to(text: str) -> int:
        monkeypatch.setattr(clock, "now_ms", lambda: ms(text))
        return ms(text)

    return set_to


@pytest.fixture
def booked(at: Callable[[str], int], settings: Any) -> str:
    """A project that was given 1,000 in October and spent 100 of it in November; today is the 2nd of December."""
    settings.FUBINI = {**settings.FUBINI, "ACCOUNTING_ZONE": "Asia/Shanghai", "CURRENCY": "CNY"}
    project = new_id()
    at("2026-10-05T00:00:00")
    account_topup(project_id=project, amount_micros=1000, actor="user:admin", key=new_id(), note="=first")
    now = at("2026-11-10T00:00:00")
    hold(project, "a", now)
    holds_settle([Settlement("a", 100, step="md", outcome="failed")], at_ms=now)
    at("2026-12-02T00:00:00")
    return project


def hold(project: str, attempt: str, at_ms: int) -> None:
    assert holds_place([HoldRequest(attempt, project, "run", "site", "pool", 300)], at_ms=at_ms)


def text_of(project: str, month: int) -> str:
    return "".join(statement_csv(month_statement(project, month)))


def rows_of(project: str, month: int) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(project, month))))


@pytest.mark.django_db
def test_a_closed_months_statement_never_changes_whatever_is_booked_later(booked: str) -> None:
    before = {month: text_of(booked, month) for month in (202610, 202611)}
    closed = months_close(project_id=booked, month=202611, actor="user:admin")
    assert [row.month for row in closed] == [202610, 202611]
    assert [row.digest for row in closed] == [hashlib.sha256(before[m].encode()).hexdigest() for m in (202610, 202611)]
    late = ms("2026-11-20T00:00:00")  # a settlement whose time is in the closed month
    hold(booked, "b", late)
    holds_settle([Settlement("b", 50, step="md")], at_ms=late)
    correction_book(project_id=booked, amount_micros=30, note="the node was slow", actor="user:admin", key="c1")
    account_topup(project_id=booked, amount_micros=5, actor="user:admin", key=new_id())
    assert {month: text_of(booked, month) for month in (202610, 202611)} == before
    december = rows_of(booked, 202612)
    assert [row["kind"] for row in december] == ["opening", "hold", "settle", "correction", "topup", "closing"]
    assert december[1]["at"] == "2026-12-01T00:00:00.000+08:00"
    assert (december[3]["budget_micros"], december[3]["spent_micros"], december[3]["note"]) == (
        "30",
        "-30",
        "the node was slow",
    )
    assert ledger_check()["imbalance_micros"] == 0


@pytest.mark.django_db
def test_months_join_without_gap_and_close_once(booked: str) -> None:
    months_close(project_id=booked, month=202610, actor="user:admin")
    assert [row.month for row in months_close(project_id=booked, month=202611, actor="user:admin")] == [202611]
    assert months_close(project_id=booked, month=202611, actor="user:admin") == []
    first, second = ClosedMonth.objects.order_by("month")
    assert (first.to_ms, first.closing_micros) == (second.from_ms, second.opening_micros)
    assert second.closing_micros == {"budget": 900, "held": 0, "spent": 100}
    rows = rows_of(booked, 202611)
    assert [(row["kind"], row["spent_micros"]) for row in rows] == [
        ("opening", "0"), ("hold", "0"), ("settle", "100"), ("closing", "100"),
    ]  # fmt: skip
    assert {row["currency"] for row in rows} == {"CNY"}
    assert rows_of(booked, 202610)[1]["note"] == "'=first"


@pytest.mark.django_db
def test_a_month_that_goes_on_cannot_be_closed(booked: str, at: Callable[[str], int]) -> None:
    with pytest.raises(MonthOpen):
        months_close(project_id=booked, month=202612, actor="user:admin")
    at("2026-12-31T16:00:00")  # in Shanghai the year is over
    months_close(project_id=booked, month=202612, actor="user:admin")


@pytest.mark.django_db
def test_months_close_by_themselves_some_days_after_their_end(booked: str, at: Callable[[str], int]) -> None:
    assert months_close_due() == 1  # October; November ended a day ago
    assert months_close_due() == 0
    at("2026-12-12T00:00:00")
    assert months_close_due() == 1
    assert set(ClosedMonth.objects.values_list("month", "closed_by")) == {(202610, "system"), (202611, "system")}


@pytest.mark.django_db
def test_a_correction_is_booked_once_and_never_more_than_was_spent(booked: str) -> None:
    for _ in range(2):
        correction_book(project_id=booked, amount_micros=40, note="again", actor="user:admin", key="same")
    assert LedgerTransaction.objects.filter(kind="correction").count() == 1
    assert Spend.objects.get(outcome="correction").spent_micros == -40
    with pytest.raises(Invalid):
        correction_book(project_id=booked, amount_micros=61, note="too much", actor="user:admin", key="other")
    with pytest.raises(Invalid):
        correction_book(project_id=booked, amount_micros=1, note=" ", actor="user:admin", key="why")
