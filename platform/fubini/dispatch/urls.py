"""Routes of planning, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.dispatch.apis import QuoteViews, RetryViews, StartViews, StatusViews, WhyViews
from fubini.dispatch.quota_apis import QuotaViews

urlpatterns = [
    path("projects/<str:ref>/quotas/overview", QuotaViews.as_view({"get": "overview"})),
    path("projects/<str:ref>/quotas", QuotaViews.as_view({"get": "list", "patch": "update"})),
    path("status", StatusViews.as_view({"get": "retrieve"})),
    path("quotes", QuoteViews.as_view({"post": "create"})),
    path("runs/<str:id>/retry", RetryViews.as_view({"post": "create"})),
    path("runs/<str:id>/retry/proposal", RetryViews.as_view({"post": "proposal"})),
    path("runs/<str:id>/why", WhyViews.as_view({"get": "run"})),
    path("tasks/<str:id>/start", StartViews.as_view({"get": "retrieve", "post": "create"})),
    path("tasks/<str:id>/start/ask", StartViews.as_view({"post": "ask"})),
    path("tasks/<str:id>/why", WhyViews.as_view({"get": "task"})),
]
