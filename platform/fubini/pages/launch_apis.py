"""The launch page over REST: all it opens with in one answer, and what the form as filled in would do in another."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.datasets.selectors import datasets_of
from fubini.datasets.serializers import DatasetsPage
from fubini.dispatch.apis import submission_of
from fubini.dispatch.serializers import QuoteOut
from fubini.flags.registry import REUSE
from fubini.flags.selectors import flag_is_on
from fubini.pages.launch import launch_check, pipeline_asked, run_asked
from fubini.pipelines.selectors import pipelines_of
from fubini.pipelines.serializers import FindingOut, ManifestText, ParameterOut, ParameterValues, PipelineOut, SketchOut
from fubini.projects.authorize import permits, project_get
from fubini.rest.serializers import BodySerializer, FirstPageOut, QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.runs.apis import run_source
from fubini.runs.services import OBJECTIVES, PRIORITIES

LISTED = 100


class LaunchAsk(QuerySerializer):
    pipeline = serializers.CharField(required=False, max_length=63, help_text="One to choose, by name or id.")
    run = serializers.CharField(required=False, max_length=32, help_text="One to launch again, by id or job number.")


class PipelinesPage(FirstPageOut):
    results = PipelineOut(many=True)


class ValueErrorOut(FindingOut):
    parameter = serializers.CharField(allow_blank=True, help_text="Whose value it is; empty: of none in the form.")


class LaunchAgainOut(ReplySerializer):
    """What a run was launched with."""

    id = serializers.CharField(source="run.pk")
    name = serializers.CharField(source="run.name")
    pipeline = serializers.CharField(allow_null=True, help_text="Null: a manifest of its own.")
    manifest = serializers.CharField()
    parameters = serializers.DictField(child=serializers.CharField(), source="run.parameters")
    objective = serializers.CharField(source="run.objective")
    priority = serializers.CharField(source="run.priority")


class ReuseAllowedOut(ReplySerializer):
    """May a launch take results of earlier runs over here?"""

    on = serializers.BooleanField()
    by_maintainers = serializers.BooleanField(help_text="Who may turn it on: the project's maintainers, too.")


class LaunchOut(ReplySerializer):
    """What the launch page opens with."""

    may_launch = serializers.BooleanField(help_text="False: the reader's role is too low; a quote they may have.")
    pipelines = PipelinesPage(help_text="By name.")
    datasets = DatasetsPage(help_text="By name.")
    pipeline = PipelineOut(allow_null=True, help_text="The one asked for; null: none was, or there is none such.")
    run = LaunchAgainOut(allow_null=True, help_text="The one asked for; null: none was, or there is none such.")
    reuse = ReuseAllowedOut()


class LaunchCheckBody(BodySerializer):
    manifest = ManifestText(required=False, help_text="The manifest's text; or name a `pipeline`.")
    pipeline = serializers.CharField(max_length=63, required=False, help_text="A pipeline's name or id.")
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    parameters = ParameterValues(default=dict)
    objective = serializers.ChoiceField(choices=OBJECTIVES, allow_blank=True, default="")
    priority = serializers.ChoiceField(choices=PRIORITIES, default="normal")
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    reuse = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="As in a submit: `any`, or a run's id."
    )

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if ("manifest" in attrs) == ("pipeline" in attrs):
            raise serializers.ValidationError("Give either `manifest` or `pipeline`.", code="either")
        return attrs


class LaunchCheckOut(ReplySerializer):
    kind = serializers.CharField()
    name = serializers.CharField()
    findings = FindingOut(many=True, help_text="Of the manifest, whatever values it gets.")
    truncated = serializers.BooleanField(help_text="There are more findings than are shown.")
    value_errors = ValueErrorOut(many=True, help_text="Of the values given, and those that are missing.")
    parameters = ParameterOut(many=True)
    sketch = SketchOut()
    quote = QuoteOut(allow_null=True, help_text="Null where something must be changed first.")


class LaunchViews(ApiViews):
    """``/projects/{ref}/launch``."""

    @operation("What the launch page opens with.", query=LaunchAsk, reply=LaunchOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "pipeline.read")
        pipeline, run = self.params.get("pipeline"), self.params.get("run")
        return self.reply(
            {
                "may_launch": permits(self.principal, "run.submit", project),
                "pipelines": self.first(
                    pipelines_of([project.pk]), ("name", "id"), path="pipelines", size=LISTED, project=project.slug
                ),
                "datasets": self.first(
                    datasets_of([project.pk]), ("name", "id"), path="datasets", size=LISTED, project=project.slug
                ),
                "pipeline": pipeline_asked(project, pipeline) if pipeline else None,
                "run": run_asked(project, run) if run else None,
                "reuse": {"on": flag_is_on(REUSE, project.pk), "by_maintainers": REUSE.maintainers},
            }
        )

    @operation("Check a form's manifest and values, and quote them.", body=LaunchCheckBody, reply=LaunchCheckOut, reads=True)
    def check(self, request: Request, ref: str) -> Response:
        """What `/lint` and `/quotes` say, in one answer: always 200, what is wrong is the reply."""
        project = project_get(self.principal, ref, "quote.read")
        _, text = run_source(project, self.body)
        return self.reply(launch_check(submission_of(project, text, self.body, self.principal.actor)))
