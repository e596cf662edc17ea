"""Writing the stream: events are appended inside the transaction that made them true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from fubini.common import bell
from fubini.common.bulk import rows_insert
from fubini.events.models import Event, EventOwner


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
    rows_insert(
        [
            Event(
                at_ms=d.at_ms,
                topic=d.topic,
                kind=d.kind,
                of_project_id=owners[d.project_id] if d.project_id else None,
                of_run_id=owners[d.run_id] if d.run_id else None,
                entity_id=d.entity_id,
                generation=d.generation,
                from_state=d.from_state,
                to_state=d.to_state,
                actor=d.actor,
                data=dict(d.data),
            )
            for d in drafts
        ]
    )
    transaction.on_commit(lambda: bell.ring("events"))


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
