"""Child runs: what a `resource` template's task makes, waits for and reads.

A child is a run like any other, of the same project and by the same person, whose budget, limits and permissions it uses.
Its cost limit is what is left of its parent's when it is made, and what all runs of a tree spend together is held to the limits
above them (`limits`). It ends with its parent: when the parent's task is cancelled
(stop, terminate, a deadline), the child is stopped or terminated too; Argo would let it go on, but here nobody would look
after what it spends. A task is done once the conditions say so; one whose child ended as no condition foresees fails,
where Argo would wait for ever.

Chains are limited in depth (`CHILD_DEPTH`) and the runs below one run in number (`CHILD_RUNS`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from fubini.common import clock
from fubini.common.errors import FubiniError
from fubini.common.options import option
from fubini.language import conditions, jsonpath
from fubini.language.errors import LanguageError
from fubini.manifests.load import load
from fubini.pipelines.selectors import library_of
from fubini.runs.codec import spec_of, to_json
from fubini.runs.engine import ChildRun, LeafOutcome, OutcomeKind
from fubini.runs.limits import RunLimits
from fubini.runs.models import Run, RunLabel, Task
from fubini.runs.services import run_submit
from fubini.runs.transitions import RUN_ENDED, tasks_move

log = logging.getLogger(__name__)
KIND: Final = "child"
AT_ONCE: Final = 50  # runs made in one pass
LOOKED_AT: Final = 500  # tasks whose runs are looked at in one pass
EXIT_CODE: Final = 64  # what Argo's executor ends with


_looked_to: dict[str, str] = {}  # state of tasks -> the last one looked at; may be lost


class ChildRefused(Exception):
    """A child run cannot be made or found; the message says why."""


def children_step() -> int:
    """Make the runs that tasks ask for, and end tasks whose run has come to what they wait for; how many moved."""
    moved = 0
    for pk in _turn("queued", AT_ONCE):
        moved += _guarded(pk, _begin)
    for pk in _turn("running", LOOKED_AT):
        moved += _guarded(pk, _look)
    return moved


def _turn(state: str, most: int) -> list[str]:
    """The next such tasks, round and round, so that many that wait long, or that fail again and again, hide no other."""
    rows = Task.objects.filter(kind=KIND, state=state).order_by("id").values_list("pk", flat=True)
    after = _looked_to.get(state, "")
    found = list(rows.filter(pk__gt=after)[:most])
    if len(found) < most:
        found += rows.filter(pk__lte=after)[: most - len(found)]
    _looked_to[state] = found[-1] if found else ""
    return found


def _guarded(pk: str, work: Any) -> int:
    """One task in its own transaction: a bad one stops no other."""
    try:
        with transaction.atomic():
            task = Task.objects.select_for_update().filter(pk=pk, state__in=["queued", "running"]).first()
            return int(work(task)) if task is not None else 0
    except (ChildRefused, FubiniError, LanguageError) as error:
        detail = getattr(error, "detail", "") or str(error)
        with transaction.atomic():
            task = Task.objects.select_for_update().filter(pk=pk, state__in=["queued", "running"]).first()
            if task is not None:
                _end(task, _outcome(1, error=f"main: Error (exit code {EXIT_CODE}): {detail[:1500]}"))
        return 1
    except Exception:
        log.exception("child run of task %s could not be looked after; it is tried again", pk)
        return 0


def _begin(task: Task) -> bool:
    """Make or find the task's run."""
    child = _child_of(task)
    parent = Run.objects.select_related("project").get(pk=task.run_id)
    found = load(child.manifest)
    document = found.document
    if not isinstance(document, Mapping) or document.get("kind") != "Workflow":
        kind = document.get("kind") if isinstance(document, Mapping) else None
        raise ChildRefused(f"a resource here is a Workflow; this is {kind or 'no object'!s}")
    at_ms = clock.now_ms()
    if child.action == "get":
        run = _named(parent, document)
    else:
        run = _made(parent, task, child)
    task.child_run = run.pk
    tasks_move([task], "placed", at_ms=at_ms, fields=["child_run"], data=lambda _: {"child_run": run.pk})
    tasks_move([task], "running", at_ms=at_ms)
    _look(task)
    return True


def _named(parent: Run, document: Mapping[str, Any]) -> Run:
    name = str((document.get("metadata") or {}).get("name") or "")
    rows = Run.objects.filter(project_id=parent.project_id, name=name, deleted_at_ms=None)
    found = rows.order_by("-created_at_ms").first()
    if not name or found is None:
        raise ChildRefused(f"the project has no run named {name[:120]!r}")
    return found


def _made(parent: Run, task: Task, child: ChildRun) -> Run:
    depth, root = parent.depth + 1, parent.root or parent.pk
    if depth > option("CHILD_DEPTH"):
        raise ChildRefused(f"runs may be {option('CHILD_DEPTH')} deep in one another; this would be number {depth}")
    if Run.objects.filter(root=root).count() >= option("CHILD_RUNS"):
        raise ChildRefused(f"a run may have {option('CHILD_RUNS')} runs below it")
    left = RunLimits([parent.pk]).left_micros(parent.pk)
    run = run_submit(
        project=parent.project,
        text=child.manifest,
        actor=parent.submitted_by,
        library=library_of(parent.project_id),
        max_cost_micros=left if left is None else max(0, left),
        objective=parent.objective,
        priority=parent.priority,
    )
    Run.objects.filter(pk=run.pk).update(parent=parent.pk, parent_node=task.node_id, root=root, depth=depth)
    return run


def _look(task: Task) -> bool:
    """End the task if its run has come to what it waits for."""
    child = _child_of(task)
    run = Run.objects.filter(pk=task.child_run).select_related("project").first()
    if run is None or run.deleted_at_ms is not None:
        raise ChildRefused(
            "The resource has been deleted while its status was still being checked. Will not be retried"
        )
    if not child.success and not child.failure:
        return _end(task, _outcome(0, parameters=_outputs(child, object_of(run))))
    document = object_of(run)
    for requirement in conditions.parse(child.failure):
        if requirement.matches(document):
            said = f"failure condition '{{{requirement}}}' evaluated true"
            return _end(task, _outcome(1, error=f"main: Error (exit code {EXIT_CODE}): {said}"))
    success = conditions.parse(child.success)
    if success and all(r.matches(document) for r in success):
        return _end(task, _outcome(0, parameters=_outputs(child, document)))
    if run.state in RUN_ENDED:
        said = f"the run {run.name} ended {run.phase}, which no condition of this resource foresees"
        return _end(task, _outcome(1, error=f"main: Error (exit code {EXIT_CODE}): {said}"))
    return False


def object_of(run: Run) -> dict[str, Any]:
    """A run in the shape of a Workflow, as far as conditions and paths read it."""
    status: dict[str, Any] = {
        "phase": run.phase,
        "message": run.message,
        "progress": f"{run.steps_done}/{run.steps_total}",
        "startedAt": _time(run.started_at_ms),
        "finishedAt": _time(run.finished_at_ms),
        "outputs": run.outputs or {},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": run.name,
            "namespace": run.project.slug,
            "uid": run.pk,
            "labels": dict(RunLabel.objects.filter(run=run).values_list("key", "value")),
        },
        "spec": {
            "arguments": {"parameters": [{"name": n, "value": v} for n, v in run.parameters.items()]},
        },
        "status": {name: value for name, value in status.items() if value is not None},
    }


def _time(at_ms: int | None) -> str | None:
    return clock.from_ms(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ") if at_ms is not None else None


def _outputs(child: ChildRun, document: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for output in child.outputs:
        value = jsonpath.value_at(output.path, document)
        found[output.name] = value if value or output.default is None else output.default
    return found


def _child_of(task: Task) -> ChildRun:
    child = spec_of(task.spec).child
    assert child is not None, f"task {task.pk} asks for no run"
    return child


def _outcome(code: int, *, error: str = "", parameters: Mapping[str, str] | None = None) -> LeafOutcome:
    return LeafOutcome(OutcomeKind.EXITED, exit_code=code, error=error, parameters=dict(parameters or {}))


def _end(task: Task, outcome: LeafOutcome) -> bool:
    at_ms = clock.now_ms()
    task.outcome = to_json(outcome)
    good = outcome.exit_code == 0
    tasks_move([task], "succeeded" if good else "failed", at_ms=at_ms, fields=["outcome"])
    Run.objects.filter(pk=task.run_id).update(
        steps_done=F("steps_done") + 1, steps_failed=F("steps_failed") + (0 if good else 1)
    )
    return True
