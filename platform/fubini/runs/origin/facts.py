"""What is known of each place of an answer: data with its digest, steps with where and in what they ran, runs with their manifest.

A fixed number of queries for all places together. What was recorded and is gone (cleared bytes, a deleted run) is said to
be gone, never left out: a chain with a hole is not one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fubini.common import clock
from fubini.datasets.entries import manifest_of
from fubini.datasets.models import Artifact, DatasetVersion
from fubini.runs.models import Attempt, Run, RunManifest, RunNode, Task
from fubini.runs.origin.steps import producer_of

VALUES_MAX: Final = 100  # parameters of a run or a step that are told
VALUE_MAX: Final = 500  # characters of one


@dataclass(frozen=True, slots=True)
class FileFacts:
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DataFacts:
    """An artifact or a dataset version. `digest` is of its list of files; `file` the only one, where it has one.

    `gone`: the record of it is not there any more. `fetched` says where the platform got it from, and when.
    """

    key: str
    digest: str = ""
    files: int = 0
    size_bytes: int = 0
    file: FileFacts | None = None
    dataset: str = ""
    number: int | None = None
    made_by: str = ""
    gone: bool = False
    fetched: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """The try whose result counts. `fingerprint` is of the environment the image meant there, as the agent recorded it."""

    id: str
    number: int
    site: str
    pool: str
    simulated: bool
    hostname: str
    hardware: str
    environment: str
    fingerprint: str
    started_at_ms: int | None
    finished_at_ms: int | None


@dataclass(frozen=True, slots=True)
class StepFacts:
    task: str
    node: str
    generation: int
    template: str
    state: str
    kind: str
    image: str
    parameters: Mapping[str, str]
    attempt: AttemptFacts | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """`manifest_sha256` is of the text it was submitted with, also where that is a pipeline's version."""

    id: str
    job_number: int
    name: str
    state: str
    deleted: bool
    submitted_by: str
    created_at_ms: int
    finished_at_ms: int | None
    pipeline: str
    pipeline_id: str
    pipeline_version: int | None
    manifest_sha256: str
    parameters: Mapping[str, str]


@dataclass(slots=True)
class Facts:
    """By what a place names: artifacts by key, versions by id, steps by task, runs by id; `names` of steps by task."""

    data: dict[str, DataFacts] = field(default_factory=dict)
    steps: dict[str, StepFacts] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    at_ms: dict[str, int | None] = field(default_factory=dict)
    runs: dict[str, RunFacts] = field(default_factory=dict)
    step_runs: dict[str, str] = field(default_factory=dict)  # task -> run


def facts_of(
    project_id: str,
    *,
    artifacts: Collection[str] = (),
    versions: Sequence[DatasetVersion] = (),
    steps: Sequence[Task] = (),
    runs: Collection[str] = (),
) -> Facts:
    """All of it, within one project."""
    found = Facts()
    _artifacts(found, project_id, artifacts)
    for version in versions:
        key = f"dataset/{version.dataset.name}@{version.number}"
        found.data[version.pk] = DataFacts(
            key, version.digest, version.files, version.size_bytes,
            dataset=version.dataset_id, number=version.number, made_by=version.created_by,
        )  # fmt: skip
        found.at_ms[version.pk] = clock.to_ms(version.created_at)
    _steps(found, steps)
    of_artifacts = {place[0] for key in artifacts if (place := producer_of(key))}
    _runs(found, project_id, {*runs, *(t.run_id for t in steps), *of_artifacts})
    return found


def _artifacts(found: Facts, project_id: str, keys: Collection[str]) -> None:
    for row in Artifact.objects.filter(project_id=project_id, pk__in=keys) if keys else ():
        manifest = manifest_of(row.entries)
        only = manifest.entries[0] if len(manifest.entries) == 1 else None
        found.data[row.key] = DataFacts(
            row.key, manifest.digest(), len(manifest.entries), row.size_bytes,
            file=FileFacts(only.path, only.size, only.sha256) if only else None, fetched=row.provenance,
        )  # fmt: skip
        found.at_ms[row.key] = row.created_at_ms
    for key in keys:
        if key not in found.data:
            found.data[key] = DataFacts(key, gone=True)


def _steps(found: Facts, steps: Sequence[Task]) -> None:
    if not steps:
        return
    nodes = {
        (n.run_id, n.node_id): n
        for n in RunNode.objects.filter(
            run_id__in={t.run_id for t in steps}, node_id__in={t.node_id for t in steps}
        ).only("run_id", "node_id", "display_name", "inputs")
    }
    # A taken-over step has no attempt of its own: the one that ran it is named where its result came from.
    ran = {t.pk: str(t.reuse["from"].get("attempt", "")) for t in steps if t.reuse and t.reuse.get("from")}
    attempts: dict[str, Attempt] = {}
    by_id: dict[str, Attempt] = {}
    rows = Attempt.objects.filter(task_id__in=[*(t.pk for t in steps), *_origins(steps)])
    for attempt in rows.select_related("site", "pool", "node_group", "environment_document").order_by("number"):
        by_id[attempt.pk] = attempt
        if attempt.state == "succeeded" or attempt.task_id not in attempts:
            attempts[attempt.task_id] = attempt
    for task in steps:
        node = nodes.get((task.run_id, task.node_id))
        counted = by_id.get(ran[task.pk]) if task.pk in ran else attempts.get(task.pk)
        found.step_runs[task.pk] = task.run_id
        found.names[task.pk] = node.display_name if node else task.node_id
        found.at_ms[task.pk] = task.finished_at_ms
        found.steps[task.pk] = StepFacts(
            task=task.pk, node=task.node_id, generation=task.generation, template=task.template, state=task.state,
            kind=task.kind, image=str(task.spec.get("image", "")), parameters=_inputs(node),
            attempt=_attempt(counted) if counted else None,
        )  # fmt: skip


def _origins(steps: Sequence[Task]) -> list[str]:
    return [str(t.reuse["from"]["task"]) for t in steps if t.reuse and t.reuse.get("from")]


def _attempt(row: Attempt) -> AttemptFacts:
    environment = row.environment
    return AttemptFacts(
        id=row.pk,
        number=row.number,
        site=row.site.name,
        pool=row.pool.name,
        simulated=bool(row.node_group.simulated),
        hostname=str(environment.get("hostname", "")),
        hardware=str(environment.get("hardware", "")),
        environment=str(environment.get("environment_image", "")),
        fingerprint=str(environment.get("environment_fingerprint", "")),
        started_at_ms=row.started_at_ms,
        finished_at_ms=row.finished_at_ms,
    )


def _inputs(node: RunNode | None) -> dict[str, str]:
    rows = (node.inputs or {}).get("parameters") or () if node is not None else ()
    return _told({str(p.get("name", "")): p.get("value") for p in rows})


def _told(values: Mapping[str, Any]) -> dict[str, str]:
    some = list(values.items())[:VALUES_MAX]
    return {name: str(value)[:VALUE_MAX] for name, value in some if value is not None}


def _runs(found: Facts, project_id: str, ids: Collection[str]) -> None:
    if not ids:
        return
    texts = RunManifest.objects.filter(run_id__in=ids, run__project_id=project_id).values_list("run_id", "text")
    digests = {run_id: hashlib.sha256(text.encode()).hexdigest() for run_id, text in texts}
    rows = Run.objects.filter(project_id=project_id, pk__in=ids).select_related("pipeline_version__pipeline")
    for run in rows.defer("engine_state", "outputs", "quote"):
        version = run.pipeline_version
        found.runs[run.pk] = RunFacts(
            id=run.pk, job_number=run.job_number, name=run.name, state=run.state, deleted=run.deleted_at_ms is not None,
            submitted_by=run.submitted_by, created_at_ms=run.created_at_ms, finished_at_ms=run.finished_at_ms,
            pipeline=version.pipeline.name if version else "", pipeline_id=version.pipeline_id if version else "",
            pipeline_version=version.number if version else None, manifest_sha256=digests.get(run.pk, ""),
            parameters=_told(run.parameters),
        )  # fmt: skip
