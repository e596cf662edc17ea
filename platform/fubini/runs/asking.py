"""What waiting steps ask for, changed by a person: cores, memory, disk, devices, walltime, objective, priority, place.

A queued task's row says what the scheduler places it by; a change holds for the rows it was made on. A retry or another
node of the same template asks again for what the manifest says: that is where a change that should last belongs.
The version rises, so a plan made before the change is stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict
from fubini.events.services import EventDraft, events_append
from fubini.runs.codec import spec_of, to_json
from fubini.runs.engine import Requirement, TaskSpec
from fubini.runs.models import Task

LIKE_MAX = 5000  # equal tasks changed at once


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask for instead; what is None or "" stays. `place` is (site, pool) by name, instead of any selector."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    walltime_s: int | None = None
    objective: str = ""
    priority: str = ""
    place: tuple[str, str] | None = None
    forgive: bool = False
    devices: tuple[tuple[str, int], ...] = ()  # of the kinds it asks for already, how many a node

    def as_json(self) -> dict[str, Any]:
        """What of it says something."""
        return {name: value for name, value in to_json(self).items() if value not in (None, "", False, [], ())}


def alike(task: Task) -> list[Task]:
    """The run's queued tasks that ask for the same as this one, itself among them: same template, resources and place."""
    return alike_among(alike_rows(task), task)


def alike_rows(task: Task) -> QuerySet[Task]:
    """The run's queued tasks of the same template: those `alike_among` chooses from."""
    rows = Task.objects.filter(run_id=task.run_id, template=task.template, state="queued", kind="exec")
    return rows.only("pk", "priority", "spec").order_by("queued_at_ms", "id")[:LIKE_MAX]


def alike_among(rows: Iterable[Task], task: Task) -> list[Task]:
    """Those of the rows that ask for the same as the task."""
    mine = _asked(task)
    return [row for row in rows if _asked(row) == mine]


def _asked(task: Task) -> tuple[Any, ...]:
    spec: Mapping[str, Any] = task.spec
    named = ("resources", "walltime_s", "deadline_s", "required", "annotations", "image")
    return (task.priority, *(spec.get(name) for name in named))


@transaction.atomic
def tasks_ask(*, task: Task, ask: Ask, actor: str, like: bool = False) -> int:
    """Change what a queued task, or with `like` every task of its run that asks for the same, asks for; how many.

    Raises:
        Conflict: the task does not wait any more.
    """
    rows = list(Task.objects.select_for_update().filter(pk=task.pk, state="queued", kind="exec"))
    if not rows:
        raise Conflict("The step does not wait any more.", next_step="Look at it again: fubini why RUN STEP.")
    if like:
        wanted = [row.pk for row in alike(rows[0])]
        rows = list(
            Task.objects.select_for_update().filter(pk__in=wanted, state="queued").defer("outcome").order_by("pk")
        )
    at_ms = clock.now_ms()
    for row in rows:
        row.spec = to_json(_changed(spec_of(row.spec), ask))
        row.priority = ask.priority or row.priority
        row.avoid = [] if ask.forgive else row.avoid
        row.version += 1
        row.save(update_fields=["spec", "priority", "avoid", "version"])
    said = ask.as_json()
    events_append(
        [
            EventDraft(
                topic="task", kind="task.asked", entity_id=row.pk, at_ms=at_ms, project_id=row.project_id,
                run_id=row.run_id, generation=row.generation, actor=actor, data=said,
            )
            for row in rows
        ]
    )  # fmt: skip
    data = {**said, "run": task.run_id, "template": task.template, "tasks": len(rows)}
    audit_append(actor=actor, action="task.ask", target=task.pk, project_id=task.project_id, data=data)
    transaction.on_commit(lambda: bell.ring("dispatch"))
    return len(rows)


def _changed(spec: TaskSpec, ask: Ask) -> TaskSpec:
    amounts = {
        name: value
        for name in ("cpu_millis", "memory_bytes", "disk_bytes")
        if (value := getattr(ask, name)) is not None
    }
    if amounts:
        spec = replace(spec, resources=replace(spec.resources, **amounts))
    if ask.devices:
        now = dict(ask.devices)
        counts = tuple((name, now.get(name, count)) for name, count in spec.resources.devices)
        spec = replace(spec, resources=replace(spec.resources, devices=counts))
    if ask.walltime_s is not None:
        spec = replace(spec, walltime_s=ask.walltime_s)
    if ask.objective:
        notes = tuple(pair for pair in spec.annotations if pair[0] != "objective")
        spec = replace(spec, annotations=(*notes, ("objective", ask.objective)))
    if ask.place is not None:
        site, pool = ask.place
        only = (Requirement("fubini.dev/site", "In", (site,)), Requirement("fubini.dev/pool", "In", (pool,)))
        spec = replace(spec, required=(only,))
    return spec
