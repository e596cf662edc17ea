"""What time does: leases run out, silence becomes unknown and then lost, long steps need more money.

"No answer" is never a state: first `unknown_since_ms` is set and the lease expires; only after the unknown window is the
attempt lost and its task queued again with a higher fence, so that a late result is refused, not doubled.
"""

from __future__ import annotations

import logging

from django.db import transaction

from fubini.common.bulk import StaleRow, rows_update
from fubini.common.options import option
from fubini.ledger.services import BudgetExhausted, hold_extend
from fubini.runs.documents import WITH_DOCUMENTS, documents_keep, stored_names
from fubini.runs.limits import RunLimits
from fubini.runs.models import Attempt, Lease, Run
from fubini.runs.results import AttemptEnd, attempt_cost_micros, attempts_end
from fubini.runs.transitions import ATTEMPT_LIVE, agents_wake, leases_move

log = logging.getLogger(__name__)
BATCH = 500


def leases_expire(*, at_ms: int) -> int:
    """Expire leases past their time and end as lost what has been silent for the whole unknown window."""
    window_ms = option("UNKNOWN_WINDOW_S") * 1000
    try:
        with transaction.atomic():
            overdue = list(
                Lease.objects.select_for_update()
                .filter(state__in=["granted", "held"], expires_at_ms__lt=at_ms)
                .order_by("pk")[:BATCH]
            )
            leases_move(overdue, "expired", at_ms=at_ms)
            if overdue:
                Attempt.objects.filter(
                    pk__in=[x.pk for x in overdue], state__in=ATTEMPT_LIVE, unknown_since_ms=None
                ).update(unknown_since_ms=at_ms)
        with transaction.atomic():
            silent = list(
                Attempt.objects.select_for_update(of=("self",))
                .select_related("task", *WITH_DOCUMENTS)
                .filter(state__in=ATTEMPT_LIVE, unknown_since_ms__lt=at_ms - window_ms)
                .order_by("pk")[:BATCH]
            )
            attempts_end(
                [
                    AttemptEnd(a, "lost", "", f"the agent was silent for {window_ms // 1000} s after its lease ran out")
                    for a in silent
                ],
                at_ms=at_ms,
            )
    except StaleRow:
        return 0  # a report came in at the same time; the next pass looks again
    return len(overdue) + len(silent)


def holds_extend(*, at_ms: int) -> int:
    """Set more money aside for running attempts without a walltime of their own before what is held runs out."""
    extended = 0
    running = Attempt.objects.filter(state__in=["running", "finishing"], started_at_ms__isnull=False, cancel_reason="")
    for attempt in (
        running.select_related("placement_document", "rates_document")
        .only(
            "id",
            "run_id",
            "agent_id",
            "walltime_s",
            "leased_at_ms",
            "placement_document",
            "placement_document__content",
            "rates_document",
            "rates_document__content",
            "cpu_millis",
            "memory_bytes",
            "devices",
        )
        .iterator(chunk_size=500)
    ):
        if attempt.placement.get("walltime_given"):
            continue
        if (at_ms - attempt.leased_at_ms) * 10 < attempt.walltime_s * 1000 * 8:
            continue
        extended += _extend_one(attempt, at_ms)
    return extended


def _extend_one(attempt: Attempt, at_ms: int) -> int:
    number = int(attempt.placement.get("extensions", 0)) + 1
    span_s = int(attempt.placement.get("span_s", attempt.walltime_s))
    amount = attempt_cost_micros(attempt, span_s * 1000) - int(attempt.rates.get("start_micros", 0))
    try:
        with transaction.atomic():
            run = Run.objects.select_for_update().get(pk=attempt.run_id)
            left = RunLimits([run.pk]).left_micros(run.pk)
            if left is not None and amount > left:
                raise BudgetExhausted("the run's cost limit is reached")
            hold_extend(attempt_id=attempt.pk, amount_micros=amount, number=number, at_ms=at_ms)
            run.held_micros += amount
            run.save(update_fields=["held_micros"])
            attempt.placement = {**attempt.placement, "extensions": number, "span_s": span_s}
            attempt.walltime_s += span_s
            documents_keep([attempt])
            rows_update([attempt], stored_names(["placement", "walltime_s"]))
        return 1
    except BudgetExhausted as error:
        if at_ms - attempt.leased_at_ms >= attempt.walltime_s * 1000:
            reason = f"what was set aside for it is used up and {error.detail}"[:120]
            Attempt.objects.filter(pk=attempt.pk).update(cancel_reason=reason)
            agents_wake({attempt.agent_id})
        return 0
