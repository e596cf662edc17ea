"""Retries on real rows: what they change, what they are quoted at, what failed attempts advise."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.dispatch.retries import memory_proposed
from fubini.runs.codec import spec_of
from fubini.runs.engine import OutcomeKind, TaskSpec
from fubini.runs.models import Run, RunSignal, Task
from fubini.runs.services import run_submit
from tests.support.driven import End, drive, phases, task_of
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place, make_place

GIB = 1 << 30
TWO_STEPS = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: two}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        failFast: false
        tasks:
          - {name: prepare, template: prepare}
          - {name: train, template: train, dependencies: [prepare]}
          - {name: check, template: check, dependencies: [prepare]}
          - {name: report, template: report, dependencies: [train, check]}
    - name: prepare
      container: {image: "python:3.12", command: [prepare]}
    - name: train
      metadata: {annotations: {fubini.dev/walltime: 10m}}
      container:
        image: "python:3.12"
        command: [train]
        resources: {requests: {memory: 2Gi}}
    - name: check
      metadata: {annotations: {fubini.dev/walltime: 10m}}
      container: {image: "python:3.12", command: [check]}
    - name: report
      container: {image: "python:3.12", command: [report], resources: {requests: {memory: 1Gi}}}
"""


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=10_000_000)


@pytest.fixture
def place(db: None) -> Place:
    return make_place()


def out_of_memory(name: str, _spec: TaskSpec) -> End:
    if name == "train":
        return End(code=137, cause="oom", kind=OutcomeKind.OOM, peak_memory_bytes=2 * GIB)
    return End()


def failed_run(house: House, place: Place, ends: Any = out_of_memory) -> Run:
    run = run_submit(project=house.project, text=TWO_STEPS, actor="user:ann")
    run = drive(run, place, ends)
    assert run.state == "failed"
    return run


def test_a_step_killed_for_memory_is_advised_half_as_much_again(house: House, place: Place) -> None:
    run = failed_run(house, place)
    found = house.api["viewer"].post(f"runs/{run.pk}/retry/proposal", {}).json()
    assert (found["refused"], found["generation"]) == ("", 1)
    [advice] = found["advice"]
    assert (advice["template"], advice["cause"], advice["what"]) == ("train", "oom", "memory_bytes")
    assert (advice["asked"], advice["measured"], advice["proposed"]) == (2 * GIB, 2 * GIB, 3 * GIB)
    assert "peaked at 2 GiB of 2 GiB" in advice["evidence"]
    assert {row["template"]: row["count"] for row in found["quote"]["rows"]} == {"train": 1, "report": 1}
    assert found["quote"]["steps"] == 2
    assert Task.objects.filter(run=run).count() == 3 and not RunSignal.objects.exists()  # nothing happened


def test_a_step_out_of_walltime_is_advised_half_as_much_again(house: House, place: Place) -> None:
    def late(name: str, _spec: TaskSpec) -> End:
        if name == "check":
            return End(code=143, cause="walltime", kind=OutcomeKind.TIMED_OUT)
        return End()

    run = failed_run(house, place, late)
    [advice] = house.api["viewer"].post(f"runs/{run.pk}/retry/proposal", {}).json()["advice"]
    assert (advice["what"], advice["asked"], advice["proposed"]) == ("walltime_s", 100, 150)  # what the lease had


def test_a_command_that_failed_by_itself_is_advised_nothing(house: House, place: Place) -> None:
    run = failed_run(house, place, lambda name, _: End(code=3) if name == "check" else End())
    [advice] = house.api["viewer"].post(f"runs/{run.pk}/retry/proposal", {}).json()["advice"]
    assert (advice["what"], advice["proposed"]) == ("", None)
    assert "exit code 3" in advice["evidence"]


@pytest.mark.parametrize(
    ("peak", "asked", "want"),
    [(2 * GIB, 2 * GIB, 3 * GIB), (0, GIB, 3 * GIB // 2), (100 << 20, 128 << 20, 256 << 20), (GIB, 0, 3 * GIB // 2)],
)
def test_memory_is_proposed_in_whole_steps(peak: int, asked: int, want: int) -> None:
    assert memory_proposed(peak, asked) == want


def test_a_change_holds_for_the_failed_templates_in_the_new_generation_only(house: House, place: Place) -> None:
    run = failed_run(house, place)
    answer = house.api["member"].post(f"runs/{run.pk}/retry", {"memory_bytes": 3 * GIB, "image": "python:3.13"})
    assert answer.status_code == 202, answer.content
    run = drive(run, place)
    assert (run.state, run.generation) == ("succeeded", 1)
    train, report = spec_of(task_of(run, "train").spec), spec_of(task_of(run, "report").spec)
    assert (train.resources.memory_bytes, train.image) == (3 * GIB, "python:3.13")
    assert (report.resources.memory_bytes, report.image) == (GIB, "python:3.12")
    assert Task.objects.filter(run=run, template="prepare").count() == 1
    old = Task.objects.get(run=run, template="train", generation=0)
    assert spec_of(old.spec).resources.memory_bytes == 2 * GIB


def test_a_generation_keeps_who_asked_what_changed_and_its_quote(house: House, place: Place) -> None:
    run = failed_run(house, place)
    house.api["member"].post(f"runs/{run.pk}/retry", {"memory_bytes": 3 * GIB, "selector": "templateName=train"})
    drive(run, place)
    [kept] = house.api["viewer"].get(f"runs/{run.pk}").json()["generations"]
    assert kept["generation"] == 1 and kept["actor"] == f"user:{house.users['member'].username}"
    assert kept["changes"] == {"memory_bytes": 3 * GIB, "selector": "templateName=train"}
    assert kept["quote"]["steps"] == 2 and kept["quote"]["money_high_micros"] > 0
    entry = AuditEntry.objects.get(action="run.retry", target=run.pk, actor=kept["actor"])
    assert entry.data == {"name": run.name, "memory_bytes": 3 * GIB, "selector": "templateName=train"}


def test_a_selector_picks_which_steps_are_changed(house: House, place: Place) -> None:
    run = failed_run(house, place, lambda name, spec: End(code=1) if name == "check" else out_of_memory(name, spec))
    house.api["member"].post(
        f"runs/{run.pk}/retry", {"image": "python:3.13", "selector": "displayName!=train,phase=Failed"}
    )
    run = drive(run, place)
    assert spec_of(task_of(run, "check").spec).image == "python:3.13"
    assert spec_of(task_of(run, "train").spec).image == "python:3.12"


def test_the_next_retry_begins_again_from_the_manifest(house: House, place: Place) -> None:
    run = failed_run(house, place)
    house.api["member"].post(f"runs/{run.pk}/retry", {"memory_bytes": 3 * GIB})
    run = drive(run, place, out_of_memory)
    house.api["member"].post(f"runs/{run.pk}/retry", {})
    run = drive(run, place)
    assert (run.state, run.generation) == ("succeeded", 2)
    assert spec_of(task_of(run, "train").spec).resources.memory_bytes == 2 * GIB


def test_what_succeeded_runs_again_only_when_selected_and_asked_for(house: House, place: Place) -> None:
    run = drive(run_submit(project=house.project, text=TWO_STEPS, actor="user:ann"), place)
    problem_of(house.api["member"].post(f"runs/{run.pk}/retry", {}), 409)
    refused = house.api["member"].post(f"runs/{run.pk}/retry", {"restart_successful": True})
    assert "nodeFieldSelector" in problem_of(refused, 409)["detail"]
    body = {"restart_successful": True, "selector": "templateName=train"}
    assert house.api["member"].post(f"runs/{run.pk}/retry/proposal", body).json()["quote"]["steps"] == 2
    assert house.api["member"].post(f"runs/{run.pk}/retry", body).status_code == 202
    run = drive(run, place)
    assert run.state == "succeeded" and set(phases(run).values()) == {"Succeeded"}
    assert {t.template: t.generation for t in Task.objects.filter(run=run, generation=1)} == {"train": 1, "report": 1}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"memory_bytes": 1 << 30, "selector": "displayName=nobody"}, "no node matches"),
        ({"memory_bytes": 1 << 30, "selector": "?"}, "invalid selector"),
    ],
)
def test_a_retry_that_does_not_fit_is_refused_at_once(house: House, place: Place, body: Any, says: str) -> None:
    run = failed_run(house, place)
    assert says in problem_of(house.api["member"].post(f"runs/{run.pk}/retry", body), 409)["detail"]
    assert not RunSignal.objects.exists()


def test_one_retry_at_a_time(house: House, place: Place) -> None:
    run = failed_run(house, place)
    assert house.api["member"].post(f"runs/{run.pk}/retry", {}).status_code == 202
    assert "under way" in problem_of(house.api["member"].post(f"runs/{run.pk}/retry", {}), 409)["detail"]


def test_a_viewer_may_see_a_proposal_and_not_retry(house: House, place: Place) -> None:
    run = failed_run(house, place)
    assert house.api["viewer"].post(f"runs/{run.pk}/retry/proposal", {}).status_code == 200
    problem_of(house.api["viewer"].post(f"runs/{run.pk}/retry", {}), 403)
    problem_of(make_house().api["owner"].post(f"runs/{run.pk}/retry/proposal", {}), 404)
