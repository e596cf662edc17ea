"""A run's placement tab: where, why there, what else was considered, and which pools cannot run such a step."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.dispatch.loop import Loop
from fubini.runs.engine import Resources, TaskSpec
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


def test_it_tells_where_why_and_what_else_was_considered() -> None:
    house = make_house(budget_micros=10**9)
    make_place("near", preference=1)
    make_place("far", preference=2)
    make_place("tiny", cpu_millis=500, preference=3)
    run = make_run(house.project)
    spec = TaskSpec(
        template="work", image="busybox", argv=("true",), walltime_s=100, resources=Resources(cpu_millis=1000)
    )
    for _ in range(3):
        make_task(run, spec=spec)
    Loop().cycle()
    found = house.api["viewer"].get(f"runs/{run.pk}/placement").json()
    assert (found["attempts"], found["truncated"]) == (3, False)
    (row,) = found["rows"]
    assert (row["template"], row["pool"], row["why"], row["attempts"]) == ("work", "near", "local_first", 3)
    chosen, other = row["considered"]
    assert (chosen["pool"], chosen["not_chosen"], other["pool"], other["not_chosen"]) == (
        "near",
        "",
        "far",
        "local_first",
    )
    assert chosen["finish_in_ms"] >= chosen["start_in_ms"]
    (refused,) = row["refused"]
    assert (refused["pool"], refused["code"], refused["figures"]["limit"]) == ("tiny", "cpu_too_large", 500)


def test_the_number_of_queries_does_not_grow() -> None:
    house = make_house(budget_micros=10**9)
    make_place("near")
    run = make_run(house.project)

    def count() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert house.api["viewer"].get(f"runs/{run.pk}/placement").status_code == 200
        return len(seen)

    make_task(run)
    Loop().cycle()
    count()
    few = count()
    for _ in range(8):
        make_task(run)
    Loop().cycle()
    assert count() <= few + 1


def test_another_projects_run_is_not_told() -> None:
    house = make_house()
    problem_of(house.api["owner"].get(f"runs/{make_run(make_project()).pk}/placement"), 404)
