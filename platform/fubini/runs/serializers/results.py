"""What a run left and cost: events, artifacts, final outputs, costs, transfers."""

from __future__ import annotations

from rest_framework import serializers

from fubini.rest.serializers import CommaList, QuerySerializer, ReplySerializer

FINAL_MAX = 1_000  # final artifacts in one answer


class EventFilter(QuerySerializer):
    topic = CommaList(["run", "node", "task", "attempt", "lease", "hold"], required=False)


class EventOut(ReplySerializer):
    id = serializers.IntegerField()
    at_ms = serializers.IntegerField()
    topic = serializers.CharField()
    kind = serializers.CharField()
    entity_id = serializers.CharField()
    generation = serializers.IntegerField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    actor = serializers.CharField()
    data = serializers.JSONField()  # type: ignore[assignment]


class ArtifactFilter(QuerySerializer):
    node = serializers.CharField(required=False, max_length=200, help_text="A node's id.")
    name = serializers.CharField(required=False, max_length=128)


class OutputsFilter(QuerySerializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=FINAL_MAX, default=200, help_text="How many artifacts to list at most."
    )


class FinalArtifactOut(ReplySerializer):
    name = serializers.CharField()
    key = serializers.CharField()
    node_id = serializers.CharField()
    display_name = serializers.CharField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=["global", "entrypoint", "unread"],
        help_text="Why it counts as final; unread: no step of the run read it.",
    )
    size_bytes = serializers.IntegerField()
    files = serializers.IntegerField()


class FinalParameterOut(ReplySerializer):
    name = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]


class OutputsOut(ReplySerializer):
    parameters = FinalParameterOut(many=True)
    artifacts = FinalArtifactOut(many=True)
    truncated = serializers.BooleanField(help_text="There are more final artifacts than `limit`.")


class CostRowOut(ReplySerializer):
    template = serializers.CharField()
    site = serializers.CharField()
    pool = serializers.CharField()
    attempts = serializers.IntegerField()
    failed = serializers.IntegerField()
    wall_ms = serializers.IntegerField()
    cpu_ms = serializers.IntegerField()
    charged_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    absorbed_attempts = serializers.IntegerField(help_text="Ended by no fault of the project; the site bore them.")
    simulated = serializers.BooleanField()


class CostsOut(ReplySerializer):
    settled_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    max_cost_micros = serializers.IntegerField(allow_null=True)
    rows = CostRowOut(many=True)


class TransferOut(ReplySerializer):
    id = serializers.CharField()
    attempt_id = serializers.CharField()
    site_id = serializers.CharField()
    direction = serializers.CharField()
    state = serializers.CharField()
    files = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    planned_at_ms = serializers.IntegerField()
    ended_at_ms = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
