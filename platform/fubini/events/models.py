"""The platform's one ordered, append-only stream of what happened.

Every transition writes its event in the transaction that made it. `seq` numbers events in commit order: SQLite has one
writer at a time, so there `id` is that order; elsewhere `services.events_sequence` numbers committed rows (see there).
For run node, task, attempt, lease and hold, replaying events rebuilds the tables.
"""

from __future__ import annotations

from django.db import models

from fubini.common.compact import CompactJSONField
from fubini.common.ids import PackedIdField


class Event(models.Model):
    """One fact. `kind` is ``<entity>.<what>``; `from_state`/`to_state` are set for transitions."""

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField(null=True)
    at_ms = models.BigIntegerField()
    topic = models.CharField(max_length=24)  # run, node, task, attempt, lease, hold, ledger, site, agent, project, ...
    kind = models.CharField(max_length=48)
    project_id = PackedIdField(max_length=32, null=True)  # null: for administrators only
    run_id = PackedIdField(max_length=32, null=True)
    entity_id = PackedIdField(max_length=80)
    generation = models.IntegerField(default=0)
    from_state = models.CharField(max_length=16, blank=True, default="")
    to_state = models.CharField(max_length=16, blank=True, default="")
    actor = models.CharField(max_length=80, blank=True, default="")
    data = CompactJSONField(default=dict)

    class Meta:
        # Only numbers that were given are in its index: on SQLite none is.
        constraints = [models.UniqueConstraint(fields=["seq"], condition=~models.Q(seq=None), name="event_seq_once")]
        indexes = [
            models.Index(fields=["project_id", "seq"], name="event_project_seq"),
            models.Index(fields=["run_id", "id"], name="event_run"),
        ]


class Sequence(models.Model):
    """The last number given out; one row (id 1), locked by whoever numbers events."""

    last = models.BigIntegerField(default=0)
