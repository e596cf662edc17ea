"""Schedules of a project and the ticks they had. The rows are the queue: nothing about a schedule lives in a process."""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class Cron(models.Model):
    """One CronWorkflow.

    `considered_ms`: every tick up to here is decided. `next_at_ms` is the next one, null while none can come.
    `anchor_ms` is from where `@every` counts. `stopped`: the stop strategy has come true.
    """

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="crons")
    name = models.CharField(max_length=52)
    text = models.TextField()
    document = models.JSONField()
    suspended = models.BooleanField(default=False)
    stopped = models.BooleanField(default=False)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    condition = models.CharField(max_length=400, blank=True, default="")  # why the last tick could not be submitted
    anchor_ms = models.BigIntegerField()
    considered_ms = models.BigIntegerField()
    last_at_ms = models.BigIntegerField(null=True)  # the last tick that made a run
    next_at_ms = models.BigIntegerField(null=True)
    created_at_ms = models.BigIntegerField()
    saved_by = models.CharField(max_length=80)  # its runs are submitted in this name
    # What one of its runs would cost, for forecasts before any ran: {"version": of this row, "low", "high": micros or null}
    quote = models.JSONField(null=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="cron_name_once")]
        indexes = [models.Index(fields=["next_at_ms"], name="cron_due")]


class CronTick(models.Model):
    """What became of one tick. The constraint is what makes a tick start at most one run, however many ask.

    state: ``active`` (its run goes on), ``succeeded`` | ``failed`` (its run ended), ``skipped`` (a rule forbade it;
    `reason` says which) or ``refused`` (the submit failed; `message` says why). A run that
    a person started between the ticks is one too, with the reason ``by_hand``.
    """

    id = models.BigAutoField(primary_key=True)
    cron = models.ForeignKey(Cron, on_delete=models.CASCADE, related_name="ticks")
    at_ms = models.BigIntegerField()
    decided_at_ms = models.BigIntegerField()
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=12, blank=True, default="")
    message = models.CharField(max_length=400, blank=True, default="")
    run = models.ForeignKey("fubini_runs.Run", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cron", "at_ms"], name="cron_tick_once")]
        indexes = [models.Index(fields=["state"], condition=models.Q(state="active"), name="cron_tick_active")]
