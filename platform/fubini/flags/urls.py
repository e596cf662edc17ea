"""Routes of feature flags, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.flags import apis

urlpatterns = [
    path("flags", apis.Flags.as_view({"get": "list"})),
    path("flags/<str:name>", apis.Flags.as_view({"put": "update"})),
    path("projects/<str:ref>/flags", apis.ProjectFlags.as_view({"get": "list"})),
    path("projects/<str:ref>/flags/<str:name>", apis.ProjectFlags.as_view({"put": "update"})),
]
