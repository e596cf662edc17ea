"""A project's home page: what waits first, money and runs by day, pools; a fixed number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.runs.models import RunNode, RunTimer
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


def test_it_tells_money_runs_by_day_and_pools() -> None:
    house = make_house(budget_micros=1_000_000)
    place = make_place()
    make_run(house.project, state="succeeded", phase="Succeeded")
    make_run(house.project, state="failed", phase="Failed", created_at_ms=clock.now_ms() - 3 * 86_400_000)
    make_run(house.project, state="failed", phase="Failed", created_at_ms=clock.now_ms() - 90 * 86_400_000)
    make_attempt(make_task(make_run(house.project)), place, hold_micros=100_000)
    found = house.api["viewer"].get(f"projects/{house.project.slug}/overview").json()
    assert found["budget"] == {
        "budget_micros": 900_000, "held_micros": 100_000, "spent_micros": 0, "granted_micros": 1_000_000,
    }  # fmt: skip
    assert found["states"] == {"pending": 0, "running": 1, "succeeded": 1, "failed": 2, "error": 0}
    assert len(found["days"]) == 14
    assert [found["days"][-1][k] for k in ("succeeded", "failed", "live")] == [1, 0, 1]
    assert found["days"][-4]["failed"] == 1
    (pool,) = found["pools"]
    assert (pool["name"], pool["used_cpu_millis"], pool["capacity_cpu_millis"], pool["running"]) == (
        "lab",
        1000,
        4000,
        1,
    )
    assert (found["waiting"], found["running"]) == (0, 1)


def test_the_run_that_waits_longest_comes_first_with_its_reason() -> None:
    house = make_house()
    new, old = make_run(house.project, name="new"), make_run(house.project, name="old")
    make_task(new)
    make_task(old, why=[{"code": "budget", "missing_micros": 5}], why_since_ms=clock.now_ms() - 60_000)
    make_run(house.project, name="busy")
    suspended = make_run(house.project, name="suspended", suspended=True, created_at_ms=clock.now_ms() - 1000)
    found = house.api["viewer"].get(f"projects/{house.project.slug}/overview").json()
    assert [(a["run"]["name"], a["code"], a["waiting"]) for a in found["attention"]] == [
        ("old", "budget", 1), (suspended.name, "suspended", 0), ("new", "", 1),
    ]  # fmt: skip


def test_what_waits_for_an_answer_one_may_give_comes_first_and_names_its_step() -> None:
    house, now = make_house(), clock.now_ms()
    waits, asks, sleeps = (make_run(house.project, name=name) for name in ("waits", "asks", "sleeps"))
    make_task(waits, why=[{"code": "budget", "missing_micros": 5}], why_since_ms=now - 3_600_000)
    for number, (run, step, age_s) in enumerate([(asks, "approve", 720), (asks, "sign", 60), (sleeps, "nap", 900)]):
        RunNode.objects.create(
            run=run, node_id=f"n-{number}", name=f"{run.name}.{step}", display_name=step, type="Suspend", phase="Running",
            started_at_ms=now - age_s * 1000,
        )  # fmt: skip
    RunTimer.objects.create(run=sleeps, key="suspend:n-2", at_ms=now + 60_000)  # it goes on by itself
    other = make_run(make_project(), name="other")
    RunNode.objects.create(run=other, node_id="o", name="o", display_name="o", type="Suspend", phase="Running")
    found = {who: house.api[who].get(f"projects/{house.project.slug}/overview").json()["attention"] for who in ("member", "viewer")}
    answer = {"node_id": "n-0", "step": "approve", "since_ms": now - 720_000, "more": 1, "may": True}
    assert [(a["run"]["name"], a["answer"]) for a in found["member"]] == [("asks", answer), ("waits", None)]
    # A viewer cannot answer: there it is one of those that wait.
    assert [(a["run"]["name"], a["answer"] and a["answer"]["may"]) for a in found["viewer"]] == [("waits", None), ("asks", False)]


def test_what_waits_for_people_is_found_by_its_own_index() -> None:
    nodes = RunNode.objects.filter(type="Suspend", phase="Running", run="r").order_by("started_at_ms")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("set local enable_seqscan = off")  # of an empty table, reading all of it is cheapest
        assert "run_node_waits" in nodes.explain()


def test_another_projects_page_is_not_there() -> None:
    house, other = make_house(), make_project()
    problem_of(house.api["owner"].get(f"projects/{other.slug}/overview"), 404)


def test_the_number_of_queries_does_not_grow_with_what_there_is() -> None:
    house = make_house(budget_micros=10_000_000)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert house.api["viewer"].get(f"projects/{house.project.slug}/overview").status_code == 200
        return len(seen)

    make_attempt(make_task(make_run(house.project)), make_place("a"))
    make_task(make_run(house.project))
    few = queries()
    for n in range(12):
        make_attempt(make_task(make_run(house.project)), make_place(f"s{n}"))
        make_task(make_run(house.project))
    assert queries() <= few <= 22
