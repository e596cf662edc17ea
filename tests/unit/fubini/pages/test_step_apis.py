"""A step's panel in one answer: what each kind of step has there, and what is read for it only when it is asked for."""

from __future__ import annotations

import pytest

from fubini.datasets.models import Artifact
from fubini.runs.models import Attempt, Run, RunNode, RunSignal, Task
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


def make_node(run: Run, node_id: str, kind: str = "Pod") -> None:
    RunNode.objects.create(run=run, node_id=node_id, name=node_id, display_name=node_id, type=kind, phase="Running")


def test_a_step_that_ran_has_its_task_with_what_it_cost_and_what_it_left() -> None:
    house = make_house(budget_micros=1_000_000)
    run = make_run(house.project)
    make_node(run, "n1")
    task = make_task(run, "n1")
    make_attempt(task, make_place("lab"), hold_micros=100_000)
    for node in ("n1", "other"):
        Artifact.objects.create(
            key=f"{run.pk}/{node}/0/out", project_id=run.project_id, run_id=run.pk, node_id=node, generation=0, name="out",
            attempt_id="a", entries=[], size_bytes=0, created_at_ms=0,
        )  # fmt: skip
    api = house.api["viewer"]
    found = api.get(f"runs/{run.pk}/nodes/n1/overview?start=true").json()
    assert found["node"] == api.get(f"runs/{run.pk}/nodes/n1").json()
    assert found["task"] == api.get(f"tasks/{task.pk}").json()
    assert found["task"]["attempt_list"][0]["held_micros"] == 100_000
    assert [a["node_id"] for a in found["artifacts"]["results"]] == ["n1"]
    assert (found["why"], found["start"], found["signals"]) == (None, None, [])


def test_a_waiting_step_says_why_and_when_it_starts_only_where_that_is_asked() -> None:
    house = make_house(budget_micros=10_000_000)
    run = make_run(house.project)
    make_node(run, "n1")
    place = make_place("lab")
    task = make_task(run, "n1", why=[{"code": "pool_slots", "pool_id": place.pool.pk, "sentence": "all slots are taken"}])
    api = house.api["viewer"]
    found = api.get(f"runs/{run.pk}/nodes/n1/overview").json()
    assert found["why"] == api.get(f"tasks/{task.pk}/why").json()
    assert found["why"]["sentence"] == "lab: all slots are taken"
    assert found["start"] is None
    start = api.get(f"runs/{run.pk}/nodes/n1/overview?start=true").json()["start"]
    assert start["task_id"] == task.pk and start["starts_now"] is True


def test_a_failed_step_says_what_made_it_fail() -> None:
    house = make_house(budget_micros=10_000_000)
    run = make_run(house.project, state="failed")
    make_node(run, "n1")
    task = make_task(run, "n1")
    attempt = make_attempt(task, make_place("lab"))
    Attempt.objects.filter(pk=attempt.pk).update(state="failed", cause="oom", peak_memory_bytes=1 << 30)
    Task.objects.filter(pk=task.pk).update(state="failed")
    api = house.api["owner"]
    found = api.get(f"runs/{run.pk}/nodes/n1/overview?start=true").json()
    assert found["start"] == api.get(f"tasks/{task.pk}/start").json()
    assert found["start"]["failure"]["cause"] == "oom"
    assert found["why"] is None


def test_a_suspended_step_has_what_people_asked_of_its_run() -> None:
    house = make_house()
    run = make_run(house.project)
    make_node(run, "n1", "Suspend")
    RunSignal.objects.create(run=run, kind="resume", actor="user:a", at_ms=1, payload={"selector": "id=n1"})
    found = house.api["viewer"].get(f"runs/{run.pk}/nodes/n1/overview").json()
    assert found["task"] is None
    assert [(s["kind"], s["actor"]) for s in found["signals"]] == [("resume", "user:a")]


def test_a_node_that_is_not_there_or_not_theirs_is_not_found() -> None:
    house, other = make_house(), make_run(make_project())
    make_node(other, "n1")
    problem_of(house.api["owner"].get(f"runs/{make_run(house.project).pk}/nodes/n1/overview"), 404)
    problem_of(house.api["owner"].get(f"runs/{other.pk}/nodes/n1/overview"), 404)
