"""What the run page's own answers are made of."""

from __future__ import annotations

from rest_framework import serializers

from fubini.datasets.serializers import ArtifactOut
from fubini.rest.serializers import FirstPageOut, ReplySerializer
from fubini.runs.serializers.nodes import GraphOut
from fubini.runs.serializers.results import FinalArtifactOut, FinalParameterOut
from fubini.runs.serializers.runs import RunDetail


class RunOverviewOut(ReplySerializer):
    """A run's page."""

    run = RunDetail()
    graph = GraphOut()


class ListedFileOut(ReplySerializer):
    path = serializers.CharField(allow_blank=True, help_text="Empty for an artifact that is one file.")
    size = serializers.IntegerField()


class OpenedArtifactOut(FinalArtifactOut):
    listing = ListedFileOut(
        many=True, help_text="Its first 60 files, where there are so few artifacts that all are shown."
    )


class ResultsOut(ReplySerializer):
    parameters = FinalParameterOut(many=True)
    artifacts = OpenedArtifactOut(many=True)
    truncated = serializers.BooleanField(help_text="There are more final artifacts than these.")


class ArtifactsPage(FirstPageOut):
    results = ArtifactOut(many=True)


class RunResultsOut(ReplySerializer):
    """A run's artifacts page."""

    final = ResultsOut(help_text="As in `/runs/{id}/outputs`.")
    artifacts = ArtifactsPage(help_text="What its steps left, the oldest first.")
