"""Routes of sites, pools, prices, agents and pauses, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.sites import apis

urlpatterns = [
    path("sites", apis.Sites.as_view({"get": "list", "post": "create"})),
    path("sites/<str:ref>", apis.Sites.as_view({"get": "retrieve", "patch": "update"})),
    path("sites/<str:ref>/cordon", apis.Sites.as_view({"post": "cordon", "delete": "uncordon"})),
    path("sites/<str:ref>/agents", apis.Agents.as_view({"get": "of_site"})),
    path("sites/<str:ref>/pools", apis.Pools.as_view({"post": "create"})),
    path("sites/<str:ref>/node-groups", apis.NodeGroups.as_view({"get": "list", "put": "put"})),
    path(
        "sites/<str:ref>/node-groups/<str:name>/cordon",
        apis.NodeGroups.as_view({"post": "cordon"}),
    ),
    path("sites/<str:ref>/node-groups/<str:name>/uncordon", apis.NodeGroups.as_view({"post": "uncordon"})),
    path("sites/<str:ref>/join-tokens", apis.JoinTokens.as_view({"get": "list", "post": "create"})),
    path("sites/<str:ref>/join-tokens/<str:id>", apis.JoinTokens.as_view({"delete": "destroy"})),
    path("agents", apis.Agents.as_view({"get": "list"})),
    path("agents/<str:id>", apis.Agents.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path("pools", apis.Pools.as_view({"get": "list"})),
    path("pools/<str:id>", apis.Pools.as_view({"get": "retrieve", "patch": "update"})),
    path("pools/<str:id>/prices", apis.Prices.as_view({"get": "list", "post": "create"})),
    path("pools/<str:id>/pause", apis.Pools.as_view({"post": "pause", "delete": "resume"})),
    path("pools/<str:id>/cordon", apis.Pools.as_view({"post": "cordon", "delete": "uncordon"})),
    path("pause", apis.PauseAll.as_view({"get": "retrieve", "post": "pause", "delete": "resume"})),
]
