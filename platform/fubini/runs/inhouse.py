"""Tasks the platform performs itself: taken by a worker of the platform, ended once.

A take is a compare-and-set on the task and a hold that the worker renews; when a worker dies its hold runs out and the task
is taken again, so a request may be sent twice and only one answer counts. The task's fence counts its takes: one that
ends whoever takes it is ended itself. Nothing is charged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import transaction
from django.db.models import Count, F

from fubini.common.bulk import StaleRow
from fubini.runs.codec import to_json
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.models import Run, Task, TaskHold
from fubini.runs.transitions import tasks_move

KINDS: Final = ("http", "data")
HELD_MS: Final = 20_000
TAKES_MAX: Final = 10
A_PROJECT_MAX: Final = 4  # at once, so that one project's slow answers do not hold up the others'


def inhouse_take(*, holder: str, at_ms: int) -> Task | None:
    """The next such task, now running and the caller's; None when there is none, or none of a project with room."""
    late = TaskHold.objects.filter(held_until_ms__lt=at_ms, task__state="running")
    for hold in late.order_by("held_until_ms")[:20]:
        with transaction.atomic():
            mine = TaskHold.objects.filter(pk=hold.pk, holder=hold.holder, held_until_ms=hold.held_until_ms)
            if mine.update(holder=holder, held_until_ms=at_ms + HELD_MS):
                Task.objects.filter(pk=hold.pk).update(fence=F("fence") + 1)
                return Task.objects.get(pk=hold.pk)
    held = TaskHold.objects.filter(held_until_ms__gte=at_ms, task__state="running").values("task__project_id")
    busy = held.annotate(n=Count("pk")).filter(n__gte=A_PROJECT_MAX).values("task__project_id")
    waiting = Task.objects.filter(state="queued", kind__in=KINDS).exclude(project_id__in=busy)
    for pk in waiting.order_by("queued_at_ms", "id").values_list("pk", flat=True)[:20]:
        try:
            with transaction.atomic():
                task = Task.objects.select_for_update().filter(pk=pk, state="queued").first()
                if task is None:
                    continue
                task.fence += 1
                tasks_move([task], "placed", at_ms=at_ms, fields=["fence"])
                tasks_move([task], "running", at_ms=at_ms)
                TaskHold.objects.update_or_create(
                    task=task, defaults={"holder": holder, "held_until_ms": at_ms + HELD_MS}
                )
                return task
        except StaleRow:
            continue
    return None


def inhouse_hold(*, holder: str, ids: Iterable[str], at_ms: int) -> None:
    """Renew the caller's holds."""
    TaskHold.objects.filter(pk__in=list(ids), holder=holder).update(held_until_ms=at_ms + HELD_MS)


@transaction.atomic
def inhouse_end(*, task: Task, holder: str, outcome: LeafOutcome, at_ms: int) -> bool:
    """Record what came of it; False when the task was cancelled or is another worker's by now."""
    fresh = Task.objects.select_for_update().filter(pk=task.pk, state="running").first()
    if fresh is None or not TaskHold.objects.filter(pk=task.pk, holder=holder).delete()[0]:
        TaskHold.objects.filter(pk=task.pk, holder=holder).delete()
        return False
    good = outcome.kind is OutcomeKind.EXITED and not outcome.error and not outcome.exit_code
    fresh.outcome = to_json(outcome)
    tasks_move([fresh], "succeeded" if good else "failed", at_ms=at_ms, fields=["outcome"])
    Run.objects.filter(pk=fresh.run_id).update(
        steps_done=F("steps_done") + 1, steps_failed=F("steps_failed") + (0 if good else 1)
    )
    return True
