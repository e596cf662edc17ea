"""How long steps took: one running mean and deviation per project, template and node group.

Fed with every success, read for predictions and quotes. Exponentially weighted, integer milliseconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.db.models import Q, QuerySet

from fubini.dispatch.models import RunTime
from fubini.runs.models import Attempt, Task

WEIGHT = 8  # a new sample counts 1/8 once there are that many


def history_note(tasks: Sequence[Task]) -> None:
    """Take the run times of succeeded tasks in; the caller holds a transaction."""
    if not tasks:
        return
    by_task = {t.pk: t for t in tasks}
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    rows = Attempt.objects.filter(task_id__in=by_task, state="succeeded").values_list(
        "task_id", "node_group_id", "started_at_ms", "finished_at_ms"
    )
    for task_id, group_id, started, finished in rows:
        if started is not None and finished is not None:
            task = by_task[task_id]
            found[task.project_id, task.template, group_id].append(max(0, finished - started))
    known = {
        (r.project_id, r.template, r.node_group_id): r
        for r in RunTime.objects.filter(Q(project_id__in={k[0] for k in found}), template__in={k[1] for k in found})
    }
    for key, samples in found.items():
        row = known.get(key) or RunTime(project_id=key[0], template=key[1], node_group_id=key[2])
        for sample in samples:
            row.samples += 1
            share = min(row.samples, WEIGHT)
            error = sample - row.mean_ms
            row.mean_ms += error // share
            row.deviation_ms += (abs(error) - row.deviation_ms) // share
        row.save()


def history_of(keys: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, RunTime]]:
    """(project, template) -> node group -> what is known."""
    return history_from(RunTime.objects.filter(project_id__in={k[0] for k in keys}, template__in={k[1] for k in keys}))


def history_rows(tasks: QuerySet[Task]) -> QuerySet[RunTime]:
    """The rows `history_from` reads for these tasks."""
    return RunTime.objects.filter(project_id__in=tasks.values("project_id"), template__in=tasks.values("template"))


def history_from(rows: Iterable[RunTime]) -> dict[tuple[str, str], dict[str, RunTime]]:
    """(project, template) -> node group -> what is known."""
    out: dict[tuple[str, str], dict[str, RunTime]] = defaultdict(dict)
    for row in rows:
        out[row.project_id, row.template][row.node_group_id] = row
    return out
