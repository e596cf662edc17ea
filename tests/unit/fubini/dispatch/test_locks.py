"""Locks and caches on real rows: runs that contend, restarts and crashes in between, sizes that change."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.datasets.models import Artifact
from fubini.dispatch.loop import Loop
from fubini.dispatch.pump import engines_pump
from fubini.dispatch.tasks import retention
from fubini.engines.embedded import shell as shell_module
from fubini.pipelines.configmaps import config_map_delete, config_map_set
from fubini.projects.models import Project
from fubini.runs import locks
from fubini.runs.locks import locks_tend
from fubini.runs.memos import cache_drop, caches_of
from fubini.runs.models import Lock, LockClaim, MemoArtifact, MemoEntry, Run, RunNode, Task
from fubini.runs.registry import engine_of
from fubini.runs.services import run_delete, run_submit
from fubini.runs.signals import run_signal
from fubini.runs.transitions import run_move
from tests.support.driven import End, drive, finish, phases, task_of
from tests.support.rows import Place, make_place, make_project, make_run

BEAM = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: beam-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - {name: use, template: use, withItems: [1, 2]}
    - name: use
      synchronization: {mutexes: [{name: beam}]}
      container: {image: busybox, command: [measure]}
"""
WHOLE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: whole-}
spec:
  entrypoint: main
  priority: PRIORITY
  synchronization: {semaphores: [{configMapKeyRef: {name: limits, key: runs}}]}
  templates:
    - name: main
      container: {image: busybox, command: [work]}
"""
KEEP = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: keep-}
spec:
  entrypoint: keep
  arguments: {parameters: [{name: seed, value: "1"}]}
  templates:
    - name: keep
      memoize: {key: "seed-{{workflow.parameters.seed}}", maxAge: 1h, cache: {configMap: {name: model}}}
      container: {image: busybox, command: [train]}
      outputs:
        parameters: [{name: loss, valueFrom: {path: /loss}}]
        artifacts: [{name: model, path: /model}]
"""
WAITING = "Waiting for lab/Mutex/beam lock. Lock status: 0/1"


@pytest.fixture
def project(db: None, tmp_path: Any, settings: Any) -> Project:
    settings.FUBINI_HOME = tmp_path
    return make_project("lab", budget_micros=1_000_000_000)


@pytest.fixture
def place(db: None) -> Place:
    return make_place()


def submit(project: Project, text: str, **more: Any) -> Run:
    from fubini.pipelines.selectors import library_of

    return run_submit(project=project, text=text, actor="user:ann", library=library_of(project.pk), **more)


def pump() -> None:
    for _ in range(50):
        if not engines_pump():
            return
    raise AssertionError("the engines do not come to rest")


def restart() -> None:
    """What a dispatch process has in memory is gone."""
    shell = engine_of("embedded")
    for run_id in Run.objects.values_list("pk", flat=True):
        shell.forget(run_id)


def finish_one(place: Place, end: End | None = None) -> Task:
    [task] = Task.objects.filter(state="queued")
    finish(task, place, end or End())
    pump()
    return task


def fresh(run: Run) -> Run:
    return Run.objects.select_related("project").get(pk=run.pk)


def holders(project: Project) -> list[str]:
    rows = LockClaim.objects.filter(lock__project=project, held_at_ms__isnull=False)
    return sorted(f"{row.run.name} {row.node_id}".strip() for row in rows.select_related("run"))


# --- two runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interrupted", [False, True])
def test_two_runs_share_a_mutex_one_leaf_at_a_time_oldest_run_first(
    project: Project, place: Place, interrupted: bool
) -> None:
    first, second = submit(project, BEAM), submit(project, BEAM)
    pump()
    order = []
    for _ in range(4):
        if interrupted:
            restart()
        assert Task.objects.filter(state="queued").count() == 1 == len(holders(project))
        order.append(finish_one(place).run_id)
    assert order == [first.pk, first.pk, second.pk, second.pk]
    assert {fresh(first).state, fresh(second).state} == {"succeeded"}
    assert not LockClaim.objects.exists()
    assert not RunNode.objects.exclude(message="").exists()


def test_who_waits_says_so_in_argos_words_and_counts_as_no_task(project: Project, place: Place) -> None:
    submit(project, BEAM)
    second = submit(project, BEAM)
    pump()
    rows = RunNode.objects.filter(run=second, type="Pod")
    assert {(row.phase, row.message, row.extra["waiting_for"]) for row in rows} == {
        ("Pending", WAITING, "lab/Mutex/beam")
    }
    assert Task.objects.filter(run=second).count() == 0


def test_a_lock_of_another_project_is_another_lock(project: Project, place: Place) -> None:
    other = make_project("other", budget_micros=1_000_000)
    submit(project, BEAM)
    submit(other, BEAM)
    pump()
    assert Task.objects.filter(state="queued").count() == 2
    assert Lock.objects.filter(resource="beam").aggregate(n=Count("project", distinct=True)) == {"n": 2}


def test_a_higher_priority_goes_first_and_sizes_from_the_config_map_hold(project: Project, place: Place) -> None:
    config_map_set(project=project, name="limits", data={"runs": "1"}, actor="user:ann")
    holding = submit(project, WHOLE.replace("PRIORITY", "0"))
    pump()
    late, urgent = (submit(project, WHOLE.replace("PRIORITY", p)) for p in ("0", "7"))
    pump()
    assert (fresh(late).phase, fresh(urgent).phase) == ("Pending", "Pending")
    assert fresh(late).message == "Waiting for lab/ConfigMap/limits/runs lock. Lock status: 0/1"
    assert RunNode.objects.filter(run=late).count() == 0 and fresh(late).started_at_ms is None
    finish_one(place)
    assert (fresh(holding).state, fresh(urgent).state, fresh(late).state) == ("succeeded", "running", "pending")
    assert fresh(urgent).message == ""
    finish_one(place)
    finish_one(place)
    assert fresh(late).state == "succeeded" and not LockClaim.objects.exists()


def test_a_size_changed_while_runs_wait_is_followed_by_the_next_turn_of_dispatch(
    project: Project, place: Place
) -> None:
    config_map_set(project=project, name="limits", data={"runs": "1"}, actor="user:ann")
    runs = [submit(project, WHOLE.replace("PRIORITY", "0")) for _ in range(3)]
    pump()
    assert [fresh(run).state for run in runs] == ["running", "pending", "pending"]
    config_map_set(project=project, name="limits", data={"runs": "2"}, actor="user:ann")
    locks_tend(at_ms=clock.now_ms())
    pump()
    assert [fresh(run).state for run in runs] == ["running", "running", "pending"]
    config_map_delete(project=project, name="limits", actor="user:ann")
    for task in Task.objects.filter(state="queued"):
        finish(task, place, End())
    pump()
    assert [fresh(run).state for run in runs] == ["succeeded", "succeeded", "running"], (
        "the last size known still holds"
    )


def test_every_semaphore_waited_for_has_its_turn_however_many_there_are(
    project: Project, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TENDED_A_PASS", 2)
    texts = [WHOLE.replace("PRIORITY", "0").replace("key: runs", f"key: k{n}") for n in range(5)]
    assert texts[0] != texts[1]
    config_map_set(project=project, name="limits", data={f"k{n}": "1" for n in range(5)}, actor="user:ann")
    runs = [submit(project, text) for text in texts for _ in range(2)]
    pump()
    config_map_set(project=project, name="limits", data={f"k{n}": "2" for n in range(5)}, actor="user:ann")
    after, passes = "", 0
    while passes == 0 or after:
        after = locks_tend(at_ms=clock.now_ms(), after=after)
        passes += 1
    pump()
    assert passes == 3
    assert {fresh(run).state for run in runs} == {"running"}


def test_a_cycle_of_the_loop_tends_to_locks(project: Project, place: Place) -> None:
    config_map_set(project=project, name="limits", data={"runs": "1"}, actor="user:ann")
    runs = [submit(project, WHOLE.replace("PRIORITY", "0")) for _ in range(2)]
    pump()
    config_map_set(project=project, name="limits", data={"runs": "5"}, actor="user:ann")
    loop = Loop()
    loop.cycle()
    loop.cycle()
    assert [fresh(run).state for run in runs] == ["running", "running"]


def test_a_semaphore_without_its_config_map_fails_in_argos_words(project: Project, place: Place) -> None:
    text = BEAM.replace("mutexes: [{name: beam}]", "semaphores: [{configMapKeyRef: {name: limits, key: seats}}]")
    run = drive(submit(project, text), place)
    assert run.state == "failed"
    assert run.message.endswith("failed to initialize semaphore lab/ConfigMap/limits/seats with limit")
    config_map_set(project=project, name="limits", data={"seats": "2"}, actor="user:ann")
    run = submit(project, text)
    pump()
    assert Task.objects.filter(run=run, state="queued").count() == 2


def test_a_database_semaphore_has_the_size_people_gave_it(project: Project, place: Place) -> None:
    from fubini.runs.sizes import semaphore_size_set

    text = BEAM.replace("mutexes: [{name: beam}]", "semaphores: [{database: {key: seats}}]")
    run = drive(submit(project, text), place)
    assert run.message.endswith("failed to initialize semaphore lab/Database/seats with limit")
    semaphore_size_set(project=project, key="seats", size=1, actor="user:ann")
    run = submit(project, text)
    pump()
    assert Task.objects.filter(run=run).count() == 1
    semaphore_size_set(project=project, key="seats", size=2, actor="user:ann")
    locks_tend(at_ms=clock.now_ms())
    pump()
    assert Task.objects.filter(run=run).count() == 2


def queries(work: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def test_a_longer_queue_costs_no_more_to_move_on_and_little_to_join_or_leave(project: Project, place: Place) -> None:
    moved, joined, left = [], [], []
    for count in (20, 300):
        run = submit(project, BEAM.replace("withItems: [1, 2]", f"withSequence: {{count: '{count}'}}"))
        joined.append(queries(pump) / count)
        [task] = Task.objects.filter(run=run, state="queued")
        finish(task, place, End())
        moved.append(queries(pump))
        run_signal(run=run, kind="terminate", actor="user:ann")
        left.append(queries(pump))
        assert fresh(run).state == "failed" and not LockClaim.objects.exists()
    assert moved[1] <= moved[0] + 2 and left[1] <= left[0] + 10
    assert joined[1] < 3


# --- ends of every kind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["stop", "terminate"])
def test_a_run_that_is_ended_gives_its_locks_to_the_next(project: Project, place: Place, kind: str) -> None:
    first, second = submit(project, BEAM), submit(project, BEAM)
    pump()
    run_signal(run=first, kind=kind, actor="user:ann")
    pump()
    assert fresh(first).state == "failed"
    assert [task.run_id for task in Task.objects.filter(state="queued")] == [second.pk]
    assert LockClaim.objects.exclude(run=second).count() == 0
    run_delete(run=fresh(first), actor="user:ann")


def test_a_waiting_run_that_is_terminated_leaves_the_queue(project: Project, place: Place) -> None:
    config_map_set(project=project, name="limits", data={"runs": "1"}, actor="user:ann")
    runs = [submit(project, WHOLE.replace("PRIORITY", "0")) for _ in range(3)]
    pump()
    run_signal(run=runs[1], kind="terminate", actor="user:ann")
    pump()
    assert (fresh(runs[1]).state, fresh(runs[1]).message) == ("failed", "Stopped with strategy 'Terminate'")
    finish_one(place)
    assert [fresh(run).state for run in runs] == ["succeeded", "failed", "running"]


def test_a_retried_run_queues_for_its_lock_again(project: Project, place: Place) -> None:
    config_map_set(project=project, name="limits", data={"runs": "1"}, actor="user:ann")
    first = submit(project, WHOLE.replace("PRIORITY", "0"))
    pump()
    finish_one(place, End(code=1))
    assert fresh(first).state == "failed"
    second = submit(project, WHOLE.replace("PRIORITY", "0"))
    pump()
    run_signal(run=first, kind="retry", actor="user:ann")
    pump()
    restart()
    assert (fresh(first).state, Task.objects.filter(run=first, state="queued").count()) == ("running", 0)
    assert fresh(first).message.startswith("Waiting for lab/ConfigMap/limits/runs lock")
    finish_one(place)
    assert fresh(second).state == "succeeded"
    finish_one(place)
    assert (fresh(first).state, fresh(first).generation) == ("succeeded", 1)
    assert not LockClaim.objects.exists()


def test_a_run_set_aside_gives_its_locks_back(project: Project, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = submit(project, BEAM), submit(project, BEAM)
    pump()
    [task] = Task.objects.filter(state="queued")
    real = shell_module.step_apply

    def poisoned(run: Run, *args: Any, **kwargs: Any) -> None:
        if run.pk == first.pk:
            raise RuntimeError("poison")
        real(run, *args, **kwargs)

    monkeypatch.setattr(shell_module, "step_apply", poisoned)
    finish(task, place, End())
    for _ in range(4):
        engines_pump()
    assert (fresh(first).state, fresh(first).phase) == ("error", "Error")
    assert [task.run_id for task in Task.objects.filter(state="queued")] == [second.pk]


def test_a_crash_before_the_step_is_recorded_leaves_no_claim_and_loses_no_grant(
    project: Project, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = submit(project, BEAM), submit(project, BEAM)
    pump()
    real, crashes = shell_module.step_apply, [True]

    def crashing(*args: Any, **kwargs: Any) -> None:
        if crashes and crashes.pop():
            raise RuntimeError("kill -9")
        real(*args, **kwargs)

    for _ in range(4):
        [task] = Task.objects.filter(state="queued")
        finish(task, place, End())
        crashes[:] = [True]
        monkeypatch.setattr(shell_module, "step_apply", crashing)
        engines_pump()
        assert len(holders(project)) == 1, "what was rolled back granted nothing"
        restart()
        pump()
        Run.objects.update(engine_failures=0)
    assert {fresh(first).state, fresh(second).state} == {"succeeded"} and not LockClaim.objects.exists()


def test_what_an_ended_run_left_behind_is_given_back(project: Project, place: Place) -> None:
    first, second = submit(project, BEAM), submit(project, BEAM)
    pump()
    run_move(fresh(first), "error", at_ms=clock.now_ms())  # as nothing here does
    locks_tend(at_ms=clock.now_ms())
    pump()
    assert not LockClaim.objects.filter(run=first).exists()
    assert Task.objects.filter(run=second, state="queued").count() == 1


# --- caches ------------------------------------------------------------------------------------------------------


def trained(_name: str, _spec: Any) -> End:
    return End(parameters={"loss": "0.1"}, files={"model": b"weights"})


def test_one_run_whose_locks_cannot_be_given_back_does_not_keep_the_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = make_run(project, state="succeeded"), make_run(project, state="succeeded")
    for run in (bad, good):
        lock = Lock.objects.create(project=project, kind="Mutex", resource=run.pk)
        LockClaim.objects.create(claim=run.pk, lock=lock, run=run, created_at_ms=0, asked_at_ms=0, held_at_ms=1)
    whole = locks.run_locks_release

    def broken(*, run: Run, at_ms: int) -> None:
        if run.pk == bad.pk:
            raise RuntimeError("poison")
        whole(run=run, at_ms=at_ms)

    monkeypatch.setattr(locks, "run_locks_release", broken)
    locks_tend(at_ms=clock.now_ms())
    assert list(LockClaim.objects.values_list("run_id", flat=True)) == [bad.pk]


def test_a_later_run_of_the_project_takes_the_result_and_runs_nothing(project: Project, place: Place) -> None:
    first = drive(submit(project, KEEP), place, trained)
    second = drive(submit(project, KEEP), place, trained)
    node = RunNode.objects.get(run=second)
    assert (node.phase, node.extra["memoization"]["hit"], Task.objects.filter(run=second).count()) == (
        "Succeeded",
        True,
        0,
    )
    assert node.outputs == RunNode.objects.get(run=first).outputs
    assert node.outputs["artifacts"][0]["key"].startswith(first.pk)
    [cache] = caches_of(project.pk)
    assert (cache.name, cache.entries, cache.hits) == ("model", 1, 1)
    other = drive(submit(project, KEEP, parameters={"seed": "2"}), place, trained)
    assert Task.objects.filter(run=other).count() == 1 and caches_of(project.pk)[0].entries == 2


def test_a_cache_never_crosses_projects(project: Project, place: Place) -> None:
    drive(submit(project, KEEP), place, trained)
    other = make_project("other", budget_micros=1_000_000_000)
    run = drive(submit(other, KEEP), place, trained)
    assert Task.objects.filter(run=run).count() == 1
    assert [entry.project_id for entry in MemoEntry.objects.order_by("created_at_ms")] == [project.pk, other.pk]


def test_an_old_entry_is_not_found_and_is_replaced(project: Project, place: Place) -> None:
    drive(submit(project, KEEP), place, trained)
    MemoEntry.objects.update(created_at_ms=clock.now_ms() - 3_601_000)
    run = drive(submit(project, KEEP), place, trained)
    assert Task.objects.filter(run=run).count() == 1
    [entry] = MemoEntry.objects.all()
    assert (entry.run_id, entry.hits) == (run.pk, 0)
    assert [a.key for a in MemoArtifact.objects.all()] == [entry.outputs["artifacts"][0]["key"]]


def test_artifacts_live_as_long_as_the_entry_that_names_them(project: Project, place: Place) -> None:
    first = drive(submit(project, KEEP), place, trained)
    run_delete(run=first, actor="user:ann")
    retention()
    assert Artifact.objects.filter(run_id=first.pk).count() == 1
    second = drive(submit(project, KEEP), place, trained)
    assert Task.objects.filter(run=second).count() == 0
    assert cache_drop(project=project, cache="model", actor="user:ann") == 1
    retention()
    assert not Artifact.objects.filter(run_id=first.pk).exists()


def test_an_entry_whose_artifact_is_gone_is_no_hit(project: Project, place: Place) -> None:
    drive(submit(project, KEEP), place, trained)
    Artifact.objects.all().delete()
    run = drive(submit(project, KEEP), place, trained)
    assert Task.objects.filter(run=run).count() == 1 and MemoEntry.objects.get().run_id == run.pk


def test_entries_nobody_found_for_the_time_of_retention_go(project: Project, place: Place, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "RETENTION_CACHES_DAYS": 90}
    drive(submit(project, KEEP), place, trained)
    assert retention()["memo_entries"] == 0
    MemoEntry.objects.update(hit_at_ms=clock.now_ms() - 91 * 86_400_000)
    assert retention()["memo_entries"] == 1


def test_a_config_map_of_the_caches_name_is_obeyed(project: Project, place: Place) -> None:
    config_map_set(project=project, name="model", data={"a": "b"}, actor="user:ann")
    run = drive(submit(project, KEEP), place, trained)
    assert "memoization configmap doesn't have label workflows.argoproj.io/configmap-type = Cache" in run.message


def test_parameters_come_from_the_projects_config_map_as_it_was_at_submit(project: Project, place: Place) -> None:
    text = KEEP.replace('{name: seed, value: "1"}', "{name: seed, valueFrom: {configMapKeyRef: {name: seeds, key: a}}}")
    config_map_set(project=project, name="seeds", data={"a": "7"}, actor="user:ann")
    config_map_set(project=project, name="unused", data={"a": "7"}, actor="user:ann")
    run = submit(project, text)
    config_map_set(project=project, name="seeds", data={"a": "8"}, actor="user:ann")
    assert [entry["metadata"]["name"] for entry in run.manifest.library] == ["seeds"]
    drive(run, place, trained)
    assert MemoEntry.objects.get().key == "seed-7"
    assert task_of(run, run.name) is not None and phases(run) == {run.name: "Succeeded"}
