"""Signals, memoized resubmits and retention on real rows with the real engine."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.datasets.models import Artifact, Blob
from fubini.runs import retention
from fubini.runs.engine import TaskSpec
from fubini.runs.logs import log_append, log_streams
from fubini.runs.models import Attempt, Run, RunNode, RunRetention, Task
from fubini.runs.retention import retention_do
from tests.support.driven import End, drive, phases, task_of
from tests.support.rest import House, problem_of
from tests.support.rows import Place
from tests.unit.fubini.runs.reuse.test_reuse import CHAIN, ends

APPROVAL = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: ask-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: approve, template: approve}
          - {name: other, template: approve}
        - - name: tell
            template: tell
            arguments: {parameters: [{name: x, value: "{{steps.approve.outputs.parameters.answer}}"}]}
    - name: approve
      suspend: {}
      outputs: {parameters: [{name: answer, valueFrom: {supplied: {}, default: "maybe"}}]}
    - name: tell
      inputs: {parameters: [{name: x}]}
      container: {image: "python:3.12", command: [tell, "{{inputs.parameters.x}}"]}
"""
ONE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: one-}
spec:
  entrypoint: main
  SPEC
  templates:
    - name: main
      container: {image: "python:3.12", command: ["true"]}
"""


def submit(house: House, text: str, **more: Any) -> Run:
    answer = house.api["member"].post("runs", {"project": house.project.slug, "manifest": text, **more})
    assert answer.status_code == 201, answer.content
    return Run.objects.select_related("project").get(pk=answer.json()["id"])


def train_fails(name: str, spec: TaskSpec) -> End:
    return End(code=1) if name == "train" else ends(name, spec)


def again(house: House, run: Run, **body: Any) -> Run:
    answer = house.api["member"].post(f"runs/{run.pk}/resubmit", body)
    assert answer.status_code == 201, answer.content
    return Run.objects.select_related("project").get(pk=answer.json()["id"])


# --- signals ---


def test_a_suspended_node_can_be_filled_in_and_goes_on_waiting(house: House, place: Place) -> None:
    run = drive(submit(house, APPROVAL), place)
    body = {"selector": "displayName=approve", "outputs": {"answer": "yes"}, "message": "said Ann"}
    assert house.api["member"].post(f"runs/{run.pk}/set", body).status_code == 202
    drive(run, place)
    node = RunNode.objects.get(run=run, display_name="approve")
    assert (node.phase, node.message) == ("Running", "said Ann")
    assert node.outputs["parameters"] == [{"name": "answer", "value": "yes"}]
    house.api["member"].post(f"runs/{run.pk}/resume", {})
    run = drive(run, place)
    assert run.state == "succeeded"
    assert task_of(run, "tell").spec["argv"] == ["tell", "yes"]


@pytest.mark.parametrize(("phase", "state"), [("Succeeded", "succeeded"), ("Failed", "failed"), ("Error", "failed")])
def test_a_suspended_node_can_be_set_to_an_end(house: House, place: Place, phase: str, state: str) -> None:
    run = drive(submit(house, APPROVAL), place)
    body = {"selector": "displayName=approve", "phase": phase, "outputs": {"answer": "yes"}}
    house.api["member"].post(f"runs/{run.pk}/set", body)
    house.api["member"].post(
        f"runs/{run.pk}/set", {"selector": "displayName=other", "phase": "Succeeded", "message": "ok"}
    )
    run = drive(run, place)
    assert phases(run)["approve"] == phase
    assert run.state == state


def test_stop_with_a_selector_fails_the_node_and_not_the_run(house: House, place: Place) -> None:
    run = drive(submit(house, APPROVAL), place)
    body = {"selector": "displayName=other", "message": "not this one"}
    house.api["member"].post(f"runs/{run.pk}/stop", body)
    run = drive(run, place)
    node = RunNode.objects.get(run=run, display_name="other")
    assert (node.phase, node.message, run.state, run.shutdown) == ("Failed", "not this one", "running", "")


def test_a_signal_that_fits_nothing_keeps_why_and_who(house: House, place: Place) -> None:
    run = drive(submit(house, APPROVAL), place)
    house.api["member"].post(f"runs/{run.pk}/set", {"selector": "displayName=nobody", "message": "x"})
    house.api["member"].post(f"runs/{run.pk}/resume", {"selector": "displayName=other"})
    drive(run, place)
    good, bad = house.api["viewer"].get(f"runs/{run.pk}/signals").json()["results"]
    assert (good["kind"], good["refused"]) == ("resume", "")
    assert (bad["kind"], bad["actor"]) == ("set", f"user:{house.users['member'].username}")
    assert bad["refused"].endswith("no suspend nodes matching nodeFieldSelector: displayName=nobody")
    assert bad["handled_at_ms"] is not None and phases(run)["other"] == "Succeeded"


@pytest.mark.parametrize("kind", ["stop", "terminate", "suspend", "resume", "cancel"])
def test_who_asked_is_in_the_trail(house: House, place: Place, kind: str) -> None:
    run = drive(submit(house, APPROVAL), place)
    assert house.api["member"].post(f"runs/{run.pk}/{kind}", {}).status_code == 202
    entry = AuditEntry.objects.get(target=run.pk)
    assert entry.action == f"run.{'terminate' if kind == 'cancel' else kind}"
    assert entry.actor == f"user:{house.users['member'].username}" and entry.project_id == house.project.pk
    problem_of(house.api["viewer"].post(f"runs/{run.pk}/{kind}", {}), 403)


# --- memoized resubmit ---


def test_a_memoized_resubmit_runs_only_what_failed_and_what_follows(house: House, place: Place) -> None:
    old = drive(submit(house, CHAIN), place, train_fails)
    made = again(house, old, memoized=True)
    assert (made.state, made.phase, made.resubmit_of) == ("pending", "Pending", old.pk)
    made = drive(made, place, ends)
    assert (made.state, made.generation, made.phase) == ("succeeded", 0, "Succeeded")
    assert set(phases(made)) == {made.name, "prepare", "train", "report"}
    ran = Attempt.objects.filter(run_id=made.pk).select_related("task")
    assert {a.task.template for a in ran} == {"train", "report"}
    assert (made.steps_total, made.steps_done, made.steps_reused) == (3, 3, 1)
    node = RunNode.objects.get(run=made, display_name="prepare")
    original = RunNode.objects.get(run=old, display_name="prepare")
    assert node.message == f"original pod: {original.node_id}" and node.name == f"{made.name}.prepare"
    assert Run.objects.get(pk=old.pk).state == "failed"


def test_its_files_have_keys_of_the_new_run(house: House, place: Place) -> None:
    old = drive(submit(house, CHAIN), place, train_fails)
    made = again(house, old, memoized=True)
    key = RunNode.objects.get(run=made, display_name="prepare").outputs["artifacts"][0]["key"]
    assert Artifact.objects.get(pk=key).run_id == made.pk
    Artifact.objects.filter(run_id=old.pk).delete()
    made = drive(made, place, ends)
    assert made.state == "succeeded"
    assert task_of(made, "train").spec["artifacts_in"][0]["key"] == key
    listed = house.api["viewer"].get(f"runs/{made.pk}/nodes").json()["results"]
    came = {n["display_name"]: n["reused_from"] for n in listed}
    assert came["prepare"]["run"] == old.pk and came["train"] is None


def test_only_a_failed_run_is_resubmitted_memoized(house: House, place: Place) -> None:
    old = drive(submit(house, CHAIN), place, ends)
    refused = problem_of(house.api["member"].post(f"runs/{old.pk}/resubmit", {"memoized": True}), 409)
    assert "must be Failed/Error" in refused["detail"]
    assert again(house, old).state == "pending"


def test_cleared_bytes_are_said_before_a_run_is_made(house: House, place: Place) -> None:
    old = drive(submit(house, CHAIN), place, train_fails)
    Blob.objects.filter(project_id=house.project.pk).delete()
    refused = problem_of(house.api["member"].post(f"runs/{old.pk}/resubmit", {"memoized": True}), 409)
    assert "prepare" in refused["detail"] and Run.objects.count() == 1


def test_a_fan_out_keeps_what_its_members_gave(house: House, place: Place) -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: fan-}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - name: work
            template: work
            arguments: {parameters: [{name: x, value: "{{item}}"}]}
            withItems: [a, b, c]
          - name: sum
            template: sum
            depends: work.Succeeded
            arguments: {parameters: [{name: all, value: "{{tasks.work.outputs.parameters.out}}"}]}
    - name: work
      inputs: {parameters: [{name: x}]}
      container: {image: "python:3.12", command: [work, "{{inputs.parameters.x}}"]}
      outputs: {parameters: [{name: out, valueFrom: {path: /tmp/out}}]}
    - name: sum
      inputs: {parameters: [{name: all}]}
      container: {image: "python:3.12", command: [sum, "{{inputs.parameters.all}}"]}
"""

    def gives(name: str, spec: TaskSpec) -> End:
        return End(parameters={"out": f"y{spec.argv[-1]}"})

    old = drive(submit(house, text), place, lambda n, s: End(code=2) if s.argv[-1] == "b" else gives(n, s))
    assert old.state == "failed"
    made = drive(again(house, old, memoized=True), place, gives)
    assert made.state == "succeeded"
    assert task_of(made, "sum").spec["argv"] == ["sum", '["ya","yb","yc"]']
    assert Attempt.objects.filter(run_id=made.pk).count() == 2


# --- retention ---


@pytest.mark.parametrize(
    ("ttl", "code", "want_s"),
    [
        ("{secondsAfterCompletion: 60}", 0, 60),
        ("{secondsAfterCompletion: 60, secondsAfterSuccess: 5}", 0, 5),
        ("{secondsAfterCompletion: 60, secondsAfterSuccess: 5}", 1, 60),
        ("{secondsAfterFailure: 7}", 1, 7),
        ("{secondsAfterFailure: 7}", 0, None),
        ("{secondsAfterSuccess: 0}", 0, 0),
    ],
)
def test_a_ttl_says_when_the_run_goes(house: House, place: Place, ttl: str, code: int, want_s: int | None) -> None:
    run = submit(house, ONE.replace("SPEC", f"ttlStrategy: {ttl}"))
    assert house.api["viewer"].get(f"runs/{run.pk}").json()["delete_at_ms"] is None
    run = drive(run, place, lambda *_: End(code=code))
    at = house.api["viewer"].get(f"runs/{run.pk}").json()["delete_at_ms"]
    assert at == (None if want_s is None else run.finished_at_ms + want_s * 1000)


def test_a_run_goes_when_its_time_has_come_and_not_before(house: House, place: Place) -> None:
    run = drive(submit(house, ONE.replace("SPEC", "ttlStrategy: {secondsAfterCompletion: 60}")), place)
    assert retention_do(at_ms=run.finished_at_ms + 59_999) == {"run": 0, "logs": 0}
    assert house.api["viewer"].get(f"runs/{run.pk}").status_code == 200
    assert retention_do(at_ms=run.finished_at_ms + 60_000) == {"run": 1, "logs": 0}
    problem_of(house.api["viewer"].get(f"runs/{run.pk}"), 404)
    assert retention_do(at_ms=run.finished_at_ms + 60_001) == {"run": 0, "logs": 0}
    assert Attempt.objects.filter(run_id=run.pk).exists()  # the record of what was paid for stays


def test_a_run_that_cannot_be_let_go_of_does_not_keep_the_others(
    house: House, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ONE.replace("SPEC", "ttlStrategy: {secondsAfterCompletion: 1}")
    bad, good = drive(submit(house, text), place), drive(submit(house, text), place)
    whole = retention.run_delete

    def broken(*, run: Run, actor: str) -> None:
        if run.pk == bad.pk:
            raise RuntimeError("poison")
        whole(run=run, actor=actor)

    monkeypatch.setattr(retention, "run_delete", broken)
    now = good.finished_at_ms + 10_000
    assert retention_do(at_ms=now) == {"run": 1, "logs": 0}
    assert Run.objects.get(pk=good.pk).deleted_at_ms is not None
    monkeypatch.undo()
    assert retention_do(at_ms=now) == {"run": 0, "logs": 0}  # put off
    assert retention_do(at_ms=now + retention.PUT_OFF_MS) == {"run": 1, "logs": 0}


def test_a_retried_run_is_kept(house: House, place: Place) -> None:
    run = drive(
        submit(house, ONE.replace("SPEC", "ttlStrategy: {secondsAfterCompletion: 1}")), place, lambda *_: End(code=1)
    )
    first = run.finished_at_ms
    house.api["member"].post(f"runs/{run.pk}/retry", {})
    from fubini.dispatch.pump import engines_pump

    engines_pump()
    assert not RunRetention.objects.exists()
    assert retention_do(at_ms=first + 10**6) == {"run": 0, "logs": 0}
    run = drive(run, place)
    assert run.state == "succeeded" and RunRetention.objects.count() == 1


@pytest.mark.parametrize(
    ("spec", "code", "gone"),
    [
        ("podGC: {strategy: OnPodCompletion}", 0, True),
        ("podGC: {strategy: OnPodCompletion}", 1, True),
        ("podGC: {strategy: OnPodSuccess}", 0, True),
        ("podGC: {strategy: OnPodSuccess}", 1, False),
        ("podGC: {strategy: OnWorkflowSuccess}", 1, False),
        ("podGC: {strategy: OnWorkflowCompletion}", 1, True),
        ("podGC: {strategy: OnPodCompletion}\n  archiveLogs: true", 0, False),
        ("podGC: {strategy: OnPodCompletion, deleteDelayDuration: 1h}", 0, False),
    ],
)
def test_pod_collection_speaks_of_logs(house: House, place: Place, spec: str, code: int, gone: bool) -> None:
    run = drive(submit(house, ONE.replace("SPEC", spec)), place, lambda *_: End(code=code))
    attempt = Attempt.objects.get(run_id=run.pk)
    log_append(attempt, 0, b"hello")
    assert retention_do(at_ms=run.finished_at_ms + 4_999)["logs"] == 0
    retention_do(at_ms=run.finished_at_ms + 5_000)
    assert (list(log_streams(run.pk, attempt.pk)) == []) is gone
    assert house.api["viewer"].get(f"runs/{run.pk}").status_code == 200


def test_nothing_set_nothing_goes(house: House, place: Place) -> None:
    drive(submit(house, ONE.replace("SPEC", "priority: 1")), place)
    assert not RunRetention.objects.exists()
    assert retention_do(at_ms=clock.now_ms() + 10**12) == {"run": 0, "logs": 0}
    assert Task.objects.count() == 1
