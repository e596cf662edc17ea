"""A run, in a list and alone, and the filter of lists."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.pipelines.serializers import FindingOut, ParameterOut
from fubini.rest.serializers import CommaList, KnownField, QuerySerializer, ReplySerializer
from fubini.runs.messages import MESSAGES
from fubini.runs.quoted import kept_of
from fubini.runs.selectors import generations_of, labels_of, retention_times, warnings_of
from fubini.runs.serializers.words import PHASES, RUN_STATES
from fubini.runs.services import OBJECTIVES

ORDERINGS = [
    "-created_at_ms", "created_at_ms", "name", "-name", "job_number", "-job_number", "settled_micros", "-settled_micros",
]  # fmt: skip


class RunFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    state = CommaList(RUN_STATES, required=False, help_text=f"Some of {', '.join(RUN_STATES)}, by commas.")
    phase = CommaList(PHASES, required=False, help_text=f"Some of {', '.join(PHASES)}, by commas.")
    label = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=10,
        help_text="key=value or key; repeat it for more, all must hold.",
    )
    search = serializers.CharField(required=False, max_length=120, help_text="Part of a name, or a job number.")
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)
    submitted_by = serializers.CharField(required=False, max_length=80)
    pipeline = serializers.CharField(required=False, max_length=32, help_text="A pipeline's id.")
    parent_run = serializers.CharField(required=False, max_length=32, help_text="Only runs made by steps of this run.")
    ordering = serializers.ChoiceField(choices=ORDERINGS, default="-created_at_ms")


class PipelineRef(ReplySerializer):
    id = serializers.CharField(source="pipeline.pk")
    name = serializers.CharField(source="pipeline.name")
    version = serializers.IntegerField(source="number")


class RunOut(ReplySerializer):
    """A run in a list."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    job_number = serializers.IntegerField()
    name = serializers.CharField()
    engine = serializers.CharField()
    pipeline = PipelineRef(source="pipeline_version", allow_null=True)
    state = serializers.ChoiceField(choices=RUN_STATES)
    phase = serializers.ChoiceField(choices=PHASES)
    message = KnownField(MESSAGES)
    shutdown = serializers.CharField(help_text="Stop or Terminate once a person asked for it, else empty.")
    suspended = serializers.BooleanField()
    generation = serializers.IntegerField()
    submitted_by = serializers.CharField()
    objective = serializers.CharField()
    priority = serializers.CharField()
    labels = serializers.SerializerMethodField()
    max_cost_micros = serializers.IntegerField(allow_null=True)
    settled_micros = serializers.IntegerField(help_text="Charged so far.")
    held_micros = serializers.IntegerField(help_text="Set aside for what runs now.")
    steps_total = serializers.IntegerField()
    steps_done = serializers.IntegerField()
    steps_failed = serializers.IntegerField()
    steps_reused = serializers.IntegerField(help_text="Of those done: taken over from an earlier run.")
    saved_micros = serializers.IntegerField(help_text="What those had cost when they ran.")
    created_at_ms = serializers.IntegerField()
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField(help_text="Rises when a person changes the run; also in the ETag.")
    resubmit_of = serializers.CharField()
    parent_run = serializers.CharField(source="parent", help_text="The run whose step made this one; empty for most.")
    parent_node = serializers.CharField()

    def get_labels(self, row: Any) -> dict[str, str]:
        return labels_of(row)


class KeptQuoteOut(ReplySerializer):
    """What a run was quoted at before it was submitted, under its objective."""

    objective = serializers.ChoiceField(choices=OBJECTIVES)
    money_low_micros = serializers.IntegerField()
    money_high_micros = serializers.IntegerField()
    time_low_s = serializers.IntegerField(allow_null=True)
    time_high_s = serializers.IntegerField(allow_null=True)
    steps = serializers.IntegerField()
    feasible = serializers.BooleanField()
    bounded = serializers.BooleanField(help_text="False: how many steps there are depends on results; no upper bound.")
    at_ms = serializers.IntegerField(allow_null=True, help_text="When.")


class GenerationOut(ReplySerializer):
    """A retry: the generation it led to, and what it changed."""

    generation = serializers.IntegerField()
    at_ms = serializers.IntegerField()
    actor = serializers.CharField()
    changes = serializers.JSONField(
        source="payload",
        help_text="selector, restart_successful, parameters, memory_bytes, walltime_s, image as given.",
    )
    quote = serializers.JSONField(allow_null=True, help_text="Steps, money and time it was quoted at.")


class RunDetail(RunOut):
    """One run."""

    parameters = serializers.DictField(child=serializers.CharField())
    datasets = serializers.DictField(
        child=serializers.CharField(),
        help_text="Volume claim -> the dataset version it means in this run, retries included.",
    )
    outputs = serializers.JSONField(allow_null=True, help_text="The global outputs, in Argo's shape.")
    quote = serializers.SerializerMethodField(help_text="What it was quoted at; null: it was not, or not yet.")
    warnings = serializers.SerializerMethodField(help_text="What the check of its manifest found and let pass.")
    delete_at_ms = serializers.SerializerMethodField(help_text="When its ttlStrategy deletes it; null: never.")
    logs_delete_at_ms = serializers.SerializerMethodField(
        help_text="When its podGC deletes logs of steps; null: never."
    )
    generations = serializers.SerializerMethodField(
        help_text="Its retries, oldest first: who, when, what they changed."
    )

    @extend_schema_field(FindingOut(many=True))
    def get_warnings(self, row: Any) -> list[dict[str, Any]]:
        return warnings_of(row)

    @extend_schema_field(KeptQuoteOut(allow_null=True))
    def get_quote(self, row: Any) -> dict[str, Any] | None:
        kept = kept_of(row.quote)
        return None if kept is None else dict(KeptQuoteOut(kept).data)

    def get_delete_at_ms(self, row: Any) -> int | None:
        return retention_times(row).get("run")

    def get_logs_delete_at_ms(self, row: Any) -> int | None:
        return retention_times(row).get("logs")

    @extend_schema_field(GenerationOut(many=True))
    def get_generations(self, row: Any) -> list[dict[str, Any]]:
        if not row.generation and row.state not in ("succeeded", "failed", "error"):
            return []
        return [dict(GenerationOut(g).data) for g in generations_of(row)]


class ManifestOut(ReplySerializer):
    text = serializers.CharField()
    warnings = FindingOut(many=True)
    parameters = ParameterOut(many=True)
