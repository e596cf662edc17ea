"""Shapes of sites, pools, prices and agents at the REST border."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.common.seeded import SEEDED
from fubini.rest.serializers import BodySerializer, KnownField, QuerySerializer, ReplySerializer
from fubini.sites.models import Pool
from fubini.sites.selectors import link_bytes_per_s

MICROS_MAX = 10**15
_KINDS = [kind.value for kind in Pool.Kind]


class SiteOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    title = KnownField(SEEDED, allow_blank=True)
    region = serializers.CharField(allow_blank=True)
    preference = serializers.IntegerField(help_text="Local-first order, smaller first.")
    owners = serializers.SerializerMethodField(
        help_text="Who may pause, cordon and drain there, besides administrators."
    )
    created_at = serializers.DateTimeField()

    def get_owners(self, site: Any) -> list[str]:
        return sorted(user.username for user in site.owners.all())


class SiteCreate(BodySerializer):
    name = serializers.CharField(max_length=48)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    region = serializers.CharField(max_length=48, required=False, allow_blank=True)
    preference = serializers.IntegerField(min_value=-1_000_000, max_value=1_000_000, required=False)


class SiteChange(BodySerializer):
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    region = serializers.CharField(max_length=48, required=False, allow_blank=True)
    preference = serializers.IntegerField(min_value=-1_000_000, max_value=1_000_000, required=False)
    owners = serializers.ListField(
        child=serializers.CharField(max_length=150),
        required=False,
        max_length=100,
        help_text="Usernames; replaces them.",
    )


class CordonOut(ReplySerializer):
    node = serializers.IntegerField(help_text="Its index in the group.")
    reason = serializers.CharField()
    by = serializers.CharField()
    at_ms = serializers.IntegerField()
    drain_at_ms = serializers.IntegerField(
        allow_null=True, help_text="When what still runs there is given back; null: never."
    )


class CordonAsk(BodySerializer):
    reason = serializers.CharField(max_length=200, help_text="Every waiting step repeats it.")
    grace_s = serializers.IntegerField(
        min_value=0, max_value=30 * 86_400, required=False, allow_null=True,
        help_text="Drain: what still runs after so many seconds is given back, at the site's cost; left out: it finishes.",
    )  # fmt: skip


class NodesCordonAsk(CordonAsk):
    nodes = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=100_000), required=False, max_length=10_000,
        help_text="Indexes of nodes in the group; none: all.",
    )  # fmt: skip


class NodesAsk(BodySerializer):
    nodes = NodesCordonAsk().fields["nodes"]


class NodeGroupOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    nodes = serializers.IntegerField()
    cpu_millis = serializers.IntegerField(help_text="Of one node.")
    memory_bytes = serializers.IntegerField(help_text="Of one node.")
    disk_bytes = serializers.IntegerField()
    devices = serializers.DictField(child=serializers.IntegerField())
    arch = serializers.CharField()
    accelerator = serializers.CharField(allow_blank=True)
    simulated = serializers.BooleanField(help_text="The accelerator class is declared, not real.")
    speed_permille = serializers.IntegerField()
    machine_cpu_millis = serializers.IntegerField(help_text="Real cores of the machine it shares; 0: not shared.")
    cordons = serializers.SerializerMethodField(help_text="Nodes that take no new steps.")

    @extend_schema_field(CordonOut(many=True))
    def get_cordons(self, group: Any) -> Any:
        found = [{"node": int(index), **said} for index, said in group.cordons.items()]
        return CordonOut(sorted(found, key=lambda c: c["node"]), many=True).data


class NodeGroupPut(BodySerializer):
    name = serializers.CharField(max_length=48)
    nodes = serializers.IntegerField(min_value=1, max_value=100_000, required=False)
    cpu_millis = serializers.IntegerField(min_value=1, max_value=10**9)
    memory_bytes = serializers.IntegerField(min_value=1, max_value=10**18)
    disk_bytes = serializers.IntegerField(min_value=0, max_value=10**18, required=False)
    devices = serializers.DictField(child=serializers.IntegerField(min_value=0, max_value=4096), required=False)
    arch = serializers.CharField(max_length=16, required=False)
    accelerator = serializers.CharField(max_length=48, required=False, allow_blank=True)
    simulated = serializers.BooleanField(required=False)
    speed_permille = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)


class PriceOut(ReplySerializer):
    version = serializers.IntegerField()
    valid_from = serializers.DateTimeField()
    core_hour_micros = serializers.IntegerField()
    memory_gib_hour_micros = serializers.IntegerField()
    device_hour_micros = serializers.DictField(child=serializers.IntegerField())
    start_micros = serializers.IntegerField()
    egress_gib_micros = serializers.IntegerField()
    created_by = serializers.CharField(allow_blank=True)


class PriceCreate(BodySerializer):
    core_hour_micros = serializers.IntegerField(min_value=0, max_value=MICROS_MAX, required=False)
    memory_gib_hour_micros = serializers.IntegerField(min_value=0, max_value=MICROS_MAX, required=False)
    device_hour_micros = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=MICROS_MAX), required=False
    )
    start_micros = serializers.IntegerField(min_value=0, max_value=MICROS_MAX, required=False)
    egress_gib_micros = serializers.IntegerField(min_value=0, max_value=MICROS_MAX, required=False)
    valid_from = serializers.DateTimeField(required=False)


class PoolQuery(QuerySerializer):
    site = serializers.CharField(max_length=64, required=False, help_text="A site's name or id.")
    name = serializers.CharField(max_length=48, required=False)
    project = serializers.CharField(max_length=64, required=False, help_text="Only pools that serve this project.")


class PoolAgentOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    draining = serializers.BooleanField()
    last_sync_at = serializers.DateTimeField(allow_null=True)


class PoolOut(ReplySerializer):
    id = serializers.CharField()
    site = serializers.CharField(source="site.name")
    site_id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    queue_depth = serializers.SerializerMethodField(
        help_text="Others' entries waiting there; null: see `queue_unknown`."
    )
    queue_wait_s = serializers.SerializerMethodField(help_text="What the site says a new entry waits; null: not known.")
    queue_unknown = serializers.SerializerMethodField(
        help_text="Why the queue's figures are not known; empty if they are."
    )
    max_running = serializers.IntegerField(allow_null=True)
    max_walltime_s = serializers.IntegerField(allow_null=True)
    labels = serializers.DictField()
    bandwidth_bytes_per_s = serializers.SerializerMethodField(
        help_text="Of bytes into its site: as its agents measured it, else as its label declares; null: not known."
    )
    bandwidth_measured_bytes = serializers.IntegerField(
        source="site.link_measured_bytes", help_text="The transfers that figure stands on; 0: it is only declared."
    )
    paused_reason = serializers.CharField(allow_blank=True, help_text="Why it takes no new steps; empty when it does.")
    drain_at_ms = serializers.IntegerField(allow_null=True, help_text="When what still runs there is given back.")
    node_groups = NodeGroupOut(many=True)
    agents = PoolAgentOut(many=True, source="live_agents")
    projects = serializers.SerializerMethodField(help_text="Slugs of those it is kept for; empty: open to all.")
    price = serializers.SerializerMethodField(help_text="The rates that apply now; null: free.")

    def get_queue_depth(self, pool: Any) -> int | None:
        return None

    def get_queue_wait_s(self, pool: Any) -> int | None:
        return None

    def get_queue_unknown(self, pool: Any) -> str:
        if pool.kind == Pool.Kind.OWNED:
            return "Fubini fills this pool's slots itself; nothing queues at the site."
        return "No agent of this pool reports its site's queue."

    def get_bandwidth_bytes_per_s(self, pool: Any) -> int | None:
        return link_bytes_per_s(pool)

    def get_projects(self, pool: Any) -> list[str]:
        return [project.slug for project in pool.seen_projects]

    @extend_schema_field(PriceOut(allow_null=True))
    def get_price(self, pool: Any) -> PriceOut | None:
        price = self.context.get("prices", {}).get(pool.pk)
        return PriceOut(price).data if price is not None else None  # type: ignore[return-value]


class PoolCreate(BodySerializer):
    name = serializers.CharField(max_length=48)
    kind = serializers.ChoiceField(choices=_KINDS, required=False)
    max_running = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    max_walltime_s = serializers.IntegerField(min_value=1, max_value=366 * 86400, required=False, allow_null=True)
    labels = serializers.DictField(child=serializers.CharField(max_length=200), required=False)
    node_groups = serializers.ListField(
        child=serializers.CharField(max_length=48), required=False, max_length=1000, help_text="Names at this site."
    )
    projects = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=1000,
        help_text="Slugs or ids it is kept for; empty: open to all.",
    )  # fmt: skip


class PoolChange(PoolCreate):
    name = None  # type: ignore[assignment]


class PauseOut(ReplySerializer):
    paused = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField(allow_null=True)


class JoinTokenCreate(BodySerializer):
    ttl_s = serializers.IntegerField(min_value=60, max_value=7 * 86400, required=False, help_text="Default: one hour.")


class JoinTokenOut(ReplySerializer):
    id = serializers.CharField()
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)
    used_by = serializers.SerializerMethodField(help_text="The agent's name.")

    def get_used_by(self, token: Any) -> str | None:
        return token.used_by.name if token.used_by is not None else None


class JoinTokenMade(JoinTokenOut):
    token = serializers.CharField(help_text="The token's text: shown only now.")
    command = serializers.CharField(help_text="What to type on the machine that joins.")


class AgentQuery(QuerySerializer):
    site = serializers.CharField(max_length=64, required=False, help_text="A site's name or id.")


class AgentOut(ReplySerializer):
    id = serializers.CharField()
    site = serializers.CharField(source="site.name")
    name = serializers.CharField()
    acts_as = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    hardware = serializers.JSONField()
    environments = serializers.JSONField()
    private_root = serializers.BooleanField()
    draining = serializers.BooleanField()
    joined_at = serializers.DateTimeField()
    last_sync_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)


class AgentChange(BodySerializer):
    draining = serializers.BooleanField()
