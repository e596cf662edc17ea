"""A volume claim without a version means one version for the whole life of a run."""

from __future__ import annotations

import pytest

from fubini.datasets.models import Dataset, DatasetVersion
from fubini.dispatch.pump import engines_pump
from fubini.projects.models import Project
from fubini.runs.codec import spec_of, to_json
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.models import Run, Task
from fubini.runs.services import run_submit
from fubini.runs.signals import run_signal
from fubini.runs.transitions import tasks_move
from tests.support.rows import make_project

pytestmark = pytest.mark.django_db

READ = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: read-}
spec:
  entrypoint: read
  arguments: {parameters: [{name: which, value: methanol}]}
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: CLAIM}}
  templates:
  - name: read
    container:
      image: busybox
      command: [ls, /data]
      volumeMounts: [{name: data, mountPath: /data}]
"""


def version(project: Project, number: int, name: str = "methanol") -> None:
    dataset, _ = Dataset.objects.get_or_create(project=project, name=name)
    entries = [{"path": "a", "size": number, "mode": 0o644, "sha256": str(number) * 64}]
    DatasetVersion.objects.create(
        dataset=dataset, number=number, digest=str(number) * 64, entries=entries, files=1, size_bytes=number
    )


def submit(project: Project, claim: str = "methanol") -> Run:
    return run_submit(project=project, text=READ.replace("CLAIM", claim), actor="user:test")


def claim_of_newest_task(run: Run) -> str:
    task = Task.objects.filter(run=run).order_by("-generation").first()
    assert task is not None
    return spec_of(task.spec).volumes[0].claim


def test_the_newest_version_at_submit_is_read_by_every_attempt_and_by_retries() -> None:
    project = make_project()
    version(project, 1)
    run = submit(project)
    version(project, 2)
    assert run.datasets == {"methanol": "methanol-v1"}
    engines_pump()
    assert claim_of_newest_task(run) == "methanol-v1"
    task = Task.objects.get(run=run)
    task.outcome = to_json(LeafOutcome(kind=OutcomeKind.EXITED, exit_code=1))
    tasks_move([task], "failed", at_ms=1, fields=["outcome"])
    engines_pump()
    run.refresh_from_db()
    assert run.state == "failed"
    run_signal(run=run, kind="retry", actor="user:test")
    engines_pump()
    assert Task.objects.filter(run=run).count() == 2
    assert claim_of_newest_task(run) == "methanol-v1"
    assert submit(project).datasets == {"methanol": "methanol-v2"}  # a new run looks anew


def test_a_claim_that_is_computed_is_decided_when_its_first_task_opens() -> None:
    project = make_project()
    version(project, 1)
    run = submit(project, '"{{workflow.parameters.which}}"')
    assert run.datasets == {}
    version(project, 2)
    engines_pump()
    run.refresh_from_db()
    assert run.datasets == {"methanol": "methanol-v2"}
    assert claim_of_newest_task(run) == "methanol-v2"


def test_a_claim_with_a_version_means_that_version() -> None:
    project = make_project()
    version(project, 1)
    version(project, 2)
    assert submit(project, "methanol-v1").datasets == {"methanol-v1": "methanol-v1"}


def test_another_projects_dataset_is_not_found() -> None:
    version(make_project(), 1)
    run = submit(make_project())
    engines_pump()
    run.refresh_from_db()
    assert run.datasets == {}
    assert claim_of_newest_task(run) == "methanol"
