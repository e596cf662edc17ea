"""What the routes on several runs take and give."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer
from fubini.runs.many.bulk import DEEDS, RUNS_MAX
from fubini.runs.serializers.runs import RunFilter, RunOut
from fubini.runs.serializers.words import PHASES, Labels


class BulkAsk(BodySerializer):
    deed = serializers.ChoiceField(choices=sorted(DEEDS))
    runs = serializers.ListField(child=serializers.CharField(max_length=32), min_length=1, max_length=RUNS_MAX)
    labels = Labels(default=dict, help_text="Of `label`: set these beside what each run has.")
    drop = serializers.ListField(
        child=serializers.CharField(max_length=63), default=list, max_length=50, help_text="Of `label`: these keys go."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = bool(attrs["labels"] or attrs["drop"])
        if attrs["deed"] == "label" and not named:
            raise serializers.ValidationError(
                {"labels": "Say what to set in `labels` or to take away in `drop`."}, code="required"
            )
        if attrs["deed"] != "label" and named:
            raise serializers.ValidationError(
                {"labels": "`labels` and `drop` are for the deed `label`."}, code="either"
            )
        return attrs


class DoneOut(ReplySerializer):
    id = serializers.CharField()
    job_number = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    done = serializers.BooleanField()
    detail = serializers.CharField(help_text="Why not, where it was not done.")
    next_step = serializers.CharField()


class TableFilter(RunFilter):
    """The filters of the list of runs, or the runs themselves."""

    run = serializers.ListField(
        child=serializers.CharField(max_length=32),
        required=False,
        max_length=100,
        help_text="An id; repeat it for more.",
    )

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        del fields["project"], fields["ordering"]
        return fields


class ColumnOut(ReplySerializer):
    name = serializers.CharField()
    varies = serializers.BooleanField(help_text="Not all rows have the same.")
    numeric = serializers.BooleanField(help_text="Every value is a number: it can be plotted.")


class RunRowOut(ReplySerializer):
    run = RunOut()
    parameters = serializers.DictField(child=serializers.CharField())
    results = serializers.DictField(child=serializers.CharField(), help_text="Output parameters.")


class RunTableOut(ReplySerializer):
    rows = RunRowOut(many=True)
    parameters = ColumnOut(many=True)
    results = ColumnOut(many=True)
    truncated = serializers.BooleanField(help_text="There is more: narrow the filter.")


class CompareAsk(QuerySerializer):
    a = serializers.CharField(max_length=32, help_text="A run's id or job number.")
    b = serializers.CharField(max_length=32)


class PairOut(ReplySerializer):
    name = serializers.CharField()
    a = serializers.CharField(allow_null=True)
    b = serializers.CharField(allow_null=True)
    differs = serializers.BooleanField()


class SideOut(ReplySerializer):
    attempts = serializers.IntegerField()
    failed = serializers.IntegerField()
    wall_ms = serializers.IntegerField()
    cpu_ms = serializers.IntegerField()
    charged_micros = serializers.IntegerField()


class TemplatePairOut(ReplySerializer):
    template = serializers.CharField()
    a = SideOut()
    b = SideOut()


class StepPairOut(ReplySerializer):
    path = serializers.CharField()
    a_phase = serializers.ChoiceField(choices=PHASES, allow_null=True)
    b_phase = serializers.ChoiceField(choices=PHASES, allow_null=True)
    a_ms = serializers.IntegerField(allow_null=True)
    b_ms = serializers.IntegerField(allow_null=True)


class ManifestsOut(ReplySerializer):
    a = serializers.CharField()
    b = serializers.CharField()


class ComparisonOut(ReplySerializer):
    a = RunOut()
    b = RunOut()
    same_manifest = serializers.BooleanField()
    manifests = ManifestsOut(allow_null=True, help_text="The two texts; null where they are the same.")
    parameters = PairOut(many=True)
    results = PairOut(many=True)
    templates = TemplatePairOut(many=True)
    steps = StepPairOut(many=True, help_text="Steps that differ in phase or are in one run only; the first 200.")
    differing = serializers.IntegerField()
    same = serializers.IntegerField()
