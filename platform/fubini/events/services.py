"""Writing the stream: events are appended inside the transaction that made them true."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db import transaction

from fubini.common import bell
from fubini.common.bulk import rows_insert
from fubini.events.models import Event, EventKind, EventOwner

#: Data of events that thousands have the same: kept with their kind. Never a name whose values are as many as the events.
SHARED_DATA = frozenset({"site_id", "pool_id", "agent_id", "lease", "hold", "exit_code", "cause"})
SHARED_TYPES = (str, int)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """One fact to append; see `models.Event` for the fields."""

    topic: str
    kind: str
    entity_id: str
    at_ms: int
    project_id: str | None = None
    run_id: str | None = None
    generation: int = 0
    from_state: str = ""
    to_state: str = ""
    actor: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def events_append(drafts: Sequence[EventDraft]) -> None:
    """Append in order; readers are rung when the transaction commits. The caller is inside `transaction.atomic`."""
    if not drafts:
        return
    owners = owners_of({ref for d in drafts for ref in (d.project_id, d.run_id) if ref})
    shared = [_shared(d) for d in drafts]
    kinds = kinds_of(shared)
    rows_insert(
        [
            Event(
                at_ms=d.at_ms,
                of_kind_id=kinds[kind],
                of_project_id=owners[d.project_id] if d.project_id else None,
                of_run_id=owners[d.run_id] if d.run_id else None,
                entity_id=d.entity_id,
                generation=d.generation,
                actor=d.actor,
                own_data={name: value for name, value in d.data.items() if name not in kind.names},
            )
            for d, kind in zip(drafts, shared, strict=True)
        ]
    )
    transaction.on_commit(lambda: bell.ring("events"))


@dataclass(frozen=True, slots=True)
class SharedKind:
    """The content of an `EventKind`; `data` is sorted by name."""

    topic: str
    kind: str
    from_state: str = ""
    to_state: str = ""
    data: tuple[tuple[str, str | int], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.data)


def _shared(draft: EventDraft) -> SharedKind:
    common = [
        (name, value) for name, value in draft.data.items() if name in SHARED_DATA and type(value) in SHARED_TYPES
    ]
    return SharedKind(draft.topic, draft.kind, draft.from_state, draft.to_state, tuple(sorted(common)))


@lru_cache(maxsize=4096)
def kind_digest(kind: SharedKind) -> str:
    """The name of a content: 32 hex characters of the SHA-256 of its text."""
    text = json.dumps([kind.topic, kind.kind, kind.from_state, kind.to_state, dict(kind.data)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def kinds_of(wanted: Iterable[SharedKind]) -> dict[SharedKind, int]:
    """The numbers that events have for these, given on first use. Not remembered, as `owners_of` does not."""
    digests = {kind: kind_digest(kind) for kind in set(wanted)}
    found = _kinds_found(digests.values())
    if missing := sorted((digest, kind) for kind, digest in digests.items() if digest not in found):
        EventKind.objects.bulk_create(
            [
                EventKind(
                    digest=digest, topic=k.topic, kind=k.kind, from_state=k.from_state, to_state=k.to_state,
                    data=dict(k.data),
                )
                for digest, k in missing
            ],
            ignore_conflicts=True,
        )  # fmt: skip
        found |= _kinds_found(digest for digest, _ in missing)
    return {kind: found[digest] for kind, digest in digests.items()}


def _kinds_found(digests: Iterable[str]) -> dict[str, int]:
    return dict(EventKind.objects.filter(digest__in=list(digests)).values_list("digest", "pk"))


def owners_of(ids: set[str]) -> dict[str, int]:
    """The numbers that events have for these projects and runs, given on first use.

    Not remembered in the process: a number given in a transaction that is rolled back is given again, to another.
    """
    found = _owners_found(ids)
    if missing := sorted(ids - found.keys()):
        EventOwner.objects.bulk_create([EventOwner(ref=ref) for ref in missing], ignore_conflicts=True)
        found |= _owners_found(missing)
    return found


def _owners_found(ids: Iterable[str]) -> dict[str, int]:
    return dict(EventOwner.objects.filter(ref__in=list(ids)).values_list("ref", "pk"))
