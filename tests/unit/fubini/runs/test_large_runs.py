"""Lists at the size that hurts: 1,000 runs and runs of thousands of nodes cost a page what a small one costs."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.datasets.models import Artifact
from fubini.runs import selectors
from fubini.runs.models import Run, RunNode, Task
from tests.support.rest import House, make_house
from tests.support.rows import make_run

NODES, RUNS = 3_000, 1_000


@pytest.fixture
def house(db: None) -> House:
    return make_house()


@pytest.fixture
def large(house: House) -> Run:
    """A run of thousands of nodes with a queued task each."""
    run = make_run(house.project)
    ids = [f"n-{n:05d}" for n in range(NODES)]
    RunNode.objects.bulk_create(
        [RunNode(run=run, node_id=i, name=f"wf.{i}", display_name=i, type="Pod", phase="Pending") for i in ids]
    )
    Task.objects.bulk_create(
        [
            Task(
                run=run,
                project_id=house.project.pk,
                node_id=i,
                template="work",
                spec={"template": "work", "image": "i", "argv": ["x"]},
                submitted_by="user:x",
                queued_at_ms=clock.now_ms(),
            )
            for i in ids
        ]
    )
    return run


def test_a_whole_tree_is_paged_in_bounded_pages_of_few_queries(
    house: House, large: Run, django_assert_max_num_queries: Any
) -> None:
    path, seen = f"runs/{large.pk}/nodes?page_size=200", 0
    while path:
        with django_assert_max_num_queries(7):
            page = house.api["viewer"].get(path).json()
        assert 0 < len(page["results"]) <= 200
        seen += len(page["results"])
        path = page["next"] and page["next"].partition("/api/v1/")[2]
    assert seen == NODES


@pytest.mark.parametrize("route", ["summary", "outputs", "costs", "why", "tasks", "attempts", "events", ""])
def test_what_people_look_at_a_large_run_with_stays_small(
    house: House, large: Run, route: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(10):
        answer = house.api["viewer"].get(f"runs/{large.pk}/{route}".rstrip("/"))
    assert answer.status_code == 200
    assert len(answer.content) < 100_000


def test_the_outputs_of_a_large_run_are_bounded_and_say_so_and_read_no_step_that_takes_nothing(
    house: House, large: Run
) -> None:
    path = f"runs/{large.pk}/outputs"
    with CaptureQueriesContext(connection) as asked:
        assert house.api["viewer"].get(path).json() == {"parameters": [], "artifacts": [], "truncated": False}
    assert not [q for q in asked if "fubini_runs_task" in q["sql"]], "it left nothing that a step could have read"

    nodes = [f"n-{n:05d}" for n in range(NODES)]
    keys = [f"{large.pk}/{node}/0/out" for node in nodes]
    Artifact.objects.bulk_create(
        [
            Artifact(
                key=key, project_id=large.project_id, run_id=large.pk, node_id=node, generation=0, name="out",
                attempt_id="a", entries=[], size_bytes=3, created_at_ms=n,
            )
            for n, (key, node) in enumerate(zip(keys, nodes, strict=True))
        ]
    )  # fmt: skip
    reader = Task.objects.get(run=large, node_id="n-00002")
    reader.spec = {**reader.spec, "artifacts_in": [{"name": "in", "path": "/in", "key": keys[0]}]}
    reader.save()
    found = house.api["viewer"].get(path).json()
    assert ([a["key"] for a in found["artifacts"]], found["truncated"]) == (keys[1:201], True)
    found = house.api["viewer"].get(f"{path}?limit=2").json()
    assert ([a["key"] for a in found["artifacts"]], found["truncated"]) == (keys[1:3], True)
    assert house.api["viewer"].get(f"{path}?limit=1001").status_code == 422
    Artifact.objects.filter(key__in=keys[3:]).delete()
    found = house.api["viewer"].get(f"{path}?limit=2").json()
    assert ([a["key"] for a in found["artifacts"]], found["truncated"]) == (keys[1:3], False)


def test_a_page_of_a_thousand_runs_costs_few_queries(house: House, django_assert_max_num_queries: Any) -> None:
    like = make_run(house.project)
    Run.objects.bulk_create(
        [
            Run(project=house.project, job_number=10_000 + n, name=f"r-{n}", submitted_by="x", created_at_ms=n + 1)
            for n in range(RUNS)
        ]
    )
    api, path, seen = house.api["viewer"], "runs?page_size=200", 0
    while path:
        with django_assert_max_num_queries(4):
            page = api.get(path).json()
        seen += len(page["results"])
        path = page["next"] and page["next"].partition("/api/v1/")[2]
    assert seen == RUNS + 1 and like.name


def test_pages_of_a_run_are_sought_in_an_index_not_sorted(large: Run) -> None:
    if connection.vendor != "sqlite":  # other planners choose by statistics that a test's rows do not have
        assert connection.vendor == "postgresql"
        return
    lists = {
        "nodes": selectors.nodes_of(large).filter(id__gt=10),
        "tasks": Task.objects.filter(run=large, id__gt="0"),
        "attempts": selectors.attempts_of(large).filter(id__gt="0"),
        "events": selectors.events_of(large).filter(id__gt=10),
    }
    sorted_ones = [name for name, rows in lists.items() if "TEMP B-TREE" in rows.order_by("id")[:201].explain()]
    assert sorted_ones == []
