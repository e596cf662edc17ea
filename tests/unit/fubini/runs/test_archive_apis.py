"""A run's outputs as one tar: names that say what the files are, and a bound on how much."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from fubini.datasets.models import Artifact
from fubini.datasets.store import default_store
from fubini.runs.engine import ArtifactOutput, TaskSpec
from tests.support.rest import make_house, problem_of
from tests.support.rows import make_run, make_task


def test_one_file_artifacts_end_as_the_step_wrote_them_and_too_many_bytes_are_refused_with_a_way_out(
    db: None, tmp_path: Path, settings: Any
) -> None:
    settings.FUBINI = {**settings.FUBINI, "OBJECTS_URL": str(tmp_path / "objects")}
    house = make_house()
    run = make_run(house.project, state="succeeded")
    declared = tuple(ArtifactOutput(name=n, path=f"/tmp/out/{n}.tar.gz") for n in ("plot", "folder", "data.csv"))
    task = make_task(run, "step", spec=TaskSpec(template="work", image="busybox", argv=("true",), artifacts_out=declared))
    digest = default_store().put_bytes(b"1234")
    for name, path in (("plot", ""), ("folder", "a/b"), ("data.csv", "")):
        Artifact.objects.create(
            key=f"{run.pk}/step/0/{name}", project_id=house.project.pk, run_id=run.pk, node_id="step", generation=0,
            name=name, attempt_id=task.pk, entries=[{"path": path, "size": 4, "sha256": digest}], size_bytes=4,
            created_at_ms=1,
        )  # fmt: skip
    path = f"artifacts/{run.pk}/archive?all=true"
    answer = house.api["viewer"].get(path)
    assert answer.status_code == 200 and answer.is_async  # type: ignore[attr-defined]
    with tarfile.open(fileobj=io.BytesIO(b"".join(answer))) as tar:  # type: ignore[arg-type]
        assert sorted(tar.getnames()) == ["step/data.csv", "step/folder/a/b", "step/plot.tar.gz"]
    settings.FUBINI = {**settings.FUBINI, "ARCHIVE_MAX_BYTES": 11}
    refused = problem_of(house.api["viewer"].get(path), 422)
    assert (refused["found"], refused["allowed"]) == (12, 11)
    assert f"fubini run outputs {run.job_number} --to DIR" in refused["next_step"]
    settings.FUBINI = {**settings.FUBINI, "ARCHIVE_MAX_BYTES": 12}
    default_store().delete(digest)
    lost = problem_of(house.api["viewer"].get(path), 409)
    assert "3 of the run's files" in lost["detail"]
    assert [error["path"] for error in lost["errors"]] == ["step/data.csv", "step/folder/a/b", "step/plot"]
