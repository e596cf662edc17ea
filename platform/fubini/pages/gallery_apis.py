"""The gallery of pipelines over REST."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.pages.gallery import SHOWN, gallery_of
from fubini.pipelines.serializers import PipelineOut, SketchOut
from fubini.projects.authorize import project_get
from fubini.rest.serializers import QuerySerializer, ReplySerializer
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
    used_at_ms = serializers.IntegerField(allow_null=True, help_text="When a run of it was last submitted.")
    used_by = serializers.CharField(help_text="By whom.")


class GalleryOut(ReplySerializer):
    pipelines = ShowcaseOut(many=True, help_text="By name.")
    next_after = serializers.CharField(help_text="Go on with this as `after`; empty at the end.")


class GalleryAsk(QuerySerializer):
    search = serializers.CharField(
        required=False, max_length=80, help_text="Part of a name, title, description, summary or tag."
    )
    tag = serializers.CharField(required=False, max_length=32)
    name = serializers.CharField(required=False, max_length=63, help_text="Only the one of that name.")
    after = serializers.CharField(required=False, max_length=63, help_text="Behind this name.")
    most = serializers.IntegerField(min_value=1, max_value=SHOWN, default=SHOWN)


class GalleryViews(ApiViews):
    """``/projects/{ref}/gallery``."""

    @operation("A project's pipelines with pictures and what they took and cost.", query=GalleryAsk, reply=GalleryOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        return self.reply(gallery_of(project_get(self.principal, ref, "pipeline.read"), **self.params))
