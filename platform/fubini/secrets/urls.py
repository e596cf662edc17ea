"""Routes of secrets, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.secrets.apis import SecretKeys, Secrets

urlpatterns = [
    path("projects/<str:ref>/secrets", Secrets.as_view({"get": "list"})),
    path(
        "projects/<str:ref>/secrets/<str:name>",
        Secrets.as_view({"get": "retrieve", "put": "put", "delete": "destroy"}),
    ),
    path("projects/<str:ref>/secrets/<str:name>/<str:key>", Secrets.as_view({"delete": "destroy_key"})),
    path("secrets/rotate", SecretKeys.as_view({"post": "rotate"})),
]
