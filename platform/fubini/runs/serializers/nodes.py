"""Nodes of a run's tree, one by one and as a picture."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.rest.serializers import CommaList, KnownField, QuerySerializer, ReplySerializer
from fubini.runs.engine import NodeType
from fubini.runs.messages import MESSAGES
from fubini.runs.serializers.reuse import ReusedOut
from fubini.runs.serializers.words import PHASES, TASK_STATES


class NodeFilter(QuerySerializer):
    phase = CommaList(PHASES, required=False)
    type = CommaList([kind.value for kind in NodeType], required=False)
    template = serializers.CharField(required=False, max_length=256)
    search = serializers.CharField(required=False, max_length=200, help_text="Part of a display name.")
    boundary = serializers.CharField(required=False, max_length=200, help_text="Only what this node contains.")


class NodeOut(ReplySerializer):
    node_id = serializers.CharField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    type = serializers.CharField()
    phase = serializers.CharField(help_text="Empty while the node has none yet.")
    generation = serializers.IntegerField()
    boundary_id = serializers.CharField()
    template_name = serializers.CharField()
    message = KnownField(MESSAGES)
    parents = serializers.ListField(child=serializers.CharField(), help_text="The edges, kept with the child.")
    inputs = serializers.JSONField(allow_null=True)
    outputs = serializers.JSONField(allow_null=True)
    template_ref = serializers.SerializerMethodField(help_text="Where the template is, when it is not in the manifest.")
    node_flag = serializers.SerializerMethodField(
        help_text="hooked: started by a hook; retried: a try of a Retry node."
    )
    waiting_for = serializers.SerializerMethodField(help_text="The lock it waits for, as Argo names it; or empty.")
    memoization = serializers.SerializerMethodField(help_text="{hit, key, cacheName} of a step with memoize, or null.")
    daemoned = serializers.SerializerMethodField(help_text="It goes on beside what follows it.")
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    reused_from = serializers.SerializerMethodField(help_text="The step of another run whose result it is, or null.")

    child_run = serializers.SerializerMethodField(help_text="The run this step made or reads; empty for most.")

    def get_child_run(self, row: Any) -> str:
        return str(self.context.get("children", {}).get((row.node_id, row.generation), ""))

    @extend_schema_field(ReusedOut(allow_null=True))
    def get_reused_from(self, row: Any) -> dict[str, Any] | None:
        came = self.context.get("reused", {}).get((row.node_id, row.generation))
        return None if came is None else dict(ReusedOut(came).data)

    def get_waiting_for(self, row: Any) -> str:
        return str(row.extra.get("waiting_for", ""))

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_memoization(self, row: Any) -> dict[str, Any] | None:
        return row.extra.get("memoization")  # type: ignore[no-any-return]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_template_ref(self, row: Any) -> dict[str, Any] | None:
        return row.extra.get("template_ref")  # type: ignore[no-any-return]

    @extend_schema_field(serializers.DictField(child=serializers.BooleanField()))
    def get_node_flag(self, row: Any) -> dict[str, bool]:
        return row.extra.get("node_flag") or {}

    def get_daemoned(self, row: Any) -> bool:
        return bool((row.extra.get("private") or {}).get("daemoned"))


class NodeCountOut(ReplySerializer):
    template = serializers.CharField()
    type = serializers.CharField()
    phase = serializers.CharField()
    count = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)


class GraphNodeOut(ReplySerializer):
    """A node as a picture needs it; the columns from `task` on are a leaf's."""

    id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=[kind.value for kind in NodeType])
    phase = serializers.ChoiceField(choices=PHASES)
    template = serializers.CharField()
    boundary = serializers.CharField()
    parents = serializers.ListField(child=serializers.CharField())
    message = KnownField(MESSAGES)
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    task = serializers.CharField(help_text="The task's id; empty where the node is no leaf.")
    task_state = serializers.ChoiceField(choices=["", *TASK_STATES])
    queued_at_ms = serializers.IntegerField(allow_null=True)
    waits_for = serializers.CharField(help_text="The binding reason's code while it waits.")
    attempts = serializers.IntegerField()
    site = serializers.CharField()
    pool = serializers.CharField()
    simulated = serializers.BooleanField(help_text="The accelerator class there is declared, not real.")
    leased_at_ms = serializers.IntegerField(allow_null=True, help_text="Of the newest attempt.")
    running_at_ms = serializers.IntegerField(allow_null=True)
    ended_at_ms = serializers.IntegerField(allow_null=True)
    charged_micros = serializers.IntegerField(help_text="Of all attempts.")


class GraphOut(ReplySerializer):
    total = serializers.IntegerField(help_text="Nodes of the tree.")
    truncated = serializers.BooleanField(help_text="True: `nodes` has only the first; `counts` tell the rest.")
    counts = NodeCountOut(many=True)
    nodes = GraphNodeOut(many=True)
