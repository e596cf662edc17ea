"""What a run takes over from earlier ones, as it was told and as it came."""

from __future__ import annotations

from rest_framework import serializers

from fubini.rest.serializers import HeardField, ReplySerializer


class ReuseExampleOut(ReplySerializer):
    name = serializers.CharField()
    why = HeardField()
    job_number = serializers.IntegerField(allow_null=True, help_text="Of the run the result comes from.")
    node_name = serializers.CharField()
    run = serializers.CharField(default="", help_text="That run's id; empty where nothing is taken over.")


class ReuseRowOut(ReplySerializer):
    template = serializers.CharField()
    verdict = serializers.ChoiceField(
        choices=["reused", "runs", "later"], help_text="later: decided when its inputs are known."
    )
    count = serializers.IntegerField()
    saved_micros = serializers.IntegerField()
    saved_ms = serializers.IntegerField()
    examples = ReuseExampleOut(many=True)


class ReusePlanOut(ReplySerializer):
    """What is reused, what runs and why, and the money saved."""

    mode = serializers.CharField(help_text="any or run; empty: nothing is reused.")
    run_id = serializers.CharField()
    reused = serializers.IntegerField()
    runs = serializers.IntegerField()
    later = serializers.IntegerField()
    saved_micros = serializers.IntegerField(help_text="What the reused steps cost when they ran.")
    saved_ms = serializers.IntegerField()
    open_ended = serializers.BooleanField(help_text="How many steps there are depends on results.")
    rows = ReuseRowOut(many=True)


class RunReuseOut(ReplySerializer):
    """A run's reuse: what it was told at its submit, and what came of it so far."""

    planned = ReusePlanOut(allow_null=True)
    now = ReusePlanOut()


class ReusedOut(ReplySerializer):
    """Where a node's result comes from."""

    run = serializers.CharField()
    job_number = serializers.IntegerField()
    run_name = serializers.CharField()
    node = serializers.CharField()
    node_name = serializers.CharField()
    task = serializers.CharField()
    attempt = serializers.CharField()
    cost_micros = serializers.IntegerField(help_text="What it cost when it ran.")
