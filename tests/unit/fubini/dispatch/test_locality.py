"""Bytes decide where they are many: a step goes to its data, or to the cheaper place when moving costs nothing."""

from __future__ import annotations

import pytest

from fubini.datasets.models import Dataset, DatasetVersion, Replica, Transfer
from fubini.dispatch.loop import Loop
from fubini.dispatch.selectors import task_why
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.runs.engine import TaskSpec, VolumeMount
from fubini.runs.models import Attempt, Task
from tests.support.rows import make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("size_bytes", "want_site", "want_why", "want_moved"),
    [
        pytest.param(100 << 30, "holds-it", "data_local", 0, id="a hundred GiB stay where they are"),
        pytest.param(10_000, "cheap", "balanced", 10_000, id="ten kB go to the cheap site"),
    ],
)
def test_the_size_of_the_input_decides(size_bytes: int, want_site: str, want_why: str, want_moved: int) -> None:
    dear = make_place("holds-it", core_hour_micros=3_600_000)
    cheap = make_place("cheap", core_hour_micros=36)
    for place in (dear, cheap):  # a link of 10 MB/s into each
        place.pool.labels = {"fubini.dev/bandwidth-bytes-per-s": "10000000"}
        place.pool.save()
    project = make_project(budget_micros=10**12)
    entries = [{"path": "all.bin", "size": size_bytes, "mode": 0o644, "sha256": "d" * 64}]
    dataset = Dataset.objects.create(project=project, name="big")
    DatasetVersion.objects.create(
        dataset=dataset, number=1, digest="m" * 64, entries=entries, files=1, size_bytes=size_bytes
    )
    Replica.objects.create(site_id=dear.site.pk, digest="d" * 64, size_bytes=size_bytes)
    spec = TaskSpec(
        template="read",
        image="i",
        argv=("true",),
        walltime_s=600,
        volumes=(VolumeMount("data", "big-v1", "/data", True),),
    )
    task = make_task(make_run(project), spec=spec)
    Loop().cycle()
    attempt = Attempt.objects.select_related("site").get(task=task)
    assert (attempt.site.name, attempt.placement["why"], attempt.placement["bytes_to_move"]) == (
        want_site,
        want_why,
        want_moved,
    )
    assert sum(t.size_bytes for t in Transfer.objects.filter(attempt_id=attempt.pk)) == want_moved


def test_bytes_on_their_way_are_not_sent_twice_and_are_waited_for() -> None:
    place = make_place()
    project = make_project(budget_micros=10**12)
    entries = [{"path": "all.bin", "size": 50_000_000, "mode": 0o644, "sha256": "d" * 64}]
    dataset = Dataset.objects.create(project=project, name="big")
    DatasetVersion.objects.create(
        dataset=dataset, number=1, digest="m" * 64, entries=entries, files=1, size_bytes=50_000_000
    )
    spec = TaskSpec(template="read", image="i", argv=("true",), volumes=(VolumeMount("data", "big-v1", "/data", True),))
    run = make_run(project)
    first = make_task(run, spec=spec)
    Loop().cycle()
    second = make_task(run, spec=spec)
    moving = world_of(RequestCache()).snapshot.transfers  # a dispatch that started a moment ago knows it too
    assert [(t.site_id, t.key, t.bytes_left) for t in moving] == [(place.site.pk, "d" * 64, 50_000_000)]
    Loop().cycle()
    told = [task_why(Task.objects.get(pk=t.pk)).placement for t in (first, second)]
    assert [p["bytes_to_move"] for p in told if p] == [50_000_000, 0]
    waits = [p["considered"][0]["transfer_ms"] for p in told if p]
    assert waits[0] == waits[1] > 0
    Replica.objects.create(site_id=place.site.pk, digest="d" * 64, size_bytes=50_000_000)
    assert world_of(RequestCache()).snapshot.transfers == ()
