"""What people ask of runs: a submit, a change, a signal, a retry. What became of a signal is here too."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fubini.pipelines.serializers import ManifestText, ParameterValues
from fubini.rest.serializers import BodySerializer, ReplySerializer, big
from fubini.runs.quoted import LENGTH_MAX
from fubini.runs.serializers.words import COST_MAX, Labels
from fubini.runs.services import OBJECTIVES, PRIORITIES


class RunSubmit(BodySerializer):
    project = serializers.CharField(max_length=64)
    manifest = ManifestText(required=False, help_text="The manifest's text; or name a `pipeline`.")
    pipeline = serializers.CharField(max_length=63, required=False, help_text="A pipeline's name or id.")
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Default: newest.")
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    parameters = ParameterValues(default=dict)
    labels = Labels(default=dict)
    max_cost_micros = big(min_value=0, max_value=COST_MAX, allow_null=True, required=False)
    objective = serializers.ChoiceField(choices=OBJECTIVES, allow_blank=True, default="")
    priority = serializers.ChoiceField(choices=PRIORITIES, default="normal")
    reuse = serializers.CharField(
        max_length=64,
        allow_blank=True,
        default="",
        help_text="Take over the results of finished steps with the same inputs: `any` of the project, or a run's id.",
    )
    quote = serializers.CharField(
        max_length=LENGTH_MAX,
        allow_blank=True,
        default="",
        help_text="The `token` of a quote of the same, to be kept with the run. Of something else, or a day old, it counts"
        " for nothing: the run is then quoted anew.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("manifest" in attrs) == ("pipeline" in attrs):
            raise serializers.ValidationError("Give either `manifest` or `pipeline`.", code="either")
        if "version" in attrs and "pipeline" not in attrs:
            raise serializers.ValidationError(
                {"version": "A version is of a `pipeline`; there is none."}, code="either"
            )
        return attrs


class RunChange(BodySerializer):
    name = serializers.CharField(max_length=120, required=False)
    labels = Labels(required=False, help_text="Replaces all labels.")
    max_cost_micros = big(
        min_value=0, max_value=COST_MAX, allow_null=True, required=False, help_text="null takes the limit away."
    )


class SignalAsk(BodySerializer):
    """Nothing to say: the address says it."""


class ResumeAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000,
        allow_blank=True,
        default="",
        help_text="Which suspended nodes, for example displayName=approve.",
    )
    outputs = ParameterValues(default=dict, help_text="Values for the node's supplied output parameters.")
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")


class StopAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000, allow_blank=True, default="", help_text="End only these suspended nodes, as Failed."
    )
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")


class SetAsk(BodySerializer):
    """At least one of `outputs`, `message` and `phase`."""

    selector = serializers.CharField(max_length=1000, help_text="Which suspended nodes, such as displayName=approve.")
    outputs = ParameterValues(default=dict, help_text="Values for supplied output parameters; the nodes go on waiting.")
    message = serializers.CharField(max_length=1000, allow_blank=True, default="")
    phase = serializers.ChoiceField(
        choices=["Succeeded", "Failed", "Error"], allow_blank=True, default="", help_text="End the nodes so."
    )


class SignalOut(ReplySerializer):
    """What a person asked of a run, and what became of it."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    at_ms = serializers.IntegerField()
    handled_at_ms = serializers.IntegerField(allow_null=True, help_text="null: the engine has not taken it up yet.")
    refused = serializers.CharField(help_text="Why it could not be done; then nothing has changed.")
    payload = serializers.JSONField(help_text="What was asked for.")


class RetryAsk(BodySerializer):
    selector = serializers.CharField(
        max_length=1000,
        allow_blank=True,
        default="",
        help_text="Nodes, for example templateName=train,phase!=Succeeded; by displayName, templateName, name, id, phase.",
    )
    restart_successful = serializers.BooleanField(
        default=False, help_text="Run the selected again even if they succeeded."
    )
    parameters = ParameterValues(default=dict)
    memory_bytes = big(min_value=1, max_value=COST_MAX, allow_null=True, required=False)
    walltime_s = serializers.IntegerField(min_value=1, max_value=366 * 86_400, allow_null=True, required=False)
    image = serializers.CharField(max_length=500, allow_blank=True, default="")


class ResubmitAsk(BodySerializer):
    parameters = ParameterValues(default=dict)
    memoized = serializers.BooleanField(
        default=False, help_text="Do not run again what succeeded; the run must have failed."
    )
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
