"""Routes of pipelines, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.pipelines.apis import LintViews, PictureViews, PipelineViews, VersionViews
from fubini.pipelines.configmap_apis import ConfigMapViews

urlpatterns = [
    path("pipelines", PipelineViews.as_view({"get": "list", "post": "create"})),
    path("pipelines/<str:id>", PipelineViews.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path("pipelines/<str:id>/overview", PipelineViews.as_view({"get": "overview"})),
    path(
        "pipelines/<str:id>/picture", PictureViews.as_view({"get": "retrieve", "put": "put", "delete": "destroy"})
    ),
    path("pipelines/<str:id>/versions", VersionViews.as_view({"get": "list", "post": "create"})),
    path("pipelines/<str:id>/versions/<int:number>", VersionViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/configs", ConfigMapViews.as_view({"get": "list"})),
    path(
        "projects/<str:ref>/configs/<str:name>",
        ConfigMapViews.as_view({"get": "retrieve", "put": "put", "delete": "destroy"}),
    ),
    path("lint", LintViews.as_view({"post": "create"})),
]
