"""Reads on schedules."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from fubini.common import clock
from fubini.crons.due import Facts, coming, plan_of
from fubini.crons.models import Cron, CronTick

ProjectIds = Collection[str] | QuerySet[Any]


def crons_of(project_ids: ProjectIds) -> QuerySet[Cron]:
    """Schedules of these projects, each with how many of its runs go on as `active`, and its newest tick's key."""
    rows = Cron.objects.filter(project_id__in=project_ids).select_related("project")
    newest = CronTick.objects.filter(cron=OuterRef("pk")).order_by("-at_ms", "-id").values("pk")[:1]
    return rows.annotate(active=Count("ticks", filter=Q(ticks__state="active")), newest_tick=Subquery(newest))


def last_ticks(rows: Collection[Cron]) -> dict[int, CronTick]:
    """The newest tick of each, by its key; one query."""
    wanted = [row.newest_tick for row in rows if row.newest_tick is not None]  # type: ignore[attr-defined]
    return {tick.pk: tick for tick in CronTick.objects.filter(pk__in=wanted).select_related("run")}


def cron_get(project_ids: ProjectIds, ref: str) -> Cron | None:
    """One schedule by its id."""
    return crons_of(project_ids).filter(pk=ref).first()


def ticks_of(cron: Cron) -> QuerySet[CronTick]:
    """A schedule's ticks with their runs."""
    return CronTick.objects.filter(cron=cron).select_related("run")


def ticks_past(*, before_ms: int) -> QuerySet[CronTick]:
    """Ticks decided before then that tell of no run any more; those of runs that are kept count for the history limits."""
    old = CronTick.objects.filter(decided_at_ms__lt=before_ms).exclude(state="active")
    return old.filter(Q(run=None) | Q(run__deleted_at_ms__isnull=False))


def facts_of(cron: Cron, active: int) -> Facts:
    """A row as the pure decision takes it."""
    metadata = cron.document.get("metadata") or {}
    return Facts(
        name=cron.name,
        namespace=cron.project.slug,
        anchor_ms=cron.anchor_ms,
        considered_ms=cron.considered_ms,
        last_at_ms=cron.last_at_ms,
        active=active,
        succeeded=cron.succeeded,
        failed=cron.failed,
        suspended=cron.suspended,
        stopped=cron.stopped,
        labels={str(k): str(v) for k, v in (metadata.get("labels") or {}).items()},
        annotations={str(k): str(v) for k, v in (metadata.get("annotations") or {}).items()},
    )


def next_ticks(cron: Cron, count: int) -> list[int]:
    """When it is due next; empty while it is suspended or has stopped."""
    if cron.suspended or cron.stopped:
        return []
    return coming(plan_of(cron.document), facts_of(cron, 0), clock.now_ms(), count)
