"""What live runs were quoted at, and when they are expected to end: kept beside them, for pages to read.

A run, or a retry of it, is measured against the quote it keeps from before it was submitted. One without is quoted once it
has lived `AFTER_MS` (most end before that, and nobody asks), as it would have been at its submit: what it itself runs and has
waiting is left out of the world. A run whose length nothing bounds, and that never ran before, has no quoted end and is never
late.
Each pass is bounded in time and rows; rows of ended runs go. All of it can be lost and is made again.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any, Final

from django.db.models import Count, F, Q, QuerySet

from fubini.common import clock
from fubini.dispatch.lateness import Expected, Verdict, expected_end, spent_of, verdict
from fubini.dispatch.models import RunOutlook
from fubini.dispatch.quotes import earlier_counts, rehearsal_price
from fubini.dispatch.snapshot import World, world_now
from fubini.manifests.import_rules import rules_from
from fubini.runs.models import Attempt, Run, RunManifest, Task
from fubini.runs.quoted import KeptQuote, kept_of
from fubini.runs.registry import engine_of
from fubini.runs.selectors import generation_quote
from fubini.runs.transitions import ATTEMPT_LIVE, RUN_ENDED, TASK_ENDED

AFTER_MS: Final = 10_000
QUOTE_S: Final = 2.0  # a pass
LOOKED_AT: Final = 50
STEPS_MAX: Final = 20_000  # of a run whose end is worked out step by step
SPLIT_MAX: Final = 20
ATTEMPTS_MAX: Final = 50_000
log = logging.getLogger(__name__)


def outlooks_keep() -> dict[str, int]:
    """One pass: forget ended runs, quote new ones, look at those looked at longest ago; how many of each."""
    gone, _ = RunOutlook.objects.filter(Q(run__state__in=RUN_ENDED) | Q(run__deleted_at_ms__isnull=False)).delete()
    return {"gone": gone, "quoted": _quote_new(), "looked": _look()}


def _quote_new() -> int:
    now_ms = clock.now_ms()
    fresh = Run.objects.filter(
        state__in=["pending", "running"], deleted_at_ms=None, outlook=None, created_at_ms__lte=now_ms - AFTER_MS
    ).select_related("project")
    until, done = time.monotonic() + QUOTE_S, 0
    rows = list(fresh.order_by("created_at_ms", "pk")[:100])
    world = world_now() if rows else None
    for run in rows:
        assert world is not None
        if time.monotonic() > until:
            break
        kept: KeptQuote | None = None
        expected: dict[str, Expected] = {}
        try:
            kept, expected = _quoted(run, world)
        except Exception:  # a quote is for looking at: no run's may keep the others from theirs
            log.warning("run %s could not be quoted", run.pk, exc_info=True)
        quoted_ms = kept.time_high_s * 1000 if kept is not None and kept.ends and kept.time_high_s is not None else None
        begun_ms = now_ms if run.generation else run.started_at_ms or run.created_at_ms
        RunOutlook.objects.get_or_create(
            run=run,
            defaults={
                "begun_ms": begun_ms,
                "quoted_ms": quoted_ms,
                "quoted_end_ms": None if quoted_ms is None else begun_ms + quoted_ms,
                "quote": {template: asdict(one) for template, one in expected.items()},
            },
        )
        done += 1
    return done


def _quoted(run: Run, world: World) -> tuple[KeptQuote, dict[str, Expected]]:
    """The quote it keeps, made now where it has none; and by template what is expected."""
    manifest = RunManifest.objects.get(run=run)
    rehearsal = engine_of(run.engine).rehearse(run, manifest.document, manifest.library)
    found = rehearsal_price(
        run,
        rehearsal,
        earlier=earlier_counts(run.project, manifest.text),
        rules=rules_from(manifest.import_rules),
        world=_without(run, world),
    )
    if run.generation:
        kept = kept_of(generation_quote(run))
        return (kept if kept is not None and kept.time_high_s is not None else found.kept()), found.expected
    kept = kept_of(run.quote)
    if kept is None:
        kept = found.kept()
        Run.objects.filter(pk=run.pk, quote__isnull=True).update(quote=kept.to_json())
    return kept, found.expected


def _without(run: Run, world: World) -> World:
    """The world as if the run were not there."""
    mine = set(Attempt.objects.filter(run_id=run.pk, state__in=ATTEMPT_LIVE).values_list("pk", flat=True))
    snapshot = replace(
        world.snapshot,
        tasks=tuple(t for t in world.snapshot.tasks if t.run_id != run.pk),
        allocations=tuple(a for a in world.snapshot.allocations if a.id not in mine),
    )
    return replace(world, snapshot=snapshot)


def _look() -> int:
    """Work out anew when runs are expected to end and, of late ones, where their time went."""
    now_ms = clock.now_ms()
    rows = list(
        RunOutlook.objects.filter(quoted_end_ms__isnull=False, run__steps_total__lte=STEPS_MAX).order_by("at_ms")[:LOOKED_AT]
    )
    seen: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    counts = Task.objects.filter(run_id__in=[row.run_id for row in rows]).values_list("run_id", "template")
    for run_id, template, ended, there in counts.annotate(
        ended=Count("pk", filter=Q(state__in=TASK_ENDED)), there=Count("pk")
    ).order_by():
        seen[run_id][template] = (ended, there)
    late = []
    for row in rows:
        quoted = {name: Expected(**one) for name, one in row.quote.items()}
        row.expected_end_ms, row.at_ms = expected_end(quoted, seen[row.run_id], now_ms), now_ms
        if verdict_of(row, now_ms) is not None:
            late.append(row)
    attempts: dict[str, list[tuple[int, int | None, int | None]]] = defaultdict(list)
    split = late[:SPLIT_MAX]
    for run_id, leased, started, ended in Attempt.objects.filter(run_id__in=[row.run_id for row in split]).values_list(
        "run_id", "leased_at_ms", "started_at_ms", "ended_at_ms"
    )[:ATTEMPTS_MAX]:
        attempts[run_id].append((leased, started, ended))
    for row in split:
        row.spent = asdict(spent_of(attempts[row.run_id], row.begun_ms, now_ms))
    RunOutlook.objects.bulk_update(rows, ["expected_end_ms", "at_ms", "spent"], batch_size=100)
    return len(rows)


def verdict_of(row: RunOutlook, now_ms: int) -> Verdict | None:
    """Whether the run is late, or will be."""
    if row.quoted_ms is None or row.quoted_end_ms is None:
        return None
    return verdict(
        quoted_ms=row.quoted_ms,
        quoted_end_ms=row.quoted_end_ms,
        expected_end_ms=row.expected_end_ms or 0,
        now_ms=now_ms,
    )


def late_first(project_id: str, now_ms: int, limit: int) -> QuerySet[RunOutlook, Any]:
    """A query for the ids of a project's late runs, and of those about to be; those whose quote ended first, first."""
    past = Q(quoted_end_ms__lt=now_ms) | Q(expected_end_ms__gt=F("quoted_end_ms"))
    return RunOutlook.objects.filter(past, run__project=project_id).order_by("quoted_end_ms").values("run_id")[:limit]
