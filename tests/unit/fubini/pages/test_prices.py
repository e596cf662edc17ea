"""Price books over REST: who reads and makes versions, what they would have cost, CSV in, and that nothing booked changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.dispatch.loop import Loop
from fubini.ledger.accounting import books
from fubini.ledger.months import month_statement, months_close, statement_csv
from fubini.pages import prices
from fubini.runs.models import Attempt
from fubini.sites.models import Price
from tests.support.rest import Api, House, api_of, make_admin, make_house, problem_of
from tests.support.rows import Place, make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000


@pytest.fixture
def admin() -> Api:
    return api_of(make_admin())


@pytest.fixture
def place() -> Place:
    return make_place(core_hour_micros=1_000_000)


@pytest.fixture
def house() -> House:
    return make_house(budget_micros=100_000_000)


def ended(house: House, place: Place, at_ms: int, *, hours: int = 1, **more: Any) -> Attempt:
    """An attempt of one core that ran for some hours and ended at a moment."""
    attempt = make_attempt(make_task(make_run(house.project)), place)
    values = {"state": "succeeded", "started_at_ms": at_ms - hours * HOUR_MS, "finished_at_ms": at_ms, "ended_at_ms": at_ms}
    Attempt.objects.filter(pk=attempt.pk).update(**(values | more))
    return attempt


def test_administrators_alone_see_all_books_and_make_versions(admin: Api, house: House, place: Place) -> None:
    later = (clock.now() + timedelta(days=2)).isoformat()
    assert admin.post(f"pools/{place.pool.pk}/prices", {"core_hour_micros": 2, "valid_from": later}).status_code == 201
    assert admin.post(f"pools/{place.pool.pk}/prices", {"core_hour_micros": 3, "valid_from": later}).status_code == 201
    (book,) = admin.get("admin/prices").json()["results"]
    assert [(v["version"], v["state"]) for v in book["versions"]] == [(3, "next"), (2, "replaced"), (1, "now")]
    assert (book["site"], book["pool"], book["more"]) == ("lab", "lab", 0)
    yesterday = (clock.now() - timedelta(days=1)).isoformat()
    problem_of(admin.post(f"pools/{place.pool.pk}/prices", {"valid_from": yesterday}), 422)
    owner = house.api["owner"]
    for reply in (
        owner.get("admin/prices"),
        owner.get("admin/prices.csv"),
        owner.post("admin/prices/csv", {"csv": "x", "check": True}),
        owner.post(f"pools/{place.pool.pk}/prices/preview", {}),
    ):
        problem_of(reply, 403)
    assert Price.objects.count() == 3
    (rate,) = owner.get(f"projects/{house.project.slug}/money").json()["prices"]
    assert (rate["version"], rate["next"]["version"], rate["next"]["core_hour_micros"]) == (1, 3, 3)
    place.pool.projects.add(make_house().project)  # kept for others now: not even there
    problem_of(owner.post(f"pools/{place.pool.pk}/prices/preview", {}), 404)


def test_a_preview_tells_what_the_last_month_would_have_cost(
    admin: Api, house: House, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = clock.now_ms()
    ended(house, place, now_ms, hours=2)
    ended(house, place, now_ms, hours=4, state="failed", cause="user")
    ended(house, place, now_ms, hours=8, state="failed", cause="node")  # the site bears it
    ended(house, make_place("other"), now_ms)
    path, body = f"pools/{place.pool.pk}/prices/preview", {"core_hour_micros": 1_500_000, "start_micros": 10}
    found = admin.post(path, body).json()
    assert (found["cost_now_micros"], found["cost_then_micros"]) == (6_000_000, 9_000_020)
    basis = found["basis"]
    assert (basis["running"], basis["attempts"], basis["core_ms"], basis["whole"]) == (True, 2, 6 * HOUR_MS, True)
    assert found["changes"][0] | {} == {
        "rate": "core_hour_micros", "before_micros": 1_000_000, "after_micros": 1_500_000, "permille": 500,
    }  # fmt: skip
    assert Price.objects.count() == 2
    month_end = books().month_bounds_ms(books().month_of(now_ms))[1]
    monkeypatch.setattr(clock, "now_ms", lambda: month_end + HOUR_MS)  # the month is the last one now
    assert admin.post(path, body).json()["basis"] | {"booked_micros": 0} == basis | {"running": False}
    monkeypatch.setattr(prices, "ATTEMPTS_MAX", 2)
    cut = admin.post(path, body).json()["basis"]
    assert (cut["whole"], cut["attempts"]) == (False, 1)


def test_what_is_placed_or_closed_keeps_its_price(admin: Api, house: House, place: Place) -> None:
    month = books().month_of(clock.now_ms())
    task = make_task(make_run(house.project))
    Loop().cycle()
    attempt = Attempt.objects.get(task=task)
    last = month - 89 if month % 100 == 1 else month - 1
    months_close(project_id=house.project.pk, month=last, actor="t")
    before = "".join(statement_csv(month_statement(house.project.pk, last)))
    admin.post(f"pools/{place.pool.pk}/prices", {"core_hour_micros": 9_000_000})
    assert Attempt.objects.get(pk=attempt.pk).rates["core_hour_micros"] == 1_000_000
    assert "".join(statement_csv(month_statement(house.project.pk, last))) == before
    other = make_task(make_run(house.project))
    Loop().cycle()
    assert Attempt.objects.get(task=other).rates["core_hour_micros"] == 9_000_000


def test_a_downloaded_book_comes_back_with_lines_added(admin: Api, place: Place) -> None:
    text = b"".join(admin.get("admin/prices.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert admin.post("admin/prices/csv", {"csv": text}).json() == []
    day = (clock.now() + timedelta(days=40)).date().isoformat()
    added = text + f"lab,lab,,{day},2000000,0,0,0,nvidia.com/gpu=5,\nlab,lab,,now,500000,,,,,\n"
    checked = admin.post("admin/prices/csv", {"csv": added, "check": True}).json()
    assert [(one["line"], one["changes"][0]["permille"]) for one in checked] == [(3, 1000), (4, -500)]
    assert Price.objects.count() == 1
    assert len(admin.post("admin/prices/csv", {"csv": added}).json()) == 2
    assert [(p.version, p.core_hour_micros) for p in Price.objects.order_by("valid_from")] == [
        (1, 1_000_000), (3, 500_000), (2, 2_000_000),
    ]  # fmt: skip
    assert AuditEntry.objects.filter(action="pool.price").count() == 2


def test_errors_of_a_csv_are_told_in_place_and_nothing_is_made(admin: Api, place: Place) -> None:
    text = (
        "site,pool,version,valid_from,core_hour_micros\n"
        "lab,lab,,now,7\n"
        "lab,none,,now,7\n"
        "lab,lab,,2020-01-01,7\n"
        "lab,lab,1,,7\n"
        "lab,lab,5,,7\n"
        "lab,lab,,now,seven\n"
    )
    problem = problem_of(admin.post("admin/prices/csv", {"csv": text}), 422)
    assert [(e["line"], e["path"], e["code"]) for e in problem["errors"]] == [
        (3, "pool", "unknown"), (4, "valid_from", "range"), (5, "version", "frozen"), (6, "version", "unknown"),
        (7, "core_hour_micros", "number"),
    ]  # fmt: skip
    problem_of(admin.post("admin/prices/csv", {"csv": "site,pool\nlab"}), 422)
    assert Price.objects.count() == 1
