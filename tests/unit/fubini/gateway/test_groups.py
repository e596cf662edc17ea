"""Steps of several containers and disks of runs between the rows and the wire."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.common import clock
from fubini.gateway.spool import logs_take
from fubini.runs.engine import ContainerKind, ContainerSpec, TaskSpec, VolumeMount
from fubini.runs.logs import log_read, log_streams
from fubini.runs.models import Run, RunPlace, Task
from fubini_protocol.v1 import messages as wire
from tests.support.rows import Place, make_attempt, make_place, make_project, make_run, make_task
from tests.unit.fubini.gateway.test_sync import held, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    return make_place()


def part(name: str, kind: ContainerKind = ContainerKind.MAIN, **more: Any) -> ContainerSpec:
    return ContainerSpec(name, kind, "busybox", ("run", name), **more)


def group_task(run: Run, **more: Any) -> Task:
    containers = (
        part("fetch"),
        part("pack", dependencies=("fetch",), runs=3, delay_ms=1500),
        part("log", ContainerKind.SIDECAR),
    )
    return make_task(run, spec=TaskSpec("t", "busybox", ("run", "pack"), containers=containers, **more))


def test_containers_and_the_one_that_stands_for_them_are_in_the_spec(place: Place) -> None:
    make_attempt(group_task(make_run(make_project())), place)
    [offer] = sync(place).start
    assert offer.spec.principal == "pack"
    assert [(c.name, c.kind.value, c.after, c.runs, c.delay_s) for c in offer.spec.containers] == [
        ("fetch", "main", (), 1, 0.0),
        ("pack", "main", ("fetch",), 3, 1.5),
        ("log", "sidecar", (), 1, 0.0),
    ]


def test_the_codes_of_containers_reach_the_engine(place: Place) -> None:
    task = group_task(make_run(make_project()))
    attempt = make_attempt(task, place)
    codes = {"fetch": 0, "pack": 0, "log": 6}
    outcome = wire.Outcome(kind=wire.OutcomeKind.EXITED, exit_code=0, container_codes=codes)
    report = wire.Report(
        sequence=9, attempt_id=attempt.pk, task_id=task.pk, fence=1, state=wire.AttemptState.FAILED,
        at_ms=clock.now_ms(), cause=wire.Cause.USER, outcome=outcome,
    )  # fmt: skip
    sync(place, held=(held(attempt),), reports=(report,))
    task.refresh_from_db()
    assert task.state == "failed"
    assert task.outcome is not None
    assert task.outcome["containers"] == codes


def test_a_disk_is_named_by_its_run_and_dropped_when_nobody_needs_it(place: Place) -> None:
    kept, done, gone = (make_run(make_project()) for _ in range(3))
    disk = VolumeMount("work", "", "/w", sub_path="a", disk="work")
    make_attempt(make_task(kept, spec=TaskSpec("t", "busybox", ("true",), volumes=(disk,))), place)
    [offer] = sync(place).start
    [volume] = offer.spec.volumes
    assert (volume.disk, volume.sub_path, volume.entries) == (f"{kept.pk}.work", "a", None)
    RunPlace.objects.create(run=done, agent=place.agent, site=place.site, disks_done=True)
    Run.objects.filter(pk=gone.pk).update(deleted_at_ms=clock.now_ms())
    disks = (*[f"{run.pk}.work" for run in (kept, done, gone)], "nonsense")
    assert set(sync(place, seq=2, disks=disks).drop_disks) == {f"{done.pk}.work", f"{gone.pk}.work", "nonsense"}


def test_each_container_has_its_own_log(place: Place) -> None:
    attempt = make_attempt(group_task(make_run(make_project())), place)

    def chunk(container: str, text: bytes) -> wire.LogChunk:
        return wire.LogChunk.of(
            text, attempt_id=attempt.pk, task_id=attempt.task_id, fence=1, stream=wire.Stream.STDOUT, offset=0,
            container=container,
        )  # fmt: skip

    chunks = (chunk("", b"main"), chunk("fetch", b"fetched"), chunk("../x", b"no"))
    reply = logs_take(place.agent, wire.LogsRequest(agent_id=place.agent.pk, session_id="s", chunks=chunks))
    assert [(n.container, n.offset, n.closed) for n in reply.next] == [
        ("", 4, False),
        ("fetch", 7, False),
        ("../x", 0, True),
    ]
    assert [log_streams(attempt.run_id, attempt.pk, name) for name in ("", "fetch")] == [["stdout"], ["stdout"]]
    assert log_read(attempt.run_id, attempt.pk, stream="stdout", container="fetch").data == b"fetched"
    assert log_read(attempt.run_id, attempt.pk, stream="stdout").data == b"main"
