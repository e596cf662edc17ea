"""The shape of the pools page's answer."""

from __future__ import annotations

from rest_framework import serializers

from fubini.common.seeded import SEEDED
from fubini.rest.serializers import KnownField, ReplySerializer, SaidField
from fubini.sites.serializers import PriceOut


class PlaceSiteOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    title = KnownField(SEEDED, allow_blank=True)
    region = serializers.CharField(allow_blank=True)
    link_bytes_per_s = serializers.IntegerField(allow_null=True, help_text="Into the site; null: not known.")
    link_measured_bytes = serializers.IntegerField(help_text="Transfers that figure stands on; 0: it is only declared.")
    mine = serializers.BooleanField(help_text="You may pause, cordon and drain there, and let agents join.")


class NodeCordonOut(ReplySerializer):
    reason = SaidField()
    by = serializers.CharField()
    at_ms = serializers.IntegerField()
    drain_at_ms = serializers.IntegerField(allow_null=True)


class PlaceNodeOut(ReplySerializer):
    group = serializers.CharField()
    node = serializers.IntegerField(help_text="Its index in the group.")
    cpu_millis = serializers.IntegerField()
    memory_bytes = serializers.IntegerField()
    devices = serializers.DictField(child=serializers.IntegerField())
    accelerator = serializers.CharField(allow_blank=True)
    simulated = serializers.BooleanField(help_text="The accelerator class is declared, not real.")
    used_cpu_millis = serializers.IntegerField(help_text="Held by steps of all projects, through whatever pool.")
    used_memory_bytes = serializers.IntegerField()
    running = serializers.IntegerField()
    cordon = NodeCordonOut(allow_null=True)


class PlaceAgentOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    draining = serializers.BooleanField()
    refuses = serializers.CharField(allow_blank=True, help_text="Why it takes no new work; empty when it does.")
    heard_ms = serializers.IntegerField(allow_null=True, help_text="Its last sync, server time; null: never.")
    leases = serializers.IntegerField(help_text="It holds now.")
    lease_ends_ms = serializers.IntegerField(
        allow_null=True, help_text="When the first of them runs out unless renewed."
    )


class PlacePoolOut(ReplySerializer):
    id = serializers.CharField()
    site_id = serializers.CharField()
    site = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    paused_reason = serializers.CharField(allow_blank=True, help_text="Why it takes no new steps; empty when it does.")
    drain_at_ms = serializers.IntegerField(allow_null=True, help_text="When what still runs there is given back.")
    max_running = serializers.IntegerField(allow_null=True)
    max_walltime_s = serializers.IntegerField(allow_null=True)
    price = PriceOut(allow_null=True, help_text="The rates that apply now; null: free.")
    running = serializers.IntegerField(help_text="Steps there now, of all projects.")
    waiting = serializers.IntegerField(help_text="The project's waiting steps that it could run once there is room.")
    used_cpu_millis = serializers.IntegerField()
    capacity_cpu_millis = serializers.IntegerField()
    use = serializers.ListField(
        child=serializers.IntegerField(allow_null=True),
        help_text="Thousandths of its cores in use, by hour of the last day, oldest first; null: not known.",
    )
    nodes = PlaceNodeOut(many=True)
    nodes_hidden = serializers.IntegerField(help_text="More nodes than are listed.")
    agents = PlaceAgentOut(many=True)


class PlacesOut(ReplySerializer):
    """The places a project can use."""

    now_ms = serializers.IntegerField()
    sites = PlaceSiteOut(many=True)
    pools = PlacePoolOut(many=True)


class ConsideredOut(ReplySerializer):
    """A place that could run the step when it was placed; times count from then."""

    pool = serializers.CharField()
    site = serializers.CharField(allow_blank=True)
    start_in_ms = serializers.IntegerField()
    finish_in_ms = serializers.IntegerField()
    price_micros = serializers.IntegerField()
    bytes_to_move = serializers.IntegerField()
    transfer_ms = serializers.IntegerField()
    not_chosen = serializers.CharField(allow_blank=True, help_text="Why not, as a reason's code; empty: it was chosen.")


class RefusedOut(ReplySerializer):
    """A pool that cannot run such a step as things are now."""

    pool = serializers.CharField()
    site = serializers.CharField()
    code = serializers.CharField()
    sentence = SaidField()
    figures = serializers.JSONField()


class PlacementRowOut(ReplySerializer):
    template = serializers.CharField(allow_blank=True)
    pool = serializers.CharField()
    site = serializers.CharField()
    why = serializers.CharField(allow_blank=True, help_text="What decided, as a code.")
    sentence = SaidField(allow_blank=True)
    attempts = serializers.IntegerField()
    bytes_to_move = serializers.IntegerField(help_text="Of all of them, when they were placed.")
    expected_run_ms = serializers.IntegerField(allow_null=True)
    real_run_ms = serializers.IntegerField(allow_null=True, help_text="The mean of those that ended.")
    example = serializers.CharField(help_text="The newest one's node.")
    considered = ConsideredOut(many=True)
    refused = RefusedOut(many=True)


class RunPlacementOut(ReplySerializer):
    """Where a run's steps went and why there."""

    rows = PlacementRowOut(many=True, help_text="By template, pool and what decided; newest first.")
    attempts = serializers.IntegerField(help_text="Looked at.")
    truncated = serializers.BooleanField(help_text="The run has more.")
