"""What of an ended run goes when: rows written when it ends, done by the worker when their time has come.

The manifest's ttlStrategy deletes the run as `fubini run delete` does (its bookings stay); its podGC deletes logs of steps.
A run that is retried loses its rows and gets new ones at its next end.
"""

from __future__ import annotations

import logging

from django.db import transaction

from fubini.common import clock
from fubini.runs.engine import Keep
from fubini.runs.logs import attempt_logs_delete, logs_delete
from fubini.runs.models import Attempt, Run, RunRetention
from fubini.runs.services import run_delete
from fubini.runs.transitions import RUN_ENDED

log = logging.getLogger(__name__)
AT_ONCE = 200  # rows done in one pass
PUT_OFF_MS = 3600_000
ACTOR = "system:ttl"


def retention_note(run: Run, keep: Keep | None, *, at_ms: int) -> None:
    """Write what is to go, in the transaction that ends the run."""
    if keep is None:
        return
    rows = []
    if keep.run_s is not None:
        rows.append(RunRetention(run=run, kind="run", at_ms=at_ms + keep.run_s * 1000))
    if keep.logs_s is not None:
        at = at_ms + keep.logs_s * 1000
        rows.append(RunRetention(run=run, kind="logs", at_ms=at, only_succeeded=keep.logs_of_succeeded))
    RunRetention.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["run", "kind"], update_fields=["at_ms", "only_succeeded"]
    )


def retention_forget(run: Run) -> None:
    """The run goes on: nothing of it goes."""
    RunRetention.objects.filter(run=run).delete()


def retention_do(*, at_ms: int | None = None) -> dict[str, int]:
    """Let go of what is due; each row in its own transaction. Safe to run twice and at once."""
    now = clock.now_ms() if at_ms is None else at_ms
    done = {"run": 0, "logs": 0}
    due = RunRetention.objects.filter(at_ms__lte=now).order_by("at_ms").values_list("pk", flat=True)
    for pk in list(due[:AT_ONCE]):
        try:
            with transaction.atomic():
                kind = _do_one(pk, now)
        except Exception:
            log.exception("retention row %s could not be done; it is put off, so that the others go on", pk)
            RunRetention.objects.filter(pk=pk).update(at_ms=now + PUT_OFF_MS)
            continue
        if kind:
            done[kind] += 1
    return done


def _do_one(pk: int, now: int) -> str:
    """Do one row; its kind, or "" where nothing was left to do."""
    row = RunRetention.objects.select_for_update().filter(pk=pk, at_ms__lte=now).first()
    if row is None:
        return ""
    run = Run.objects.select_for_update().get(pk=row.run_id)
    row.delete()
    if run.state not in RUN_ENDED or run.deleted_at_ms is not None:
        return ""  # it was retried, or is gone already
    if row.kind == "run":
        run_delete(run=run, actor=ACTOR)
    elif row.only_succeeded:
        good = Attempt.objects.filter(run_id=run.pk, state="succeeded").values_list("pk", flat=True)
        attempt_logs_delete(run.pk, list(good))
    else:
        logs_delete([run.pk])
    return str(row.kind)
