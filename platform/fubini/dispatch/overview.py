"""A project at a glance: its home page in one answer, whose number of queries does not depend on how much it has.

Decides what comes first: live runs that wait or fail before those that merely run. Days are accounting days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Count, F, Q, Sum, When

from fubini.common import clock
from fubini.dispatch.money import ForecastView, forecast_of, history_from
from fubini.ledger.accounting import books, date_of
from fubini.ledger.selectors import BudgetView, DaySpend, budget_of, spent_by_day
from fubini.projects.models import Project
from fubini.runs.models import Attempt, Run, Task
from fubini.runs.selectors import runs_listed, runs_of
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import Agent
from fubini.sites.selectors import paused_all, pools_of_project

DAYS: Final = 14
ATTENTION_MAX: Final = 10
RECENT_MAX: Final = 10
QUARTER_MS: Final = 900_000


@dataclass(slots=True)
class Attention:
    """A run somebody should look at, and the sentence that says why."""

    run: Run
    code: str
    waiting: int
    since_ms: int | None


@dataclass(slots=True)
class PoolGlance:
    """What of a pool is in use; `sync_age_ms` of the agent heard of last (None: none ever)."""

    id: str
    name: str
    site: str
    kind: str
    paused_reason: str
    accelerator: str
    simulated: bool
    capacity_cpu_millis: int
    used_cpu_millis: int
    running: int
    sync_age_ms: int | None


@dataclass(slots=True)
class Overview:
    """`days` are dicts {day, succeeded, failed, error, live, spent_micros}, oldest first."""

    budget: BudgetView
    paused: str
    states: dict[str, int]
    days: list[dict[str, Any]]
    attention: list[Attention]
    recent: list[Run]
    pools: list[PoolGlance]
    forecast: ForecastView
    spent_week_micros: int = 0
    waiting: int = 0
    running: int = 0


def overview_of(project: Project) -> Overview:
    """All of it, in a number of queries that does not depend on how much there is."""
    now_ms = clock.now_ms()
    budget = budget_of(project.pk)
    past = spent_by_day(project.pk, from_day=min(history_from(now_ms), books().day_of(now_ms) - DAYS + 1))
    states, days = _days(project, past, now_ms)
    runs = runs_of([project.pk])
    waiting, running, attention = _attention(project)
    everywhere = paused_all()
    return Overview(
        budget=budget,
        paused=everywhere.reason if everywhere else project.paused_reason,
        states={state: states.get(state, 0) for state in ("pending", "running", "succeeded", "failed", "error")},
        days=days,
        attention=attention,
        recent=list(runs_listed(runs).order_by("-created_at_ms", "-id")[:RECENT_MAX]),
        pools=_pools(project, now_ms),
        forecast=forecast_of(project, budget, past),
        spent_week_micros=sum(d["spent_micros"] for d in days[-7:]),
        waiting=waiting,
        running=running,
    )


def _days(
    project: Project, past: dict[int, DaySpend], now_ms: int
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """All runs by state, and those of the last days by day; one query."""
    calendar = books()
    today = calendar.day_of(now_ms)
    first = today - DAYS + 1
    table = {
        day: {"succeeded": 0, "failed": 0, "error": 0, "live": 0, "spent_micros": 0} for day in range(first, today + 1)
    }
    states: dict[str, int] = {}
    # By quarter hours, of which every zone's days are made; what is older is one heap.
    recent = When(created_at_ms__gte=calendar.day_start_ms(first), then=F("created_at_ms") / QUARTER_MS)
    rows = (
        Run.objects.filter(project=project, deleted_at_ms=None)
        .annotate(quarter=Case(recent, default=None))
        .values_list("quarter", "state")
        .annotate(n=Count("pk"))
    )
    for quarter, state, n in rows:
        states[state] = states.get(state, 0) + n
        if quarter is None:
            continue
        counts = table.get(calendar.day_of(quarter * QUARTER_MS))
        if counts is not None:
            counts[state if state in counts else "live"] += n
    for day, found in past.items():
        if day in table:
            table[day]["spent_micros"] += found.spent_micros
    return states, [{"day": date_of(day).isoformat(), **counts} for day, counts in table.items()]


def _attention(project: Project) -> tuple[int, int, list[Attention]]:
    """Steps waiting and running, and the live runs with what holds each back: the longest waiting first."""
    live = Task.objects.filter(project_id=project.pk, run__deleted_at_ms=None)
    running = live.filter(state__in=["placed", "running"]).count()
    first: dict[str, Attention] = {}
    waiting = 0
    oldest: dict[str, tuple[int, str]] = {}
    counts: dict[str, int] = {}
    rows = live.filter(state__in=["queued", "blocked"]).values_list(
        "run_id", "why_document__content", "why_since_ms", "queued_at_ms"
    )
    for run_id, why, since, queued in rows.iterator(chunk_size=2000):
        waiting += 1
        counts[run_id] = counts.get(run_id, 0) + 1
        at = since or queued
        if run_id not in oldest or at < oldest[run_id][0]:
            oldest[run_id] = (at, str(why[0].get("code", "")) if why else "")
    runs = runs_listed(runs_of([project.pk], states=["pending", "running"]))
    for run in runs.filter(Q(pk__in=sorted(oldest, key=lambda k: oldest[k])[:200]) | Q(suspended=True)):
        at, code = oldest.get(run.pk, (run.created_at_ms, ""))
        first[run.pk] = Attention(run, "suspended" if run.suspended else code, counts.get(run.pk, 0), at)
    found = sorted(first.values(), key=lambda a: (a.since_ms or 0, a.run.pk))[:ATTENTION_MAX]
    return waiting, running, found


def _pools(project: Project, now_ms: int) -> list[PoolGlance]:
    pools = list(
        pools_of_project(project).select_related("site").prefetch_related("node_groups", "agents").order_by("site__preference", "name")
    )  # fmt: skip
    used = {
        pool_id: (cpu, n)
        for pool_id, cpu, n in Attempt.objects.filter(state__in=ATTEMPT_LIVE)
        .values_list("pool_id")
        .annotate(cpu=Sum("cpu_millis"), n=Count("pk"))
        .values_list("pool_id", "cpu", "n")
    }
    found = []
    for pool in pools:
        groups = list(pool.node_groups.all())
        agents: list[Agent] = [a for a in pool.agents.all() if a.revoked_at is None]
        ages = [now_ms - clock.to_ms(a.last_sync_at) for a in agents if a.last_sync_at]
        cpu, running = used.get(pool.pk, (0, 0))
        accelerators = [g for g in groups if g.accelerator]
        found.append(
            PoolGlance(
                id=pool.pk,
                name=pool.name,
                site=pool.site.name,
                kind=pool.kind,
                paused_reason=pool.paused_reason,
                accelerator=accelerators[0].accelerator if accelerators else "",
                simulated=any(g.simulated for g in groups),
                capacity_cpu_millis=sum(g.nodes * g.cpu_millis for g in groups),
                used_cpu_millis=cpu or 0,
                running=running,
                sync_age_ms=min(ages) if ages else None,
            )
        )
    return found
