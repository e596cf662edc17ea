"""The platform's one ordered, append-only stream of what happened.

Every transition writes its event in the transaction that made it. `seq` numbers events in commit order: SQLite has one
writer at a time, so there `id` is that order; elsewhere `services.events_sequence` numbers committed rows (see there).
For run node, task, attempt, lease and hold, replaying events rebuilds the tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.db import models

from fubini.common.compact import CompactJSONField
from fubini.common.ids import PackedIdField


class EventOwner(models.Model):
    """The id of a project or a run that events belong to: they name it by this row's number, a fraction of the id's size."""

    id = models.BigAutoField(primary_key=True)
    ref = PackedIdField(max_length=32, unique=True)


def _owner_key() -> Any:
    return models.ForeignKey(EventOwner, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)


class EventKind(models.Model):
    """What very many events have in common: what happened, and the part of their data that takes few values.

    Never changed; `digest` names the content (see `services.kinds_of`).
    """

    id = models.BigAutoField(primary_key=True)
    digest = PackedIdField(max_length=32, unique=True)
    topic = models.CharField(max_length=24)  # run, node, task, attempt, lease, hold, ledger, site, agent, project, ...
    kind = models.CharField(max_length=48)  # <entity>.<what>
    from_state = models.CharField(max_length=16, blank=True, default="")
    to_state = models.CharField(max_length=16, blank=True, default="")
    data = CompactJSONField(default=dict)


class EventQuerySet(models.QuerySet["Event"]):
    """Events by whose they are and what they tell of. An id that no event has finds none."""

    def of_topics(self, topics: Iterable[str]) -> Self:
        return self.filter(of_kind__topic__in=list(topics))

    def of_runs(self, run_ids: Iterable[str]) -> Self:
        return self.filter(of_run__in=_numbers(run_ids))

    def of_projects(self, project_ids: Iterable[str]) -> Self:
        return self.filter(of_project__in=_numbers(project_ids))


def _numbers(ids: Iterable[str]) -> list[int]:
    return list(EventOwner.objects.filter(ref__in=list(ids)).values_list("pk", flat=True))


class EventManager(models.Manager["Event"]):
    """Reads with an event what it shares with others."""

    def get_queryset(self) -> EventQuerySet:
        return EventQuerySet(self.model, using=self._db).select_related("of_project", "of_run", "of_kind")

    def of_runs(self, run_ids: Iterable[str]) -> EventQuerySet:
        return self.get_queryset().of_runs(run_ids)

    def of_topics(self, topics: Iterable[str]) -> EventQuerySet:
        return self.get_queryset().of_topics(topics)


class Event(models.Model):
    """One fact. `kind` is ``<entity>.<what>``; `from_state`/`to_state` are set for transitions."""

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField(null=True)
    at_ms = models.BigIntegerField()
    of_kind = models.ForeignKey(EventKind, on_delete=models.PROTECT, related_name="+", db_index=False)
    of_project = _owner_key()  # null: for administrators only
    of_run = _owner_key()
    entity_id = PackedIdField(max_length=80)
    generation = models.IntegerField(default=0)
    actor = models.CharField(max_length=80, blank=True, default="")
    own_data = CompactJSONField(default=dict)  # the rest of the data is its kind's

    objects = EventManager()

    class Meta:
        # Only numbers that were given are in its index: on SQLite none is.
        constraints = [models.UniqueConstraint(fields=["seq"], condition=~models.Q(seq=None), name="event_seq_once")]
        indexes = [
            models.Index(fields=["of_project", "seq"], name="event_of_project"),
            models.Index(fields=["of_run", "id"], name="event_of_run"),
        ]

    @property
    def topic(self) -> str:
        """The sort of thing it is about."""
        return self.of_kind.topic

    @property
    def kind(self) -> str:
        """``<topic>.<what>``."""
        return self.of_kind.kind

    @property
    def from_state(self) -> str:
        """The state a transition left, else ""."""
        return self.of_kind.from_state

    @property
    def to_state(self) -> str:
        """The state a transition led to, else ""."""
        return self.of_kind.to_state

    @property
    def data(self) -> dict[str, Any]:
        """What else is told."""
        return {**self.of_kind.data, **self.own_data}

    @property
    def project_id(self) -> str | None:
        """The project's id."""
        return self.of_project.ref if self.of_project else None

    @property
    def run_id(self) -> str | None:
        """The run's id."""
        return self.of_run.ref if self.of_run else None


class Sequence(models.Model):
    """The last number given out; one row (id 1), locked by whoever numbers events."""

    last = models.BigIntegerField(default=0)
