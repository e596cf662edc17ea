"""Memoization caches as rows of a project: found, kept, listed and dropped. The rules are `memorules`'.

An entry never leaves its project. The artifacts it names are kept as long as the entry (`dispatch.tasks.retention`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, F, Max, Min, QuerySet, Sum

from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.datasets.models import Artifact
from fubini.events.services import EventDraft, events_append
from fubini.pipelines.selectors import config_map_manifest
from fubini.projects.models import Project
from fubini.runs.engine import MemoAnswer, MemoLookup, MemoSave
from fubini.runs.memorules import Entry, look_up
from fubini.runs.models import MemoArtifact, MemoEntry, Run

KEY_MAX: Final = 1000
NAME_MAX: Final = 253
ProjectIds = Collection[str] | QuerySet[Any]


def memo_lookup(*, run: Run, lookup: MemoLookup, at_ms: int) -> MemoAnswer:
    """What the project's cache has for a node's key."""
    if len(lookup.key) > KEY_MAX or len(lookup.cache) > NAME_MAX:
        reason = f"invalid cache key: more than {KEY_MAX} characters, or more than {NAME_MAX} in the cache's name"
        return MemoAnswer(at_ms, lookup.node_id, lookup.generation, None, reason)
    row = MemoEntry.objects.filter(project_id=run.project_id, cache=lookup.cache, key=lookup.key).first()
    if row is not None and not _whole(row):
        row.delete()
        row = None
    outputs, error = look_up(
        Entry(row.outputs, row.created_at_ms) if row is not None else None,
        config_map_manifest(run.project_id, lookup.cache),
        key=lookup.key,
        max_age_ms=lookup.max_age_ms,
        now_ms=at_ms,
    )
    if row is not None and outputs is not None:
        MemoEntry.objects.filter(pk=row.pk).update(hit_at_ms=at_ms, hits=F("hits") + 1)
    return MemoAnswer(at_ms, lookup.node_id, lookup.generation, outputs, error)


def memo_save(*, run: Run, save: MemoSave, at_ms: int) -> None:
    """Keep a node's outputs under its key, in place of what was there."""
    if len(save.key) > KEY_MAX or len(save.cache) > NAME_MAX:
        return  # its look-up was refused
    row, _ = MemoEntry.objects.update_or_create(
        project_id=run.project_id,
        cache=save.cache,
        key=save.key,
        defaults={
            "outputs": dict(save.outputs),
            "run_id": run.pk,
            "node_id": save.node_id,
            "created_at_ms": at_ms,
            "hit_at_ms": at_ms,
            "hits": 0,
        },
    )
    MemoArtifact.objects.filter(entry=row).delete()
    MemoArtifact.objects.bulk_create([MemoArtifact(entry=row, key=key) for key in sorted(artifact_keys(save.outputs))])


def artifact_keys(outputs: Mapping[str, Any]) -> set[str]:
    """The artifacts that outputs name."""
    return {a["key"] for a in outputs.get("artifacts") or () if isinstance(a.get("key"), str)}


def _whole(row: MemoEntry) -> bool:
    """Whether all that the entry names is still there."""
    keys = artifact_keys(row.outputs)
    return not keys or Artifact.objects.filter(project_id=row.project_id, key__in=keys).count() == len(keys)


# --- for people --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cache:
    """One cache of a project. Times are milliseconds."""

    name: str
    entries: int
    hits: int
    oldest_at_ms: int
    hit_at_ms: int


def caches_of(project_id: str) -> list[Cache]:
    """A project's caches by name."""
    rows = (
        MemoEntry.objects.filter(project_id=project_id)
        .order_by("cache")
        .values("cache")
        .annotate(entries=Count("pk"), all_hits=Sum("hits"), oldest=Min("created_at_ms"), hit=Max("hit_at_ms"))
    )
    return [Cache(r["cache"], r["entries"], r["all_hits"], r["oldest"], r["hit"]) for r in rows]


def entries_of(project_id: str, cache: str) -> QuerySet[MemoEntry]:
    """A cache's entries."""
    return MemoEntry.objects.filter(project_id=project_id, cache=cache)


@transaction.atomic
def cache_drop(*, project: Project, cache: str, actor: str, key: str | None = None) -> int:
    """Forget a cache, or one key of it; -> how many entries went."""
    rows = entries_of(project.pk, cache)
    if key is not None:
        rows = rows.filter(key=key)
    count = rows.count()
    rows.delete()
    if count:
        said = {"cache": cache, "entries": count} | ({"key": key} if key is not None else {})
        audit_append(actor=actor, action="cache.dropped", target=f"cache:{cache}", project_id=project.pk, data=said)
        events_append(
            [
                EventDraft(
                    topic="cache",
                    kind="cache.dropped",
                    entity_id=cache[:80],
                    at_ms=clock.now_ms(),
                    project_id=project.pk,
                    actor=actor,
                    data=said,
                )
            ]
        )
    return count


def entries_expire(*, before_ms: int) -> int:
    """Let go of entries nobody has found since; -> how many."""
    rows = MemoEntry.objects.filter(hit_at_ms__lt=before_ms)
    return rows.delete()[1].get(MemoEntry._meta.label, 0)
