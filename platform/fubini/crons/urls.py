"""Routes of schedules, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.crons.apis import CronViews

urlpatterns = [
    path("crons", CronViews.as_view({"get": "list", "post": "create"})),
    path("crons/<str:id>", CronViews.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})),
    path("crons/<str:id>/suspend", CronViews.as_view({"post": "suspend"})),
    path("crons/<str:id>/resume", CronViews.as_view({"post": "resume"})),
    path("crons/<str:id>/ticks", CronViews.as_view({"get": "ticks"})),
]
