"""What the scheduling loop keeps about itself, so that others can tell whether it lives."""

from __future__ import annotations

from django.db import models


class Leader(models.Model):
    """One row (id 1): which dispatch process leads, and when it last finished a cycle (server time)."""

    holder = models.CharField(max_length=80, blank=True, default="")
    epoch = models.PositiveBigIntegerField(default=0)
    renewed_at_ms = models.BigIntegerField(default=0)
    cycle_at_ms = models.BigIntegerField(default=0)
    cycle = models.JSONField(default=dict)  # last cycle's figures
    quarantine = models.JSONField(default=list)


class Usage(models.Model):
    """A project's decayed use, in core-milliseconds as of `as_of_ms`; fair share orders by it."""

    project_id = models.CharField(max_length=32, primary_key=True)
    core_ms = models.BigIntegerField(default=0)
    as_of_ms = models.BigIntegerField(default=0)


class RunTime(models.Model):
    """How long steps of a template took on a node group: the history predictions and quotes are made from."""

    project_id = models.CharField(max_length=32)
    template = models.CharField(max_length=256)
    node_group_id = models.CharField(max_length=32)
    samples = models.PositiveIntegerField(default=0)
    mean_ms = models.BigIntegerField(default=0)
    deviation_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "template", "node_group_id"], name="run_time_once")
        ]


class Appeal(models.Model):
    """Somebody asked those who may for a change that starts a step; kept as long as it limits the next one."""

    actor = models.CharField(max_length=80)
    run_id = models.CharField(max_length=32)
    at_ms = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["actor", "at_ms"], name="appeal_actor")]


class StartScore(models.Model):
    """How predicted starts compared with real ones, for predictions of one length (`predictions.SPANS`).

    `ratios`: the newest real waits over their predicted ones, in thousandths; `samples` counts all there ever were.
    """

    span = models.CharField(max_length=4, primary_key=True)
    samples = models.PositiveBigIntegerField(default=0)
    ratios = models.JSONField(default=list)


class RunOutlook(models.Model):
    """What a live run was quoted at and when it is expected to end (`outlooks`). Times in milliseconds.

    `quote`: template -> {count, time_ms}; `spent`: {waiting_ms, staging_ms, running_ms} since `begun_ms`, of late runs.
    `quoted_end_ms` is None where nothing bounds the run's length.
    """

    run = models.OneToOneField("fubini_runs.Run", primary_key=True, on_delete=models.CASCADE, related_name="outlook")
    begun_ms = models.BigIntegerField()
    quoted_ms = models.BigIntegerField(null=True)
    quoted_end_ms = models.BigIntegerField(null=True)
    expected_end_ms = models.BigIntegerField(null=True)
    quote = models.JSONField(default=dict)
    spent = models.JSONField(null=True)
    at_ms = models.BigIntegerField(default=0)
