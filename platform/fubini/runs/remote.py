"""Tasks that wait for what the platform fetches: planned with the task, released when all of it has ended, well or not.

A released task whose input could not be fetched meets the planner like one whose input does not exist: it ends before it
starts, with the fetch's own sentence, as Argo's init error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from fubini.common import bell
from fubini.datasets.fetches import FetchDraft, fetches_plan
from fubini.datasets.models import Fetch
from fubini.runs.codec import spec_of, to_json
from fubini.runs.engine import TaskSpec
from fubini.runs.models import Run, Task
from fubini.runs.transitions import tasks_move

WAITING = "fetch"


def remote_plan(run: Run, specs: Sequence[TaskSpec], *, at_ms: int) -> set[str]:
    """Plan what these leaves read from outside; the keys that are still to come."""
    drafts = [
        FetchDraft(artifact.key, artifact.name, to_json(artifact.remote))
        for spec in specs
        for artifact in spec.artifacts_in
        if artifact.remote is not None and artifact.key
    ]
    if not drafts:
        return set()
    transaction.on_commit(lambda: bell.ring("remote"))
    return fetches_plan(project_id=run.project_id, run_id=run.pk, drafts=drafts, at_ms=at_ms)


def remote_keys(spec: TaskSpec) -> set[str]:
    return {artifact.key for artifact in spec.artifacts_in if artifact.remote is not None and artifact.key}


def remote_release(run_id: str, *, at_ms: int) -> int:
    """Queue the run's tasks that wait for nothing any more; how many."""
    with transaction.atomic():
        blocked = list(Task.objects.select_for_update().filter(run_id=run_id, state="blocked", kind="exec"))
        waiting = {t.pk: remote_keys(spec_of(t.spec)) for t in blocked if WAITING in t.waiting_for}
        open_keys = set(
            Fetch.objects.filter(run_id=run_id, state__in=["planned", "moving"]).values_list("key", flat=True)
        )
        free = [t for t in blocked if t.pk in waiting and not waiting[t.pk] & open_keys]
        for task in free:
            task.waiting_for = [w for w in task.waiting_for if w != WAITING]
            task.queued_at_ms = at_ms
        tasks_move(free, "queued", at_ms=at_ms, fields=["waiting_for", "queued_at_ms"])
    return len(free)


def fetches_waited_for(tasks: Iterable[Task]) -> dict[str, list[Fetch]]:
    """By task, what it still waits for, the slowest first; one query, and none where nothing is read from outside."""
    keys = {task.pk: remote_keys(spec_of(task.spec)) for task in tasks if WAITING in task.waiting_for}
    wanted = set().union(*keys.values())
    rows = list(Fetch.objects.filter(key__in=wanted, state__in=["planned", "moving"]).order_by("planned_at_ms", "id"))
    return {pk: [row for row in rows if row.key in own] for pk, own in keys.items()}
