"""Bytes decide where they are many: a step goes to its data, or to the cheaper place when moving costs nothing."""

from __future__ import annotations

import pytest

from fubini.datasets.models import Dataset, DatasetVersion, Replica, Transfer
from fubini.dispatch.loop import Loop
from fubini.runs.engine import TaskSpec, VolumeMount
from fubini.runs.models import Attempt
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
        place.pool.labels = {"fubini.dev/bandwidth-bytes-per-s": 10_000_000}
        place.pool.save()
    project = make_project(budget_micros=10**12)
    entries = [{"path": "all.bin", "size": size_bytes, "mode": 0o644, "sha256": "d" * 64}]
    dataset = Dataset.objects.create(project=project, name="big")
    DatasetVersion.objects.create(dataset=dataset, number=1, digest="m" * 64, entries=entries, files=1, size_bytes=size_bytes)
    Replica.objects.create(site_id=dear.site.pk, digest="d" * 64, size_bytes=size_bytes)
    spec = TaskSpec(
        template="read", image="i", argv=("true",), walltime_s=600, volumes=(VolumeMount("data", "big-v1", "/data", True),)
    )
    task = make_task(make_run(project), spec=spec)
    Loop().cycle()
    attempt = Attempt.objects.select_related("site").get(task=task)
    assert (attempt.site.name, attempt.placement["why"], attempt.placement["bytes_to_move"]) == (want_site, want_why, want_moved)
    assert sum(t.size_bytes for t in Transfer.objects.filter(attempt_id=attempt.pk)) == want_moved
