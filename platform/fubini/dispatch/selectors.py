"""What others may ask of dispatch: why, quotes, and whether it lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q

from fubini.common import clock
from fubini.common.saying import ours, say
from fubini.datasets.store import default_store
from fubini.dispatch.models import Leader
from fubini.dispatch.quotes import QuoteView, quote
from fubini.dispatch.why import Why, task_why
from fubini.runs.models import LockClaim, Run, RunSignal, Task
from fubini.sites.models import Agent, Pause
from fubini.sites.refusals import REFUSALS

__all__ = ["PlatformStatus", "QuoteView", "Why", "platform_status", "quote", "task_why"]

CYCLE_LATE_MS = 10_000
EVENT_LATE_MS = 15_000
AGENT_LATE_MS = 60_000


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """Ages in milliseconds (None: never or nothing to wait for); `problems` are sentences, empty when all is well."""

    ready: bool
    cycle_age_ms: int | None
    oldest_event_age_ms: int | None
    agents: list[dict[str, Any]]
    paused: str
    queued: int
    running: int
    cycle: dict[str, Any]
    problems: list[str] = field(default_factory=list)


def platform_status() -> PlatformStatus:
    """Red when dispatch hangs though web answers, or when work it should have heard of is old."""
    now_ms = clock.now_ms()
    leader = Leader.objects.filter(pk=1).first()
    cycle_age = now_ms - leader.cycle_at_ms if leader and leader.cycle_at_ms else None
    oldest = _oldest_unheard(now_ms)
    agents = [
        {
            "id": a.pk,
            "name": a.name,
            "site": a.site.name,
            "sync_age_ms": now_ms - clock.to_ms(a.last_sync_at) if a.last_sync_at else None,
            "draining": a.draining,
            "refuses": "" if a.draining else REFUSALS.said(str(a.last_report.get("reason", ""))),
        }
        for a in Agent.objects.filter(revoked_at=None).select_related("site").order_by("site__name", "name")
    ]
    pause = Pause.objects.filter(pk=1).first()
    tasks = Task.objects.filter(state__in=["queued", "placed", "running"])
    queued = Count("pk", filter=Q(state="queued"))
    counts = tasks.aggregate(queued=queued, all=Count("pk"))
    problems: list[str] = []
    if cycle_age is None:
        problems.append(ours("dispatch has not finished a cycle yet"))
    elif cycle_age > CYCLE_LATE_MS:
        problems.append(say("dispatch has not finished a cycle for {seconds} s", seconds=cycle_age // 1000))
    if oldest is not None and oldest > EVENT_LATE_MS:
        problems.append(say("the oldest fact its engine has not heard of is {seconds} s old", seconds=oldest // 1000))
    problems += [
        say(
            "agent {agent} of {site} has been silent for {seconds} s",
            agent=a["name"],
            site=a["site"],
            seconds=a["sync_age_ms"] // 1000,
        )
        for a in agents
        if a["sync_age_ms"] is not None and a["sync_age_ms"] > AGENT_LATE_MS
    ]
    problems += [
        say("agent {agent} of {site} takes no new work: {reason}", agent=a["name"], site=a["site"], reason=a["refuses"])
        for a in agents
        if a["refuses"]
    ]
    if full := default_store().no_room():
        problems.append(full)
    core_problems = [p for p in problems if not p.startswith("agent ")]
    return PlatformStatus(
        ready=not core_problems,
        cycle_age_ms=cycle_age,
        oldest_event_age_ms=oldest,
        agents=agents,
        paused=pause.reason if pause else "",
        queued=counts["queued"],
        running=counts["all"] - counts["queued"],
        cycle=leader.cycle if leader else {},
        problems=problems,
    )


def _oldest_unheard(now_ms: int) -> int | None:
    ages = []
    task = (
        Task.objects.filter(engine_seen=False)
        .order_by("finished_at_ms")
        .values_list("finished_at_ms", "queued_at_ms")
        .first()
    )
    if task:
        ages.append(now_ms - (task[0] or now_ms))
    signal = RunSignal.objects.filter(handled_at_ms=None).order_by("at_ms").values_list("at_ms", flat=True).first()
    if signal:
        ages.append(now_ms - signal)
    run = (
        Run.objects.filter(state="pending", engine_version=0)
        .order_by("created_at_ms")
        .values_list("created_at_ms", flat=True)
        .first()
    )
    if run:
        ages.append(now_ms - run)
    grant = LockClaim.objects.filter(heard=False).order_by("id").values_list("held_at_ms", flat=True).first()
    if grant:
        ages.append(now_ms - grant)
    return max(ages) if ages else None
