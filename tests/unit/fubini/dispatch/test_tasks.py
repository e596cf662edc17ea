"""What the worker does between beats: lost bells are rung again, and what is past its time goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from fubini.common import bell, clock
from fubini.crons.models import Cron, CronTick
from fubini.datasets.models import Artifact
from fubini.dispatch import tasks
from fubini.dispatch.tasks import reconcile, retention
from fubini.events.models import Event
from fubini.events.services import EventDraft, events_append
from fubini.rest.models import IdempotencyKey
from fubini.runs.models import Lease, Lock, LockClaim, RunSignal
from tests.support.rows import make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(bell, "ring", lambda topic, payload="": heard.append((topic, payload)))
    return heard


def test_nothing_waits_and_nobody_is_rung(rung: list[tuple[str, str]]) -> None:
    make_run(make_project())
    assert reconcile() == {"dispatch": 0, "agents": 0}
    assert rung == []


def test_a_new_run_nobody_took_up_rings_dispatch_again(rung: list[tuple[str, str]]) -> None:
    make_run(make_project(), state="pending", phase="Pending", engine_version=0, created_at_ms=clock.now_ms() - 5000)
    reconcile()
    reconcile()  # twice is no harm
    assert rung == [("dispatch", ""), ("dispatch", "")]


def test_a_task_its_engine_has_not_heard_of_rings_dispatch(rung: list[tuple[str, str]]) -> None:
    make_task(make_run(make_project()), engine_seen=False)
    reconcile()
    assert rung == [("dispatch", "")]


def test_a_signal_waits_for_a_moment_before_its_bell_counts_as_lost(rung: list[tuple[str, str]]) -> None:
    signal = RunSignal.objects.create(run=make_run(make_project()), kind="stop", actor="user:t", at_ms=clock.now_ms())
    reconcile()
    assert rung == []
    RunSignal.objects.filter(pk=signal.pk).update(at_ms=clock.now_ms() - 10_000)
    reconcile()
    assert rung == [("dispatch", "")]


def test_a_lease_its_agent_did_not_pick_up_rings_that_agent(rung: list[tuple[str, str]]) -> None:
    place = make_place()
    old = clock.now_ms() - 10_000
    common = {"run_id": "0" * 32, "agent_id": place.agent.pk, "fence": 1, "expires_at_ms": old + 60_000}
    Lease.objects.create(id="1" * 32, granted_at_ms=old, **common)
    Lease.objects.create(id="2" * 32, granted_at_ms=old, state="held", **common)
    reconcile()
    assert rung == [("agents", place.agent.pk)]


def test_old_events_go_but_a_run_still_going_keeps_all_of_its_own() -> None:
    project = make_project(budget_micros=0)
    ended = make_run(project, state="succeeded", phase="Succeeded")
    going = make_run(project)
    Event.objects.all().delete()
    old = clock.to_ms(clock.now() - timedelta(days=400))
    for run_id, at_ms in ((ended.pk, old), (going.pk, old), (None, old), (ended.pk, clock.now_ms())):
        with transaction.atomic():
            events_append([EventDraft(topic="run", kind="run.x", entity_id="e", at_ms=at_ms, run_id=run_id)])
    assert retention()["events"] == 2
    assert sorted(str(e.run_id) for e in Event.objects.all()) == sorted([going.pk, ended.pk])


def test_old_ticks_go_but_those_of_runs_that_are_kept_and_of_runs_that_go_on() -> None:
    project = make_project(budget_micros=0)
    cron = Cron.objects.create(
        project=project, name="nightly", document={}, anchor_ms=0, considered_ms=0, created_at_ms=0, saved_by="user:a"
    )
    kept, gone = make_run(project, state="succeeded"), make_run(project, state="succeeded", deleted_at_ms=1)
    now = clock.now_ms()
    for at, (state, run, decided) in enumerate(
        [
            ("skipped", None, 0),
            ("succeeded", kept, 0),
            ("succeeded", gone, 0),
            ("active", None, 0),
            ("skipped", None, now),
        ]
    ):
        CronTick.objects.create(cron=cron, at_ms=at, decided_at_ms=decided, state=state, run=run)
    assert retention()["ticks"] == 2
    assert list(CronTick.objects.order_by("at_ms").values_list("at_ms", flat=True)) == [1, 3, 4]


def test_locks_nobody_uses_are_forgotten_but_not_a_size_that_people_set() -> None:
    project = make_project(budget_micros=0)
    used, sized, _ = (
        Lock.objects.create(project=project, kind=kind, semaphore=kind == "Database", resource=name, size=1)
        for kind, name in (("Mutex", "used"), ("Database", "sized"), ("Mutex", "of-one-run"))
    )
    LockClaim.objects.create(claim="c", lock=used, run=make_run(project), created_at_ms=0, asked_at_ms=0)
    assert retention()["locks"] == 1
    assert set(Lock.objects.all()) == {used, sized}


def test_idempotency_keys_are_kept_for_a_day() -> None:
    for key, hours in (("young", 23), ("old", 25)):
        row = IdempotencyKey.objects.create(principal="p", key=key, request_digest="d")
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=clock.now() - timedelta(hours=hours))
    assert retention()["idempotency_keys"] == 1
    assert [k.key for k in IdempotencyKey.objects.all()] == ["young"]
    assert retention()["idempotency_keys"] == 0


def test_artifacts_are_kept_for_ever_unless_a_time_is_set_and_then_only_of_ended_runs(settings: Any) -> None:
    project = make_project(budget_micros=0)
    old = clock.to_ms(clock.now() - timedelta(days=10))
    ended = make_run(project, state="succeeded", phase="Succeeded", finished_at_ms=old)
    young = make_run(project, state="failed", phase="Failed", finished_at_ms=clock.now_ms())
    going = make_run(project)
    for run in (ended, young, going):
        Artifact.objects.create(
            key=f"{run.pk}/n/0/o", project_id=project.pk, run_id=run.pk, node_id="n", generation=0, name="o",
            attempt_id="a", entries=[], size_bytes=0, created_at_ms=old,
        )  # fmt: skip
    assert retention()["artifacts"] == 0
    settings.FUBINI = {**settings.FUBINI, "RETENTION_ARTIFACTS_DAYS": 5}
    assert retention()["artifacts"] == 1
    assert set(Artifact.objects.values_list("run_id", flat=True)) == {young.pk, going.pk}


def test_events_are_kept_for_ever_where_their_retention_is_zero(settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "RETENTION_EVENTS_DAYS": 0}
    events_append([EventDraft("run", "run.x", "e", 0)])
    assert "events" not in retention()
    assert Event.objects.filter(of_kind__kind="run.x").exists()


def test_what_one_step_of_retention_cannot_do_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> int:
        raise OSError("the log folder is gone")

    monkeypatch.setattr(tasks, "logs_expire", broken)
    old = IdempotencyKey.objects.create(principal="p", key="old", request_digest="d")
    IdempotencyKey.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(hours=25))
    done = retention()
    assert (done["idempotency_keys"], "logs" in done, "objects" in done) == (1, False, True)
    assert "logs could not be let go of" in caplog.text
