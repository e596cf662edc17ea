"""Asking those who may for a change that one may not make oneself: a notice to them, and its limits.

The notice names the person, the run, the step and the change; no words of the asker's own. For one run a person asks once
in `PAUSE_MS`, and for all runs `MOST` times within it: rows say so, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import TooManyRequests
from fubini.common.saying import kept, say
from fubini.dispatch.models import Appeal
from fubini.notices.tell import Fact, facts_tell
from fubini.runs.models import Task

PAUSE_MS: Final = 3_600_000
MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Appealed:
    """What came of it. Times are server times in ms."""

    people: int
    at_ms: int
    again_at_ms: int


def asked_ms(run_id: str, actor: str) -> int | None:
    """When somebody last asked for a change of a run, if that still limits the next time."""
    since = clock.now_ms() - PAUSE_MS
    rows = Appeal.objects.filter(actor=actor[:80], at_ms__gt=since, run_id=run_id)
    last: int | None = rows.aggregate(last=Max("at_ms"))["last"]
    return last


@transaction.atomic
def appeal_make(
    *, task: Task, actor: str, users: frozenset[str], change: Mapping[str, Any], what: str
) -> Appealed:
    """Tell people that somebody asks for a change.

    Args:
        users: ids of those who may make it.
        change: names and figures of it, for programs.
        what: it in words, which each reader is told in their language.

    Raises:
        TooManyRequests: asked for this run, or too often at all, within the hour.
    """
    now_ms = clock.now_ms()
    actor = actor[:80]
    Appeal.objects.filter(at_ms__lte=now_ms - PAUSE_MS).delete()
    before = list(Appeal.objects.filter(actor=actor).order_by("at_ms").values_list("run_id", "at_ms"))
    mine = [at_ms for run_id, at_ms in before if run_id == task.run_id]
    if mine or len(before) >= MOST:
        first = mine[-1] if mine else before[0][1]
        wait_s = max(1, -(-(first + PAUSE_MS - now_ms) // 1000))
        raise TooManyRequests(
            "You asked for this run already."
            if mine
            else say("You asked {count} times within the hour.", count=len(before)),
            next_step=say("They have been told. Ask again in {minutes} minutes.", minutes=-(-wait_s // 60)),
            retry_after_s=wait_s,
        )
    Appeal.objects.create(actor=actor, run_id=task.run_id, at_ms=now_ms)
    data = {
        "by": actor.removeprefix("user:"),
        "name": task.run.name,
        "run_id": task.run_id,
        "task_id": task.pk,
        "step": task.template,
        **change,
        "what": kept(what),
    }
    facts_tell([Fact("change_asked", users, data, task.project_id, webhooks=False)], at_ms=now_ms)
    audit_append(
        actor=actor, action="start.ask", target=f"run:{task.run_id}", project_id=task.project_id,
        data={"task": task.pk, "told": len(users), **change, "what": str(what)},
    )  # fmt: skip
    return Appealed(len(users), now_ms, now_ms + PAUSE_MS)
