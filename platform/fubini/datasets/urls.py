"""Routes of the data part, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.datasets.apis import ArtifactViews, BlobViews, DatasetViews, UploadViews, VersionViews

_ARTIFACT = "artifacts/<str:run>/<str:node>/<int:generation>/<str:name>"

urlpatterns = [
    path("datasets", DatasetViews.as_view({"get": "list", "post": "create"})),
    path("datasets/<str:id>", DatasetViews.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path("datasets/<str:id>/versions", VersionViews.as_view({"get": "list", "post": "create"})),
    path("datasets/<str:id>/versions/<int:number>", VersionViews.as_view({"get": "retrieve", "patch": "update"})),
    path("datasets/<str:id>/versions/<int:number>/files", VersionViews.as_view({"get": "files"})),
    path("datasets/<str:id>/versions/<int:number>/content", VersionViews.as_view({"get": "content"})),
    path("uploads", UploadViews.as_view({"get": "list", "post": "create"})),
    path("uploads/<str:id>", UploadViews.as_view({"delete": "destroy"})),
    path("blobs/missing", BlobViews.as_view({"post": "missing"})),
    path("blobs/grants", BlobViews.as_view({"post": "grant"})),
    path("blobs/<str:digest>", BlobViews.as_view({"head": "head", "put": "put"})),
    path(_ARTIFACT, ArtifactViews.as_view({"get": "retrieve"})),
    path(f"{_ARTIFACT}/files", ArtifactViews.as_view({"get": "files"})),
    path(f"{_ARTIFACT}/content", ArtifactViews.as_view({"get": "content"})),
    path(f"{_ARTIFACT}/entries/<path:path>", ArtifactViews.as_view({"get": "entry"})),
]
