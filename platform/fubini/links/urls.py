"""Routes of share links, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.links import apis

urlpatterns = [
    path("links/<str:code>", apis.Links.as_view({"get": "retrieve"})),
    path("projects/<str:ref>/links", apis.ProjectLinks.as_view({"get": "list", "post": "create"})),
    path("projects/<str:ref>/links/<str:id>", apis.ProjectLinks.as_view({"delete": "destroy"})),
]
