"""Writing the stream: events are appended inside the transaction that made them true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from fubini.common import bell
from fubini.common.bulk import rows_insert
from fubini.events.models import Event


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
    rows_insert(
        [
            Event(
                at_ms=d.at_ms,
                topic=d.topic,
                kind=d.kind,
                project_id=d.project_id,
                run_id=d.run_id,
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
