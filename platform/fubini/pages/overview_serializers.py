"""The shape of a project's home page at the REST border. Times are milliseconds since the epoch, money integer micros."""

from __future__ import annotations

from rest_framework import serializers

from fubini.pages.money_serializers import ForecastOut
from fubini.rest.serializers import ReplySerializer
from fubini.runs.serializers.runs import RunOut


class BudgetGlanceOut(ReplySerializer):
    budget_micros = serializers.IntegerField(help_text="May still be set aside.")
    held_micros = serializers.IntegerField()
    spent_micros = serializers.IntegerField()
    granted_micros = serializers.IntegerField()


class DayOut(ReplySerializer):
    day = serializers.CharField(help_text="A UTC day, as 2026-11-26.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    error = serializers.IntegerField()
    live = serializers.IntegerField()
    spent_micros = serializers.IntegerField()


class StatesOut(ReplySerializer):
    pending = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    error = serializers.IntegerField()


class SpentOut(ReplySerializer):
    """Wall time by what the furthest step was doing."""

    waiting_ms = serializers.IntegerField(help_text="No step ran or was being brought to its place.")
    staging_ms = serializers.IntegerField(
        help_text="None ran; some were being brought to their place, or queued there."
    )
    running_ms = serializers.IntegerField()


class LateOut(ReplySerializer):
    """A run against its own quote."""

    already = serializers.BooleanField(help_text="It is past its quote; otherwise it is expected to be at its end.")
    by_ms = serializers.IntegerField()
    quoted_ms = serializers.IntegerField(help_text="The quote's high end.")
    took_ms = serializers.IntegerField(help_text="So far.")
    spent = SpentOut(allow_null=True)


class AnswerOut(ReplySerializer):
    """A step that waits for a person, of its run the one that does so longest."""

    node_id = serializers.CharField()
    step = serializers.CharField(help_text="Its display name.")
    since_ms = serializers.IntegerField()
    more = serializers.IntegerField(help_text="Other steps of the run that wait for a person.")
    may = serializers.BooleanField(help_text="Whether you may answer.")


class AttentionOut(ReplySerializer):
    run = RunOut()
    answer = AnswerOut(allow_null=True, help_text="What of it waits for a person.")
    late = LateOut(allow_null=True)
    code = serializers.CharField(help_text="What holds its longest waiting step back; empty when not planned yet.")
    waiting = serializers.IntegerField(help_text="Its waiting steps.")
    since_ms = serializers.IntegerField(allow_null=True)


class PoolGlanceOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    site = serializers.CharField()
    kind = serializers.CharField()
    paused_reason = serializers.CharField()
    accelerator = serializers.CharField()
    simulated = serializers.BooleanField(help_text="The accelerator class is declared, not real.")
    capacity_cpu_millis = serializers.IntegerField()
    used_cpu_millis = serializers.IntegerField()
    running = serializers.IntegerField(help_text="Steps there now, of all projects.")
    sync_age_ms = serializers.IntegerField(allow_null=True, help_text="Since its agent was heard of.")


class OverviewOut(ReplySerializer):
    """A project's home page."""

    budget = BudgetGlanceOut()
    paused = serializers.CharField(help_text="Why new work is paused; empty when it is not.")
    states = StatesOut()
    days = DayOut(many=True, help_text="Runs by the day they were submitted, and what was spent; oldest first.")
    attention = AttentionOut(
        many=True, help_text="Runs that wait for an answer of yours, late runs, runs about to be, and runs that wait, in this order."
    )
    recent = RunOut(many=True)
    pools = PoolGlanceOut(many=True)
    spent_week_micros = serializers.IntegerField(help_text="In the last seven days.")
    forecast = ForecastOut()
    waiting = serializers.IntegerField(help_text="Steps that are ready and not placed.")
    running = serializers.IntegerField(help_text="Steps placed or running.")
