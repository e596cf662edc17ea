"""Routes of sign-in, oneself, tokens and users, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.accounts import apis

urlpatterns = [
    path("login", apis.Login.as_view({"get": "get", "post": "post"})),
    path("logout", apis.Logout.as_view({"post": "post"})),
    path("me", apis.Me.as_view({"get": "retrieve", "patch": "update"})),
    path("me/overview", apis.Me.as_view({"get": "overview"})),
    path("me/password", apis.Me.as_view({"post": "password"})),
    path("me/second-factor", apis.SecondFactor.as_view({"get": "retrieve", "post": "begin"})),
    path("me/second-factor/confirm", apis.SecondFactor.as_view({"post": "confirm"})),
    path("me/second-factor/drop", apis.SecondFactor.as_view({"post": "drop"})),
    path("tokens", apis.Tokens.as_view({"get": "list", "post": "create"})),
    path("tokens/<str:id>", apis.Tokens.as_view({"get": "retrieve", "delete": "destroy"})),
    path("users", apis.Users.as_view({"get": "list", "post": "create"})),
    path("users/<str:username>", apis.Users.as_view({"get": "retrieve", "patch": "update"})),
    path("users/<str:username>/password", apis.Users.as_view({"post": "password"})),
    path("users/<str:username>/second-factor", apis.Users.as_view({"delete": "factor_drop"})),
]
