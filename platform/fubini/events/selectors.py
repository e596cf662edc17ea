"""Reading the stream from a position on, by what the reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fubini.events.models import Event
from fubini.events.sequence import by_id, events_sequence, newest_position, oldest_position, position_field

MAX_BATCH = 1000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a reader may see and asked for.

    `project_ids` None is everything, events of no project included: for administrators only. An empty `topics` is all.
    """

    project_ids: tuple[str, ...] | None
    run_id: str | None = None
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order, and where to read on; `cursor` also passes over events the filter hides.

    `gap`: events after the given cursor were deleted by retention before they were read.
    """

    events: tuple[Event, ...]
    cursor: int
    gap: bool = False


def events_after(wanted: EventFilter, after: int, *, limit: int = 500) -> EventBatch:
    """The next events after a position, oldest first. Numbers fresh events first where that is needed."""
    events_sequence()
    newest = newest_position()  # before the read: what comes later is read next time
    column = position_field()
    rows = Event.objects.get_queryset().filter(**{f"{column}__gt": after, f"{column}__lte": newest})
    if wanted.run_id is not None:
        rows = rows.of_runs([wanted.run_id])
    if wanted.project_ids is not None:
        rows = rows.of_projects(wanted.project_ids)
        if by_id():
            rows = rows.filter(seq=None)  # always so here; lets SQLite seek in the index over (project, seq, rowid)
    if wanted.topics:
        rows = rows.of_topics(wanted.topics)
    found = tuple(rows.order_by(column)[: min(limit, MAX_BATCH)])
    full = len(found) == min(limit, MAX_BATCH)
    cursor = position_of(found[-1]) if full else max(after, newest)
    oldest = oldest_position() if after else 0
    return EventBatch(found, cursor, gap=bool(after and oldest > after + 1))


def events_all_after(after: int, *, limit: int) -> list[Event]:
    """The next events after a position, whoever may see them. Fresh events have been numbered before."""
    column = position_field()
    return list(Event.objects.filter(**{f"{column}__gt": after}).order_by(column)[:limit])


def position_of(event: Event) -> int:
    """An event's number in the stream."""
    return int(event.pk if by_id() else event.seq or 0)


def event_document(event: Event) -> dict[str, Any]:
    """An event as clients read it."""
    return {
        "seq": position_of(event),
        "at_ms": event.at_ms,
        "topic": event.topic,
        "kind": event.kind,
        "project_id": event.project_id,
        "run_id": event.run_id,
        "entity_id": event.entity_id,
        "generation": event.generation,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "actor": event.actor,
        "data": event.data,
    }


def run_is_seen(run_id: str, project_ids: Sequence[str] | None) -> bool:
    """Has a run of one of these projects (None: any) left an event? Every run's first one is its making."""
    rows = Event.objects.of_runs([run_id])
    if project_ids is not None:
        rows = rows.of_projects(project_ids)
    return rows.exists()
