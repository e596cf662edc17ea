"""Routes of projects, members and machine tokens, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.projects import apis

urlpatterns = [
    path("projects", apis.Projects.as_view({"get": "list", "post": "create"})),
    path("projects/<str:ref>", apis.Projects.as_view({"get": "retrieve", "patch": "update"})),
    path("projects/<str:ref>/pause", apis.Projects.as_view({"post": "pause", "delete": "resume"})),
    path("projects/<str:ref>/archive", apis.Projects.as_view({"post": "archive", "delete": "restore"})),
    path("projects/<str:ref>/import-rules", apis.ImportRulesViews.as_view({"get": "retrieve", "put": "update"})),
    path("projects/<str:ref>/members", apis.Members.as_view({"get": "list", "post": "create"})),
    path(
        "projects/<str:ref>/members/<str:username>",
        apis.Members.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"}),
    ),
    path("projects/<str:ref>/tokens", apis.ProjectTokens.as_view({"get": "list", "post": "create"})),
    path("projects/<str:ref>/tokens/<str:id>", apis.ProjectTokens.as_view({"delete": "destroy"})),
    path("projects/<str:ref>/filters", apis.Filters.as_view({"get": "list", "post": "create"})),
    path("projects/<str:ref>/filters/<int:id>", apis.Filters.as_view({"delete": "destroy"})),
]
