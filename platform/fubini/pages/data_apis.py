"""The data pages over REST: a project's data in one answer, a dataset's in another."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.datasets.apis import dataset_visible
from fubini.datasets.selectors import datasets_found, datasets_of
from fubini.datasets.serializers import DatasetOut, DatasetsPage, UploadOut, VersionOut
from fubini.pages.data import dataset_page, project_data
from fubini.projects.authorize import project_get
from fubini.rest.serializers import QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation


class CopyOut(ReplySerializer):
    site = serializers.CharField()
    files = serializers.IntegerField()
    size_bytes = serializers.IntegerField()


class MovingOut(ReplySerializer):
    """Bytes on their way to a site for a step, or from it."""

    id = serializers.CharField(source="row.pk")
    direction = serializers.ChoiceField(["in", "out"], source="row.direction", help_text="Seen from the site.")
    state = serializers.ChoiceField(["planned", "moving"], source="row.state")
    site = serializers.CharField()
    run_id = serializers.CharField(source="row.run_id")
    run_name = serializers.CharField()
    attempt_id = serializers.CharField(source="row.attempt_id")
    files = serializers.IntegerField(source="row.files")
    size_bytes = serializers.IntegerField(source="row.size_bytes")
    planned_at_ms = serializers.IntegerField(source="row.planned_at_ms")


class ProjectDataOut(ReplySerializer):
    """What a project keeps, where copies of it lie, what moves."""

    size_bytes = serializers.IntegerField(
        help_text="Of all it keeps in the store: datasets and what steps left; equal files once."
    )
    max_bytes = serializers.IntegerField(allow_null=True, help_text="What uploads may bring it to; null: no limit.")
    datasets = DatasetsPage(help_text="By name; those found, where a search was asked for.")
    copies = CopyOut(many=True, help_text="What the sites' caches hold of it.")
    moving = MovingOut(many=True, help_text="The oldest 50.")
    moving_total = serializers.IntegerField()
    uploads = UploadOut(many=True, help_text="Unfinished ones, the newest 20.")


class UseOut(ReplySerializer):
    kind = serializers.ChoiceField(["run", "pipeline", "schedule"])
    id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField(help_text="Of a run; else empty.")
    version = serializers.IntegerField(allow_null=True, help_text="Null: the newest.")
    blocks = serializers.BooleanField(help_text="The dataset cannot be deleted while this is so.")


class DatasetPageOut(ReplySerializer):
    dataset = DatasetOut()
    versions = VersionOut(many=True, help_text="The newest 50.")
    version = VersionOut(allow_null=True, help_text="The one looked at; null while there is none.")
    copies = CopyOut(many=True, help_text="What the sites' caches hold of that version.")
    uses = UseOut(many=True, help_text="What names the dataset; what blocks its deletion first.")


class VersionFilter(QuerySerializer):
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Default: the newest."
    )


class DataSearch(QuerySerializer):
    search = serializers.CharField(required=False, max_length=80, help_text="Part of a dataset's name or description.")


class ProjectDataViews(ApiViews):
    """``/projects/{ref}/data``."""

    @operation("What a project keeps, where it lies and what moves.", query=DataSearch, reply=ProjectDataOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "dataset.read")
        found, search = project_data(project), self.params.get("search", "")
        listed = self.first(
            datasets_found(datasets_of([project.pk]), search), ("name", "id"), path="datasets",
            project=project.slug, **({"search": search} if search else {}),
        )  # fmt: skip
        return self.reply({"datasets": listed, **{f.name: getattr(found, f.name) for f in fields(found)}})


class DatasetPageViews(ApiViews):
    """``/datasets/{id}/overview``."""

    @operation("A dataset's page: versions, where copies lie, what uses it.", query=VersionFilter, reply=DatasetPageOut)
    def retrieve(self, request: Request, id: str) -> Response:
        row: Any = dataset_visible(self.principal, id)
        return self.reply(dataset_page(row, self.params.get("version")))
