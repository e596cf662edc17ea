"""The gallery of pipelines over REST."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.dispatch.gallery import gallery_of
from fubini.pipelines.serializers import PipelineOut, SketchOut
from fubini.projects.authorize import project_get
from fubini.rest.serializers import ReplySerializer
from fubini.rest.views import ApiViews, operation


class SpanOut(ReplySerializer):
    """The middle half of what was seen."""

    low = serializers.IntegerField()
    middle = serializers.IntegerField()
    high = serializers.IntegerField()


class ShowcaseOut(ReplySerializer):
    pipeline = PipelineOut()
    sketch = SketchOut()
    runs = serializers.DictField(child=serializers.IntegerField(), help_text="Runs by state.")
    seen = serializers.IntegerField(help_text="Successful runs the figures stand on.")
    time_ms = SpanOut(allow_null=True)
    cost_micros = SpanOut(allow_null=True)


class GalleryOut(ReplySerializer):
    pipelines = ShowcaseOut(many=True, help_text="By name, at most 60; `/pipelines` pages through all.")


class GalleryViews(ApiViews):
    """``/projects/{ref}/gallery``."""

    @operation("A project's pipelines with pictures and what they took and cost.", reply=GalleryOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        return self.reply({"pipelines": gallery_of(project_get(self.principal, ref, "pipeline.read"))})
