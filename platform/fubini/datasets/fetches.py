"""Fetches: what the platform brings in from outside for a run, as rows that survive whoever works on them.

planned -> moving -> verified | failed. A worker takes a row by compare-and-set and holds it for `HELD_MS`, renewed while it
works; a row whose holder fell silent is taken up again. A source is fetched once a run: its key stays the same, so every
attempt and retry reads the same bytes; only one that failed, or whose bytes were cleared since, is planned anew. What a
remote side does wrong is tried again with growing, jittered pauses; what cannot get better fails at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Q

from fubini.common.ids import new_id
from fubini.datasets.entries import manifest_check
from fubini.datasets.limits import limit
from fubini.datasets.models import Artifact, Fetch
from fubini.events.services import EventDraft, events_append

HELD_MS: Final = 20_000  # ten times the pace at which it is renewed
TRIES_MAX: Final = 5
TAKES_MAX: Final = 10  # a source that ends whoever fetches it is not taken up for ever
A_PROJECT_MAX: Final = 2  # moving at once, so that one project's slow sources do not hold up the others'
FIRST_PAUSE_MS: Final = 1_000
LONGEST_PAUSE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class FetchDraft:
    """One source a run reads. `source` is JSON, without secrets."""

    key: str
    name: str
    source: Mapping[str, Any]


def fetches_plan(*, project_id: str, run_id: str, drafts: Sequence[FetchDraft], at_ms: int) -> set[str]:
    """Make sure each source is or will be fetched; the keys that are not here yet. In the caller's transaction."""
    wanted = {draft.key: draft for draft in drafts}
    known = {f.key: f for f in Fetch.objects.select_for_update().filter(key__in=wanted)}
    fresh = [
        Fetch(
            key=d.key,
            project_id=project_id,
            run_id=run_id,
            name=d.name[:128],
            source=dict(d.source),
            planned_at_ms=at_ms,
        )
        for d in wanted.values()
        if d.key not in known
    ]
    Fetch.objects.bulk_create(fresh)
    here = set(Artifact.objects.filter(key__in=known).values_list("key", flat=True))
    # What was cleared since (retention) is fetched again, as what failed is.
    again = [f for f in known.values() if f.state == "failed" or (f.state == "verified" and f.key not in here)]
    for fetch in again:
        fetch.state, fetch.tries, fetch.not_before_ms, fetch.error, fetch.ended_at_ms = "planned", 0, 0, "", None
        fetch.save(update_fields=["state", "tries", "not_before_ms", "error", "ended_at_ms"])
    _say([*fresh, *again], at_ms)
    return {key for key in wanted if key not in known or known[key].state != "verified"}


def fetch_take(*, holder: str, at_ms: int) -> Fetch | None:
    """The next fetch to work on, now the caller's; None when there is none, or none of a project with room."""
    due = Q(state="planned", not_before_ms__lte=at_ms) | Q(state="moving", held_until_ms__lt=at_ms)
    moving = Fetch.objects.filter(state="moving", held_until_ms__gte=at_ms).values("project_id")
    busy = moving.annotate(n=Count("id")).filter(n__gte=A_PROJECT_MAX).values("project_id")
    for fetch in Fetch.objects.filter(due).exclude(project_id__in=busy).order_by("planned_at_ms", "id")[:20]:
        with transaction.atomic():
            mine = Fetch.objects.filter(
                pk=fetch.pk, state=fetch.state, holder=fetch.holder, held_until_ms=fetch.held_until_ms
            )
            taken = mine.update(state="moving", holder=holder, held_until_ms=at_ms + HELD_MS, tries=fetch.tries + 1)
            if taken:
                fetch.refresh_from_db()
                _say([fetch], at_ms)
                return fetch
    return None


def fetches_hold(*, holder: str, ids: Iterable[str], at_ms: int) -> None:
    """Renew the caller's hold on rows it works on."""
    Fetch.objects.filter(pk__in=list(ids), holder=holder, state="moving").update(held_until_ms=at_ms + HELD_MS)


@transaction.atomic
def fetch_verified(
    *, fetch: Fetch, entries: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any], at_ms: int
) -> bool:
    """Keep what came as an artifact; False when the row is not the caller's any more, and nothing is kept.

    Raises:
        EntriesInvalid: names or sizes that cannot be.
    """
    manifest = manifest_check(
        list(entries), max_entries=limit("ARTIFACT_MAX_ENTRIES"), max_bytes=limit("ARTIFACT_MAX_BYTES")
    )
    if not _end(fetch, "verified", at_ms, size_bytes=manifest.size_bytes):
        return False
    Artifact.objects.create(
        key=fetch.key,
        project_id=fetch.project_id,
        run_id=fetch.run_id,
        node_id="",
        generation=0,
        name=fetch.name,
        attempt_id="",
        entries=manifest.to_json(),
        size_bytes=manifest.size_bytes,
        created_at_ms=at_ms,
        provenance={**provenance, "fetched_at_ms": at_ms},
    )
    return True


@transaction.atomic
def fetch_failed(*, fetch: Fetch, error: str, again: bool, at_ms: int) -> bool:
    """Note what went wrong; True when it is final. With `again` it is planned anew, as long as tries are left."""
    if not again or fetch.tries >= TRIES_MAX:
        return _end(fetch, "failed", at_ms, error=error[:600])
    pause_ms = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (fetch.tries - 1))
    pause_ms = int(pause_ms * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
    mine = Fetch.objects.filter(pk=fetch.pk, state="moving", holder=fetch.holder)
    if mine.update(state="planned", not_before_ms=at_ms + pause_ms, holder="", held_until_ms=0, error=error[:600]):
        fetch.refresh_from_db()
        _say([fetch], at_ms)
    return False


def _end(fetch: Fetch, state: str, at_ms: int, **fields: Any) -> bool:
    mine = Fetch.objects.filter(pk=fetch.pk, state="moving", holder=fetch.holder)
    if not mine.update(state=state, ended_at_ms=at_ms, holder="", held_until_ms=0, **fields):
        return False
    fetch.refresh_from_db()
    _say([fetch], at_ms)
    return True


def holder_new() -> str:
    """An id for one worker's life."""
    return new_id()


def _say(fetches: Sequence[Fetch], at_ms: int) -> None:
    events_append(
        [
            EventDraft(
                topic="fetch",
                kind=f"fetch.{f.state}",
                entity_id=f.pk,
                at_ms=at_ms,
                project_id=f.project_id,
                run_id=f.run_id,
                to_state=f.state,
                data={
                    "name": f.name,
                    "kind": f.source.get("kind", ""),
                    "tries": f.tries,
                    **({"error": f.error} if f.error else {}),
                },
            )
            for f in fetches
        ]
    )
