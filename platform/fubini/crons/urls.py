"""Routes of schedules, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.crons.apis import CronViews, ScheduleViews

urlpatterns = [
    path("crons", CronViews.as_view({"get": "list", "post": "create"})),
    path("crons/preview", CronViews.as_view({"post": "preview"})),
    path("projects/<str:ref>/schedules", ScheduleViews.as_view({"get": "retrieve"})),
    path("crons/<str:id>", CronViews.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})),
    path("crons/<str:id>/suspend", CronViews.as_view({"post": "suspend"})),
    path("crons/<str:id>/resume", CronViews.as_view({"post": "resume"})),
    path("crons/<str:id>/run", CronViews.as_view({"post": "run"})),
    path("crons/<str:id>/overview", CronViews.as_view({"get": "overview"})),
    path("crons/<str:id>/ticks", CronViews.as_view({"get": "ticks"})),
]
