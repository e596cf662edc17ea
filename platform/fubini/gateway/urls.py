"""The agents' routes."""

from __future__ import annotations

from django.urls import path

from fubini.gateway import apis

urlpatterns = [
    path("agent/v1/join", apis.join),
    path("agent/v1/sync", apis.sync),
    path("agent/v1/logs", apis.logs),
    path("agent/v1/secrets", apis.secrets),
    path("agent/v1/files", apis.files),
]
