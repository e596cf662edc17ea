"""What is worth telling: events of ended runs and of steps that wait for a person, and conditions that no event tells of.

One teller at a time, by the lock of the follower's row; the new place in the stream and all that follows from the events
commit together. A fresh installation begins at the newest event: the past is not told.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from django.db import transaction

from fubini.common import clock
from fubini.common.figures import amount
from fubini.common.options import option
from fubini.events.models import Event
from fubini.events.selectors import EventFilter, events_after
from fubini.events.sequence import events_sequence, newest_position
from fubini.ledger.accounting import books
from fubini.ledger.selectors import budgets_all
from fubini.notices.models import Follower, Told
from fubini.notices.tell import Fact, administrators, facts_tell, project_people, who_may
from fubini.projects.models import Project, Role
from fubini.runs.models import Run, RunTimer, Task
from fubini.sites.models import Agent

log = logging.getLogger(__name__)
BATCH: Final = 500
BATCHES_MAX: Final = 20
LOOK_EVERY_MS: Final = 10_000
BUDGET_PERCENTS: Final = (80, 95, 100)
SLACK_PERCENT: Final = 5
MONEY_CODES: Final = frozenset({"budget", "run_budget", "quota"})
MAINTAINERS: Final = (Role.MAINTAINER, Role.OWNER)


def events_follow() -> int:
    """Tell of the events since the last time; how many were read."""
    read = 0
    for _ in range(BATCHES_MAX):
        with transaction.atomic():
            place = _place()
            batch = events_after(EventFilter(None, topics=("run", "node")), place.position, limit=BATCH)
            if batch.cursor == place.position:
                return read
            facts_tell(list(_facts(batch.events)), at_ms=clock.now_ms())
            place.position = batch.cursor
            place.save(update_fields=["position"])
        read += len(batch.events)
        if len(batch.events) < BATCH:
            return read
    return read


def _place() -> Follower:
    """The follower's row, locked."""
    if not Follower.objects.filter(pk=1).exists():
        events_sequence()
        Follower.objects.get_or_create(pk=1, defaults={"position": newest_position()})
    return Follower.objects.select_for_update().get(pk=1)


def _facts(events: Iterable[Event]) -> Iterable[Fact]:
    ended = {e.run_id: e for e in events if e.topic == "run" and e.to_state in ("succeeded", "failed", "error")}
    waiting = [
        e
        for e in events
        if e.topic == "node" and e.to_state == "Running" and e.data.get("type") == "Suspend" and e.run_id
    ]
    ids = {i for i in [*ended, *(e.run_id for e in waiting)] if i is not None}
    runs = {r.pk: r for r in Run.objects.filter(pk__in=ids, deleted_at_ms=None).defer("engine_state", "parameters")}
    timed = set(RunTimer.objects.filter(run_id__in={e.run_id for e in waiting}).values_list("run_id", flat=True))
    for run_id, event in ended.items():
        run = runs.get(run_id or "")
        if run is None or run.parent:  # a run that a step made is the step's business
            continue
        yield Fact(
            "run_succeeded" if event.to_state == "succeeded" else "run_failed",
            project_people(run.project_id, run.submitted_by),
            _run_data(run) | {"state": event.to_state, "settled_micros": run.settled_micros},
            run.project_id,
        )
    for event in waiting:
        run = runs.get(event.run_id or "")
        if run is None or run.state not in ("pending", "running") or run.pk in timed:  # a timer goes on by itself
            continue
        yield Fact(
            "step_suspended",
            project_people(run.project_id, run.submitted_by) | who_may(run.project_id, *MAINTAINERS),
            _run_data(run) | {"step": str(event.data.get("name", ""))[:80], "node_id": event.entity_id},
            run.project_id,
        )


def _run_data(run: Run) -> dict[str, Any]:
    return {"run_id": run.pk, "name": run.name, "job_number": run.job_number}


def conditions_look() -> int:
    """Look at what no event tells of, at most once in `LOOK_EVERY_MS`; how many facts were told."""
    at_ms = clock.now_ms()
    with transaction.atomic():
        place = _place()
        if at_ms - place.looked_at_ms < LOOK_EVERY_MS:
            return 0
        place.looked_at_ms = at_ms
        place.save(update_fields=["looked_at_ms"])
        holding: dict[str, Fact | None] = {}
        known = set(Told.objects.values_list("key", flat=True))
        holding.update(_waiting(at_ms))
        holding.update(_budgets(known))
        holding.update(_agents(at_ms))
        fresh = [key for key in holding if key not in known]
        Told.objects.filter(key__in=known - holding.keys()).delete()
        Told.objects.bulk_create([Told(key=key, since_ms=at_ms) for key in fresh])
        facts = [fact for key in fresh if (fact := holding[key]) is not None]
        facts_tell(facts, at_ms=at_ms)
    return len(facts)


def _waiting(at_ms: int) -> dict[str, Fact]:
    """Runs with steps that are ready and have not been placed for too long; one fact a run."""
    minutes = option("NOTICE_WAITING_MINUTES")
    rows = (
        Task.objects.filter(state="queued", why_since_ms__lte=at_ms - minutes * 60_000, run__deleted_at_ms=None)
        .order_by("why_since_ms")
        .values_list("run_id", "why_document__content", "why_since_ms")[:2000]
    )
    found: dict[str, list[Any]] = defaultdict(list)
    for run_id, why, since in rows:
        found[run_id].append((since, str(why[0].get("code", "")) if why else ""))
    facts = {}
    for run in Run.objects.filter(pk__in=list(found)[:500]).defer("engine_state", "parameters"):
        since, code = found[run.pk][0]
        users = project_people(run.project_id, run.submitted_by)
        if code in MONEY_CODES or code.startswith("quota") or code == "project_paused":
            users |= who_may(run.project_id, *MAINTAINERS)
        data = _run_data(run) | {"tasks": len(found[run.pk]), "code": code, "minutes": (at_ms - since) // 60_000}
        facts[f"waiting:{run.pk}"] = Fact("step_waiting", users, data, run.project_id)
    return facts


def _budgets(known: AbstractSet[str]) -> dict[str, Fact | None]:
    """Projects that have used 80, 95 or 100 % of what they were given; what is set aside counts as used. A mark that was told
    holds until use is well below it: holds come and go. Of several marks passed at once the highest is told."""
    facts: dict[str, Fact | None] = {}
    slugs = dict(Project.objects.filter(archived_at=None).values_list("pk", "slug"))
    for project_id, budget in budgets_all().items():
        granted = budget.granted_micros
        if granted <= 0 or project_id not in slugs:
            continue
        percent = (granted - budget.budget_micros) * 100 // granted
        keys = {mark: f"budget:{project_id}:{mark}" for mark in BUDGET_PERCENTS}
        held = [mark for mark, key in keys.items() if percent >= (mark - SLACK_PERCENT if key in known else mark)]
        for mark in held:
            facts[keys[mark]] = None
        if held and keys[held[-1]] not in known:
            data = {
                "project": slugs[project_id],
                "percent": percent,
                "left_micros": budget.budget_micros,
                "left": amount(budget.budget_micros),
                "currency": books().currency,
            }
            people = who_may(project_id, *MAINTAINERS) | administrators()
            facts[keys[held[-1]]] = Fact("budget", people, data, project_id)
    return facts


def _agents(at_ms: int) -> dict[str, Fact]:
    """Agents that fell silent, or that take no steps because their disk is full."""
    facts = {}
    silent_ms = option("NOTICE_SILENT_S") * 1000
    rows = Agent.objects.filter(revoked_at=None, last_sync_at__isnull=False).select_related("site")
    for agent in rows:
        assert agent.last_sync_at is not None
        age_ms = at_ms - clock.to_ms(agent.last_sync_at)
        data = {"agent": agent.name, "site": agent.site.name}
        if age_ms >= silent_ms:
            facts[f"silent:{agent.pk}"] = Fact(
                "agent_silent", administrators(), data | {"minutes": age_ms // 60_000}, webhooks=False
            )
        elif agent.last_report.get("accepting") is False:
            reason = str(agent.last_report.get("reason", ""))[:200]
            if any(word in reason.lower() for word in ("disk", "space")):
                facts[f"disk:{agent.pk}"] = Fact(
                    "disk_full", administrators(), data | {"reason": reason}, webhooks=False
                )
    return facts
