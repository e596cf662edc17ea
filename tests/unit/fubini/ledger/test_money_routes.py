"""What a project can see of its money, and who may give it some."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.ledger.services import Settlement, holds_settle
from tests.support.rest import House, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def spent() -> House:
    """10,000,000 micros given; one run paid 40,000, one attempt is still held with 100,000."""
    house = make_house(budget_micros=10_000_000)
    place = make_place()
    done = make_attempt(make_task(make_run(house.project)), place)
    holds_settle([Settlement(done.pk, 40_000)], at_ms=clock.now_ms())
    make_attempt(make_task(make_run(house.project)), place)
    return house


def test_the_budget_is_shown_in_its_three_parts(spent: House) -> None:
    assert spent.api["viewer"].get(f"projects/{spent.project.slug}/budget").json() == {
        "budget_micros": 9_860_000,
        "held_micros": 100_000,
        "spent_micros": 40_000,
        "granted_micros": 10_000_000,
    }


def test_only_administrators_give_and_take_budget(spent: House) -> None:
    path, admin = f"projects/{spent.project.slug}/budget", api_of(make_admin())
    problem_of(spent.api["owner"].post(path, {"amount_micros": 5}), 403)
    assert admin.post(path, {"amount_micros": 140_000, "note": "may"}).json()["budget_micros"] == 10_000_000
    assert admin.post(path, {"amount_micros": -10_000_000}).json()["budget_micros"] == 0
    refused = problem_of(admin.post(path, {"amount_micros": -1}), 409, "budget")
    assert refused["missing_micros"] == 1
    problem_of(admin.post(path, {"amount_micros": 0}), 422)
    problem_of(admin.post(path, {"amount_micros": 1.5}), 422)


def test_a_repeated_key_gives_budget_once(spent: House) -> None:
    path, admin = f"projects/{spent.project.slug}/budget", api_of(make_admin())
    for _ in range(3):
        answer = admin.post(path, {"amount_micros": 1000}, Idempotency_Key="pay-1")
    assert answer.json()["budget_micros"] == 9_861_000


def test_the_statement_adds_up_to_the_budget(spent: House) -> None:
    rows = spent.api["viewer"].get(f"projects/{spent.project.slug}/ledger").json()["results"]
    assert [row["kind"] for row in rows] == ["hold", "settle", "hold", "topup"]
    assert sum(row["budget_micros"] for row in rows) == 9_860_000
    assert sum(row["held_micros"] for row in rows) == 100_000
    assert sum(row["spent_micros"] for row in rows) == 40_000


def test_the_statement_is_filtered_by_kind_run_and_time(spent: House) -> None:
    path, api = f"projects/{spent.project.slug}/ledger", spent.api["viewer"]
    run = api.get(f"{path}?kind=settle").json()["results"][0]["run_id"]
    assert {row["run_id"] for row in api.get(f"{path}?run={run}").json()["results"]} == {run}
    assert api.get(f"{path}?until=2020-01-01T00:00:00Z").json()["results"] == []
    assert len(api.get(f"{path}?since=2020-01-01T00:00:00Z").json()["results"]) == 4
    problem_of(api.get(f"{path}?kind=gift"), 422)
    problem_of(api.get(f"{path}?since=yesterday"), 422)


def test_the_csv_has_every_line_and_no_formula(spent: House) -> None:
    admin = api_of(make_admin())
    admin.post(f"projects/{spent.project.slug}/budget", {"amount_micros": 5, "note": "=cmd|x"})
    response = spent.api["viewer"].get(f"projects/{spent.project.slug}/ledger.csv")
    assert response["Content-Type"].startswith("text/csv")
    assert response.is_async  # else a server would take it in whole before it sends any of it
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))  # type: ignore[arg-type]
    assert [row["kind"] for row in rows] == ["topup", "hold", "settle", "hold", "topup"]
    assert sum(int(row["spent_micros"]) for row in rows) == 40_000
    assert {row["currency"] for row in rows} == {"CNY"}
    assert rows[-1]["note"] == "'=cmd|x"


def test_costs_by_run_say_what_is_spent_and_held(spent: House) -> None:
    rows = spent.api["viewer"].get(f"projects/{spent.project.slug}/costs").json()["results"]
    assert [(row["spent_micros"], row["held_micros"], row["attempts"]) for row in rows] == [
        (0, 100_000, 0),
        (40_000, 0, 1),
    ]


def test_pages_of_money_cost_few_queries(spent: House) -> None:
    place = make_place("more")
    for _ in range(15):
        make_attempt(make_task(make_run(spent.project)), place)
    spent.api["viewer"].get("me")
    for path in ("ledger", "costs", "budget"):
        with CaptureQueriesContext(connection) as caught:
            spent.api["viewer"].get(f"projects/{spent.project.slug}/{path}")
        assert len(caught) < 10, path
