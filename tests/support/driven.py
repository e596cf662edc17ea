"""Runs on real rows without processes: the real engine is pumped, and steps end as a test says.

What an agent would do is done here by the services an agent's reports reach, so that money, artifacts and events are
the real ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fubini.common import clock
from fubini.datasets.services import blob_record
from fubini.dispatch.pump import engines_pump
from fubini.runs.codec import spec_of
from fubini.runs.engine import LeafOutcome, OutcomeKind, TaskSpec
from fubini.runs.models import Attempt, Run, RunNode, Task
from fubini.runs.results import AttemptEnd, artifact_key, attempts_end
from tests.support.rows import Place, make_attempt

PASSES = 200


@dataclass
class End:
    """How a step ends. `files` are output artifacts by name with their bytes; an output not named is left empty."""

    code: int = 0
    cause: str = ""  # "" and a code other than 0: user
    kind: OutcomeKind = OutcomeKind.EXITED
    result: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    wall_ms: int = 1000
    fingerprint: str = ""


Ends = Callable[[str, TaskSpec], End]


def good(_name: str, _spec: TaskSpec) -> End:
    return End()


def drive(run: Run, place: Place, ends: Ends = good) -> Run:
    """Pump the run until nothing more happens by itself; steps ready meanwhile run, `ends` says how they end."""
    for _ in range(PASSES):
        fed = engines_pump()
        tasks = list(Task.objects.filter(run=run, state="queued").order_by("queued_at_ms", "id"))
        for task in tasks:
            name = RunNode.objects.get(run=run, node_id=task.node_id).display_name
            finish(task, place, ends(name, spec_of(task.spec)))
        if not fed and not tasks:
            return Run.objects.select_related("project").get(pk=run.pk)
    raise AssertionError(f"run {run.name} did not settle in {PASSES} passes")


def finish(task: Task, place: Place, end: End) -> Attempt:
    """Lease a queued task and end it."""
    spec = spec_of(task.spec)
    attempt = make_attempt(task, place)
    attempt = Attempt.objects.select_related("task").get(pk=attempt.pk)
    if spec.resources.memory_bytes:
        attempt.memory_bytes = spec.resources.memory_bytes
        attempt.save(update_fields=["memory_bytes"])
    attempt.leased_at_ms -= end.wall_ms
    attempt.started_at_ms, attempt.finished_at_ms = attempt.leased_at_ms, attempt.leased_at_ms + end.wall_ms
    attempt.exit_code, attempt.peak_memory_bytes = end.code, end.peak_memory_bytes
    if end.fingerprint:
        attempt.environment = {"environment_image": spec.image, "environment_fingerprint": end.fingerprint}
    failed = end.code != 0 or end.kind is not OutcomeKind.EXITED
    artifacts = {}
    for output in spec.artifacts_out if not failed else ():
        data = end.files.get(output.name, b"")
        digest = hashlib.sha256(data).hexdigest()
        blob_record(project_id=task.project_id, digest=digest, size_bytes=len(data))
        artifacts[output.name] = [{"path": "", "size": len(data), "mode": 0o644, "sha256": digest}]
    outcome = LeafOutcome(
        kind=end.kind,
        exit_code=end.code,
        result=end.result,
        parameters=dict(end.parameters),
        artifacts={name: artifact_key(task, name) for name in artifacts},
        started_ms=attempt.started_at_ms,
        finished_ms=attempt.finished_at_ms,
    )
    state, cause = ("failed", end.cause or "user") if failed else ("succeeded", "")
    attempts_end([AttemptEnd(attempt, state, cause, "", outcome, artifacts, end.wall_ms)], at_ms=clock.now_ms())
    return attempt


def phases(run: Run) -> dict[str, str]:
    """Display name -> phase of what is in the tree."""
    return dict(RunNode.objects.filter(run=run).exclude(phase="").values_list("display_name", "phase"))


def task_of(run: Run, name: str) -> Any:
    """The newest task of the node with that display name."""
    ids = RunNode.objects.filter(run=run, display_name=name).values_list("node_id", flat=True)
    return Task.objects.filter(run=run, node_id__in=list(ids)).order_by("generation").last()
