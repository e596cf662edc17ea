"""Celery's share: ring bells again, and let go of what is past its time.

Each task is safe to run twice, at once or never for a while: the rows say what is to be done. `reconcile` costs three
index look-ups when there is nothing to do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.db.models import Exists, OuterRef, Q, QuerySet

from fubini.accounts.models import Token
from fubini.accounts.sessions import sessions_expired
from fubini.common import bell, clock
from fubini.common.options import option
from fubini.crons.selectors import ticks_past
from fubini.datasets.models import Artifact
from fubini.datasets.services import artifacts_delete, blobs_collect_garbage
from fubini.datasets.uploads import uploads_expire
from fubini.dispatch.outlooks import outlooks_keep
from fubini.dispatch.schedule_quotes import crons_quote
from fubini.events.models import Event
from fubini.ledger.months import months_close_due
from fubini.notices.services import notices_forget
from fubini.rest.idempotency import keys_past
from fubini.runs.documents import documents_forget
from fubini.runs.locks import locks_forget
from fubini.runs.logs import logs_delete, logs_expire
from fubini.runs.memos import entries_expire
from fubini.runs.models import Lease, LockClaim, MemoArtifact, Run, RunSignal, RunTimer, Task
from fubini.runs.retention import retention_do
from fubini.runs.transitions import RUN_ENDED
from fubini.sites.models import JoinToken

log = logging.getLogger(__name__)
LOST_AFTER_MS = 2000  # a bell rung this long ago and not answered is taken for lost
SLICE = 500
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
    """Let go of what is past its time; how many of each kind. A kind that is kept for ever, or failed, is not named.

    What one step cannot do never keeps the others from their part: it is logged, and tried again at the next pass.
    """
    now = clock.now()
    done: dict[str, int] = {}
    for name, step in _RETENTION.items():
        try:
            gone = step(now)
        except Exception:
            log.exception("retention: %s could not be let go of; it is tried again at the next pass", name)
            continue
        if gone is not None:
            done[name] = gone
    return done


def _before_ms(now: datetime, kind: str) -> int | None:
    """The time before which a kind is past its own; None = it is kept for ever."""
    days = option(f"RETENTION_{kind}_DAYS")
    return clock.to_ms(now - timedelta(days=days)) if days else None


def _idempotency_keys(now: datetime) -> int:
    return _delete(keys_past(now))


def _join_tokens(now: datetime) -> int:
    return _delete(JoinToken.objects.filter(expires_at__lt=now - timedelta(days=FORGOTTEN_TOKEN_DAYS)))


def _sessions(_now: datetime) -> int:
    return _delete(sessions_expired())


def _tokens(now: datetime) -> int:
    long_ago = now - timedelta(days=FORGOTTEN_TOKEN_DAYS)
    return _delete(Token.objects.filter(Q(revoked_at__lt=long_ago) | Q(expires_at__lt=long_ago)))


def _events(now: datetime) -> int | None:
    """Old events of ended or vanished runs, and of no run; a run still going keeps all of its own."""
    before_ms = _before_ms(now, "EVENTS")
    if before_ms is None:
        return None
    going = Run.objects.filter(pk=OuterRef("of_run__ref")).exclude(state__in=RUN_ENDED)
    return _delete(Event.objects.filter(~Exists(going), at_ms__lt=before_ms))


def _ticks(now: datetime) -> int | None:
    before_ms = _before_ms(now, "EVENTS")
    return None if before_ms is None else _delete(ticks_past(before_ms=before_ms))


def _notices(now: datetime) -> int | None:
    before_ms = _before_ms(now, "NOTICES")
    return None if before_ms is None else notices_forget(before_ms=before_ms)


def _locks(_now: datetime) -> int:
    return locks_forget()


def _documents(_now: datetime) -> int:
    return documents_forget()


def _logs(_now: datetime) -> int | None:
    days = option("RETENTION_LOGS_DAYS")
    return logs_expire(keep_days=days) if days else None


def _memo_entries(now: datetime) -> int | None:
    before_ms = _before_ms(now, "CACHES")
    return None if before_ms is None else entries_expire(before_ms=before_ms)


def _artifacts(now: datetime) -> int:
    """Those of deleted runs, and of runs that ended long ago; never what a cached result names."""
    past = Q(deleted_at_ms__isnull=False)
    before_ms = _before_ms(now, "ARTIFACTS")
    if before_ms is not None:
        past |= Q(state__in=RUN_ENDED, finished_at_ms__lt=before_ms)
    gone = Run.objects.filter(past, pk=OuterRef("run_id"))
    kept = MemoArtifact.objects.filter(key=OuterRef("key"))
    runs = list(
        Artifact.objects.annotate(deleted=Exists(gone), kept=Exists(kept))
        .filter(deleted=True, kept=False)
        .values_list("run_id", flat=True)
        .distinct()[:SLICE]
    )
    return artifacts_delete(run_ids=runs, keep=MemoArtifact.objects.values("key")) if runs else 0


def _logs_of_deleted(_now: datetime) -> None:
    logs_delete(
        Run.objects.filter(deleted_at_ms__isnull=False).order_by("-deleted_at_ms").values_list("pk", flat=True)[:SLICE]
    )


def _uploads(_now: datetime) -> int:
    return uploads_expire()


def _objects(_now: datetime) -> int:
    return blobs_collect_garbage().objects


#: In this order: what names something goes before what is named.
_RETENTION: dict[str, Callable[[datetime], int | None]] = {
    "idempotency_keys": _idempotency_keys,
    "join_tokens": _join_tokens,
    "sessions": _sessions,
    "tokens": _tokens,
    "events": _events,
    "ticks": _ticks,
    "notices": _notices,
    "locks": _locks,
    "documents": _documents,
    "logs": _logs,
    "memo_entries": _memo_entries,
    "artifacts": _artifacts,
    "logs_of_deleted_runs": _logs_of_deleted,
    "uploads": _uploads,
    "objects": _objects,
}


@shared_task(name="fubini.money", ignore_result=True)  # type: ignore[untyped-decorator]
def money() -> dict[str, int]:
    """Close months whose time has come, and quote schedules that have not run yet."""
    return {"months": months_close_due(), "quotes": crons_quote()}


@shared_task(name="fubini.outlook", ignore_result=True)  # type: ignore[untyped-decorator]
def outlook() -> dict[str, int]:
    """Quote runs that live on, and look at when they are expected to end."""
    return outlooks_keep()


def _delete(rows: QuerySet[Any]) -> int:
    """Delete in slices, each its own short transaction, so that nobody waits for a long one."""
    total = 0
    while True:
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:SLICE])
        if not ids:
            return total
        rows.model._default_manager.filter(pk__in=ids).delete()
        total += len(ids)
