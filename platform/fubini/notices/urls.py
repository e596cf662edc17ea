"""Routes of notices and webhooks, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.notices.apis import Notices, Webhooks

_HOOKS = "projects/<str:ref>/webhooks"
urlpatterns = [
    path("notices", Notices.as_view({"get": "list"})),
    path("notices/bell", Notices.as_view({"get": "bell"})),
    path("notices/read", Notices.as_view({"post": "read"})),
    path("notices/rules", Notices.as_view({"get": "rules", "patch": "rules_update"})),
    path("notices/test", Notices.as_view({"post": "test"})),
    path("projects/<str:ref>/notices", Notices.as_view({"get": "overview"})),
    path(_HOOKS, Webhooks.as_view({"get": "list", "post": "create"})),
    path(f"{_HOOKS}/<str:id>", Webhooks.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{_HOOKS}/<str:id>/secret", Webhooks.as_view({"post": "rotate"})),
    path(f"{_HOOKS}/<str:id>/test", Webhooks.as_view({"post": "test"})),
    path(f"{_HOOKS}/<str:id>/messages", Webhooks.as_view({"get": "deliveries"})),
    path(f"{_HOOKS}/<str:id>/messages/<str:message>/resend", Webhooks.as_view({"post": "resend"})),
]
