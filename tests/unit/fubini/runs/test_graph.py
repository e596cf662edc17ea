"""The whole tree in one answer: leaves with place, times and cost; bounded; a fixed number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.runs.graph import graph_of
from fubini.runs.messages import with_names
from fubini.runs.models import Run, RunNode
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db


def make_nodes(run: Run, count: int, **more: object) -> None:
    values = {"type": "Pod", "phase": "Running", "template_name": "work", "parents": ["root"], "boundary_id": "root"}
    RunNode.objects.create(
        run=run,
        node_id="root",
        name=run.name,
        display_name=run.name,
        type="Steps",
        phase="Running",
        template_name="main",
    )
    RunNode.objects.bulk_create(
        RunNode(
            run=run, node_id=f"leaf-{n}", name=f"{run.name}[0].leaf({n})", display_name=f"leaf({n})", **values | more
        )
        for n in range(count)
    )


def test_a_leaf_tells_where_it_is_and_a_group_does_not() -> None:
    house = make_house(budget_micros=1_000_000)
    run = make_run(house.project)
    make_nodes(run, 2)
    attempt = make_attempt(make_task(run, "leaf-0"), make_place("lab"))
    found = house.api["viewer"].get(f"runs/{run.pk}/graph").json()
    root, placed, other = found["nodes"]
    assert (root["task"], root["type"], root["parents"]) == ("", "Steps", [])
    assert (placed["site"], placed["pool"], placed["attempts"], placed["task_state"]) == ("lab", "lab", 1, "placed")
    assert placed["leased_at_ms"] == attempt.leased_at_ms
    assert (other["task"], other["site"], other["parents"]) == ("", "", ["root"])
    assert found["total"] == 3 and found["truncated"] is False
    assert {(c["template"], c["count"]) for c in found["counts"]} == {("main", 1), ("work", 2)}


def test_a_message_names_the_child_that_failed_and_the_row_keeps_argos_words() -> None:
    house = make_house()
    run = make_run(house.project, message="child 'leaf-0' failed")
    make_nodes(run, 1)
    RunNode.objects.filter(run=run, node_id="root").update(message="child 'leaf-0' failed")
    page = house.api["viewer"].get(f"runs/{run.pk}/overview").json()
    assert (page["run"]["message"], page["graph"]["nodes"][0]["message"]) == ("child 'leaf(0)' failed",) * 2
    assert Run.objects.get(pk=run.pk).message == "child 'leaf-0' failed"
    assert with_names("child 'gone-1' failed", {}) == "child 'gone-1' failed"


def test_a_tree_larger_than_the_picture_says_so_and_counts_all() -> None:
    house = make_house()
    run = make_run(house.project)
    make_nodes(run, 30)
    found = graph_of(run, limit=10)
    assert (found.total, found.truncated, len(found.nodes)) == (31, True, 10)
    assert sum(c.count for c in found.counts) == 31


def test_queries_do_not_grow_with_the_tree() -> None:
    house = make_house(budget_micros=10_000_000)
    place = make_place()

    def queries(run: Run) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert house.api["viewer"].get(f"runs/{run.pk}/graph").status_code == 200
        return len(seen)

    small, large = make_run(house.project), make_run(house.project)
    make_nodes(small, 2)
    make_nodes(large, 40)
    make_attempt(make_task(small, "leaf-0"), place)
    for n in range(10):
        make_attempt(make_task(large, f"leaf-{n}"), place)
    queries(small)  # the first also notes that the token was used
    assert queries(large) == queries(small) <= 12


def test_another_projects_tree_is_not_there() -> None:
    house, other = make_house(), make_house()
    problem_of(house.api["owner"].get(f"runs/{make_run(other.project).pk}/graph"), 404)
