"""Routes of runs and tasks, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.runs.apis import AttemptViews, NodeViews, RunViews, SignalViews, TaskViews
from fubini.runs.archive_apis import ArchiveViews
from fubini.runs.lock_apis import CacheViews, LockViews, SemaphoreViews, SharedViews
from fubini.runs.look_apis import LookViews
from fubini.runs.many.apis import ManyRuns
from fubini.runs.origin.apis import ArtifactOriginViews, RunOriginViews, VersionOriginViews
from fubini.runs.page_apis import RunPageViews

_ARTIFACT = "artifacts/<str:run>/<str:node>/<int:generation>/<str:name>"
_VERSION = "datasets/<str:id>/versions/<int:number>"
_SIGNALS = ("cancel", "stop", "terminate", "suspend", "resume", "set", "resubmit")
_PARTS = ("manifest", "summary", "graph", "events", "artifacts", "outputs", "costs", "transfers", "reuse")

urlpatterns = [
    path("runs", RunViews.as_view({"get": "list", "post": "create"})),
    path("runs/<str:id>", RunViews.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    *[path(f"runs/<str:id>/{name}", RunViews.as_view({"get": name})) for name in _PARTS],
    *[path(f"runs/<str:id>/{name}", RunPageViews.as_view({"get": name})) for name in ("overview", "results")],
    *[path(f"runs/<str:id>/{name}", SignalViews.as_view({"post": name})) for name in _SIGNALS],
    path("runs/<str:id>/signals", SignalViews.as_view({"get": "signals"})),
    path("runs/<str:id>/nodes", NodeViews.as_view({"get": "list"})),
    path("runs/<str:id>/nodes/<str:node>", NodeViews.as_view({"get": "retrieve"})),
    path("runs/<str:id>/tasks", TaskViews.as_view({"get": "list"})),
    path("runs/<str:id>/attempts", AttemptViews.as_view({"get": "list"})),
    path("projects/<str:ref>/runs/bulk", ManyRuns.as_view({"post": "bulk"})),
    path("projects/<str:ref>/runs/table", ManyRuns.as_view({"get": "table"})),
    path("projects/<str:ref>/runs/compare", ManyRuns.as_view({"get": "compare"})),
    path("projects/<str:ref>/locks", LockViews.as_view({"get": "list"})),
    path("projects/<str:ref>/shared", SharedViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/locks/<str:lock>/break", LockViews.as_view({"post": "take"})),
    path("projects/<str:ref>/locks/<str:lock>", LockViews.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/semaphores/<str:key>", SemaphoreViews.as_view({"put": "put", "delete": "destroy"})),
    path("projects/<str:ref>/caches", CacheViews.as_view({"get": "list"})),
    path("projects/<str:ref>/caches/<str:cache>", CacheViews.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{_ARTIFACT}/origin", ArtifactOriginViews.as_view({"get": "retrieve"})),
    path(f"{_ARTIFACT}/ro-crate-metadata.json", ArtifactOriginViews.as_view({"get": "crate"})),
    path(f"{_VERSION}/origin", VersionOriginViews.as_view({"get": "retrieve"})),
    path(f"{_VERSION}/ro-crate-metadata.json", VersionOriginViews.as_view({"get": "crate"})),
    path("runs/<str:id>/origin", RunOriginViews.as_view({"get": "retrieve"})),
    path("artifacts/<str:run>/archive", ArchiveViews.as_view({"get": "archive"})),
    path("tasks/<str:id>", TaskViews.as_view({"get": "retrieve"})),
    path("tasks/<str:id>/files", LookViews.as_view({"post": "look"})),
    path("tasks/<str:id>/logs", TaskViews.as_view({"get": "logs"})),
]
