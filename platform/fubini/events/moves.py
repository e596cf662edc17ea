"""Changing state: the one function behind every transition of the hot entities.

A batch of rows moves together: the table of legal moves is checked, rows are written by compare-and-set on their old
state, and one event a row is appended, all in the caller's transaction. What moves only with another row (a lease and a
hold with their attempt) is told by that row's event instead: `told`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from fubini.common.bulk import rows_insert, rows_update
from fubini.common.errors import InvalidTransition
from fubini.common.saying import say
from fubini.events.models import Event
from fubini.events.services import EventDraft, events_append

Moves = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Entity:
    """How one kind of row moves: its event topic, its legal moves, and where a row belongs."""

    topic: str
    legal: Moves
    place: Callable[[Any], tuple[str | None, str | None, int]]  # row -> project_id, run_id, generation


def legal_moves(table: str) -> Moves:
    """Read ``"a -> b c ; b -> c"`` as a table; a state without a line is terminal."""
    moves: dict[str, frozenset[str]] = {}
    for line in table.split(";"):
        source, _, targets = line.partition("->")
        moves[source.strip()] = frozenset(targets.split())
    return moves


def rows_create(
    entity: Entity,
    rows: Sequence[Any],
    *,
    at_ms: int,
    actor: str = "",
    data: Callable[[Any], dict[str, Any]] = lambda _: {},
    told: bool = False,
) -> None:
    """Insert new rows and say so, unless the event of what they were made with says it (`told`)."""
    rows_insert(rows)
    if told:
        return
    events_append([_draft(entity, row, "", row.state, at_ms, actor, data(row)) for row in rows])


def rows_move(
    entity: Entity,
    rows: Sequence[Any],
    to: str,
    *,
    at_ms: int,
    fields: Sequence[str] = (),
    actor: str = "",
    data: Callable[[Any], dict[str, Any]] = lambda _: {},
    told: bool = False,
) -> None:
    """Move rows to `to`, writing also the named `fields` as they stand on the instances. Mutates `row.state`.

    `told`: the event of what they move with says it.

    Raises:
        InvalidTransition: the table has no such move; `history` in its data has the row's recent events.
        StaleRow: a row's state changed since it was read.
    """
    if not rows:
        return
    before = [row.state for row in rows]
    for row, state in zip(rows, before, strict=True):
        if to not in entity.legal.get(state, frozenset()):
            raise InvalidTransition(
                say(
                    "{topic} {pk} is {state}; it cannot become {to}.",
                    topic=entity.topic,
                    pk=row.pk,
                    state=state,
                    to=to,
                ),
                found=state,
                allowed=sorted(entity.legal.get(state, frozenset())),
                history=_history(entity, row),
            )
    for row in rows:
        row.state = to
    rows_update(rows, ["state", *fields], expect="state", expected=before)
    if told:
        return
    events_append(
        [_draft(entity, row, state, to, at_ms, actor, data(row)) for row, state in zip(rows, before, strict=True)]
    )


def _draft(
    entity: Entity, row: models.Model, before: str, after: str, at_ms: int, actor: str, data: dict[str, Any]
) -> EventDraft:
    project_id, run_id, generation = entity.place(row)
    return EventDraft(
        topic=entity.topic,
        kind=f"{entity.topic}.{after}",
        entity_id=str(row.pk),
        at_ms=at_ms,
        project_id=project_id,
        run_id=run_id,
        generation=generation,
        from_state=before,
        to_state=after,
        actor=actor,
        data=data,
    )


def _history(entity: Entity, row: models.Model) -> list[str]:
    found = Event.objects.of_topics([entity.topic]).filter(entity_id=str(row.pk)).order_by("-id")[:10]
    return [f"{e.at_ms} {e.from_state or '-'} -> {e.to_state}" for e in found]
