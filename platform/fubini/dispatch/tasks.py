"""Celery's share: ring bells again, and let go of what is past its time.

Each task is safe to run twice, at once or never for a while: the rows say what is to be done. `reconcile` costs three
index look-ups when there is nothing to do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db.models import Exists, OuterRef, Q, QuerySet

from fubini.accounts.models import Token
from fubini.common import bell, clock
from fubini.common.options import option
from fubini.crons.selectors import ticks_past
from fubini.datasets.models import Artifact
from fubini.datasets.services import artifacts_delete, blobs_collect_garbage
from fubini.datasets.uploads import uploads_expire
from fubini.dispatch.money import crons_quote
from fubini.events.models import Event
from fubini.ledger.months import months_close_due
from fubini.rest.models import IdempotencyKey
from fubini.runs.documents import documents_forget
from fubini.runs.locks import locks_forget
from fubini.runs.logs import logs_delete, logs_expire
from fubini.runs.memos import entries_expire
from fubini.runs.models import Lease, LockClaim, MemoArtifact, Run, RunSignal, RunTimer, Task
from fubini.runs.retention import retention_do
from fubini.runs.transitions import RUN_ENDED
from fubini.sites.models import JoinToken

LOST_AFTER_MS = 2000  # a bell rung this long ago and not answered is taken for lost
SLICE = 500
IDEMPOTENCY_HOURS = 24
FORGOTTEN_TOKEN_DAYS = 30


@shared_task(name="fubini.reconcile", ignore_result=True)  # type: ignore[untyped-decorator]
def reconcile() -> dict[str, int]:
    """Ring for every row somebody should have taken up by now."""
    before = clock.now_ms() - LOST_AFTER_MS
    unheard = (
        Task.objects.filter(engine_seen=False).exists()
        or RunSignal.objects.filter(handled_at_ms=None, at_ms__lte=before).exists()
        or Run.objects.filter(state="pending", engine_version=0, created_at_ms__lte=before).exists()
        or RunTimer.objects.filter(at_ms__lte=before).exists()
        or LockClaim.objects.filter(heard=False, held_at_ms__lte=before).exists()
    )
    if unheard:
        bell.ring("dispatch")
    agents = set(
        Lease.objects.filter(state="granted", granted_at_ms__lte=before)
        .order_by()
        .values_list("agent_id", flat=True)
        .distinct()[:200]
    )
    for agent_id in agents:
        bell.ring("agents", agent_id)
    return {"dispatch": int(unheard), "agents": len(agents)}


@shared_task(name="fubini.expire", ignore_result=True)  # type: ignore[untyped-decorator]
def expire() -> dict[str, int]:
    """Let go of runs and logs whose manifest set them a time that has come; one index look-up when there are none."""
    return retention_do()


@shared_task(name="fubini.retention", ignore_result=True)  # type: ignore[untyped-decorator]
def retention() -> dict[str, int]:
    """Let go of what is past its time: events, ticks, logs and artifacts of ended runs, bytes of deleted ones, dead keys,
    locks nobody uses and documents no attempt refers to."""
    now = clock.now()
    done: dict[str, int] = {}
    done["idempotency_keys"] = _delete(
        IdempotencyKey.objects.filter(created_at__lt=now - timedelta(hours=IDEMPOTENCY_HOURS))
    )
    done["join_tokens"] = _delete(JoinToken.objects.filter(expires_at__lt=now - timedelta(days=FORGOTTEN_TOKEN_DAYS)))
    long_ago = now - timedelta(days=FORGOTTEN_TOKEN_DAYS)
    done["tokens"] = _delete(Token.objects.filter(Q(revoked_at__lt=long_ago) | Q(expires_at__lt=long_ago)))
    if days := option("RETENTION_EVENTS_DAYS"):
        done["events"] = _events_expire(clock.to_ms(now - timedelta(days=days)))
        done["ticks"] = _delete(ticks_past(before_ms=clock.to_ms(now - timedelta(days=days))))
    done["locks"] = locks_forget()
    done["documents"] = documents_forget()
    if days := option("RETENTION_LOGS_DAYS"):
        done["logs"] = logs_expire(keep_days=days)
    past = Q(deleted_at_ms__isnull=False)
    if days := option("RETENTION_ARTIFACTS_DAYS"):
        past |= Q(state__in=RUN_ENDED, finished_at_ms__lt=clock.to_ms(now - timedelta(days=days)))
        done["memo_entries"] = entries_expire(before_ms=clock.to_ms(now - timedelta(days=days)))
    gone = Run.objects.filter(past, pk=OuterRef("run_id"))
    kept = MemoArtifact.objects.filter(key=OuterRef("key"))
    runs = list(
        Artifact.objects.annotate(deleted=Exists(gone), kept=Exists(kept))
        .filter(deleted=True, kept=False)
        .values_list("run_id", flat=True)
        .distinct()[:SLICE]
    )
    done["artifacts"] = artifacts_delete(run_ids=runs, keep=MemoArtifact.objects.values("key")) if runs else 0
    logs_delete(
        Run.objects.filter(deleted_at_ms__isnull=False).order_by("-deleted_at_ms").values_list("pk", flat=True)[:SLICE]
    )
    done["uploads"] = uploads_expire()
    collected = blobs_collect_garbage()
    done["objects"] = collected.objects
    return done


@shared_task(name="fubini.money", ignore_result=True)  # type: ignore[untyped-decorator]
def money() -> dict[str, int]:
    """Close months whose time has come, and quote schedules that have not run yet."""
    return {"months": months_close_due(), "quotes": crons_quote()}


def _delete(rows: QuerySet[Any]) -> int:
    """Delete in slices, each its own short transaction, so that nobody waits for a long one."""
    total = 0
    while True:
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE])
        if not ids:
            return total
        rows.model._default_manager.filter(pk__in=ids).delete()
        total += len(ids)


def _events_expire(before_ms: int) -> int:
    """Old events of ended or vanished runs, and of no run; a run still going keeps all of its own."""
    live = list(Run.objects.exclude(state__in=RUN_ENDED).values_list("pk", flat=True))
    return _delete(Event.objects.filter(Q(run_id=None) | ~Q(run_id__in=live), at_ms__lt=before_ms))
