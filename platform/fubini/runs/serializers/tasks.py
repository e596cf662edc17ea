"""Tasks and attempts: one leaf to schedule, one try at one place."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.rest.serializers import CommaList, KnownField, QuerySerializer, ReplySerializer
from fubini.runs.logs import log_tail
from fubini.runs.messages import MESSAGES
from fubini.runs.serializers.words import ATTEMPT_STATES, CAUSES, TASK_STATES

TAIL_LINES = 20


class AttemptFilter(QuerySerializer):
    state = CommaList(ATTEMPT_STATES, required=False)
    cause = serializers.ChoiceField(choices=CAUSES, required=False)
    site = serializers.CharField(required=False, max_length=48)


class AttemptOut(ReplySerializer):
    """One try of a task at one place."""

    id = serializers.CharField()
    task_id = serializers.CharField()
    number = serializers.IntegerField()
    fence = serializers.IntegerField()
    state = serializers.ChoiceField(choices=ATTEMPT_STATES)
    cause = serializers.CharField(help_text="Whose fault a failure was; empty when it succeeded.")
    message = KnownField(MESSAGES)
    site = serializers.CharField(source="site.name")
    pool = serializers.CharField(source="pool.name")
    agent = serializers.CharField(source="agent.name")
    node_group = serializers.CharField(source="node_group.name")
    accelerator = serializers.CharField(source="node_group.accelerator")
    simulated = serializers.BooleanField(
        source="node_group.simulated", help_text="The accelerator class is declared, not real."
    )
    cpu_millis = serializers.IntegerField()
    memory_bytes = serializers.IntegerField()
    devices = serializers.DictField(child=serializers.IntegerField())
    walltime_s = serializers.IntegerField()
    rates = serializers.JSONField(help_text="The prices it was placed under.")
    placement = serializers.JSONField(help_text="Why here, and what else was considered.")
    environment = serializers.JSONField(help_text="What it ran in: fingerprint, hardware, agent version.")
    site_job_id = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    cpu_ms = serializers.IntegerField(allow_null=True)
    peak_memory_bytes = serializers.IntegerField(allow_null=True)
    unknown_since_ms = serializers.IntegerField(allow_null=True)
    leased_at_ms = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    ended_at_ms = serializers.IntegerField(allow_null=True)
    charged_micros = serializers.SerializerMethodField(help_text="What the project paid.")
    held_micros = serializers.SerializerMethodField(help_text="What is set aside for it now.")
    payer = serializers.SerializerMethodField(help_text="project or site, once it has ended.")

    def get_charged_micros(self, row: Any) -> int:
        hold = getattr(row, "hold_view", None)
        return hold.settled_micros if hold else 0

    def get_held_micros(self, row: Any) -> int:
        hold = getattr(row, "hold_view", None)
        return hold.amount_micros if hold and hold.state == "placed" else 0

    def get_payer(self, row: Any) -> str:
        hold = getattr(row, "hold_view", None)
        return str(hold.payer) if hold else ""


class TaskFilter(QuerySerializer):
    state = CommaList(TASK_STATES, required=False)
    template = serializers.CharField(required=False, max_length=256)
    node = serializers.CharField(required=False, max_length=200, help_text="A node's id.")
    waiting_for = serializers.ChoiceField(
        choices=["budget", "run_budget", "user", "approval", "pause", "fetch"], required=False
    )


class TaskOut(ReplySerializer):
    """One leaf to schedule, with where its newest attempt is."""

    id = serializers.CharField()
    run_id = serializers.CharField()
    node_id = serializers.CharField()
    display_name = serializers.SerializerMethodField()
    generation = serializers.IntegerField()
    template = serializers.CharField()
    state = serializers.ChoiceField(choices=TASK_STATES)
    waiting_for = serializers.ListField(child=serializers.CharField())
    why = serializers.ListField(
        child=serializers.JSONField(), help_text="The last plan's reasons, as codes and figures."
    )
    why_since_ms = serializers.IntegerField(allow_null=True)
    priority = serializers.CharField()
    submitted_by = serializers.CharField()
    infra_failures = serializers.IntegerField()
    preemptions = serializers.IntegerField()
    queued_at_ms = serializers.IntegerField()
    finished_at_ms = serializers.IntegerField(allow_null=True)
    attempts = serializers.SerializerMethodField(help_text="How many there were.")
    site = serializers.SerializerMethodField(help_text="Of the newest attempt; empty before the first.")
    pool = serializers.SerializerMethodField()
    attempt_state = serializers.SerializerMethodField()

    def get_display_name(self, row: Any) -> str:
        names: dict[str, str] = self.context.get("names", {})
        return names.get(row.node_id, str(row.node_id))

    def get_attempts(self, row: Any) -> int:
        return len(row.attempt_rows)

    def get_site(self, row: Any) -> str:
        return str(row.attempt_rows[-1].site.name) if row.attempt_rows else ""

    def get_pool(self, row: Any) -> str:
        return str(row.attempt_rows[-1].pool.name) if row.attempt_rows else ""

    def get_attempt_state(self, row: Any) -> str:
        return str(row.attempt_rows[-1].state) if row.attempt_rows else ""


class TaskDetail(TaskOut):
    """One task with its attempts, what it asked for and, after a failure, the end of what it printed."""

    spec = serializers.JSONField()
    outcome = serializers.JSONField(allow_null=True)
    attempt_list = AttemptOut(many=True, source="attempt_rows")
    log_tail = serializers.SerializerMethodField(help_text=f"After a failure, the last {TAIL_LINES} lines.")

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_log_tail(self, row: Any) -> list[str]:
        ended = [a for a in row.attempt_rows if a.state in ("failed", "lost", "preempted", "cancelled")]
        if row.state != "failed" and not ended:
            return []
        return log_tail(row.run_id, (ended or row.attempt_rows)[-1].pk, lines=TAIL_LINES) if row.attempt_rows else []
