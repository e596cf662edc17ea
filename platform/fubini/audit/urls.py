"""Routes of the trail, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.audit import apis

urlpatterns = [
    path("audit", apis.Audit.as_view({"get": "list"})),
    path("audit/check", apis.Audit.as_view({"get": "check"})),
]
