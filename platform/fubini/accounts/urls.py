"""Routes of sign-in, oneself, tokens and users, under ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from fubini.accounts import apis, sign_in_apis

urlpatterns = [
    path("login", apis.Login.as_view({"get": "get", "post": "post"})),
    path("login/passkey", sign_in_apis.PasskeyLogin.as_view({"post": "post"})),
    path("login/passkey/options", sign_in_apis.PasskeyLogin.as_view({"post": "options_"})),
    path("logout", apis.Logout.as_view({"post": "post"})),
    path("me", apis.Me.as_view({"get": "retrieve", "patch": "update"})),
    path("me/overview", apis.Me.as_view({"get": "overview"})),
    path("me/password", apis.Me.as_view({"post": "password"})),
    path("me/second-factor", apis.SecondFactor.as_view({"get": "retrieve", "post": "begin"})),
    path("me/second-factor/confirm", apis.SecondFactor.as_view({"post": "confirm"})),
    path("me/second-factor/drop", apis.SecondFactor.as_view({"post": "drop"})),
    path("me/sessions", sign_in_apis.Sessions.as_view({"get": "list"})),
    path("me/sessions/end-others", sign_in_apis.Sessions.as_view({"post": "end_others"})),
    path("me/sessions/<str:id>", sign_in_apis.Sessions.as_view({"delete": "destroy"})),
    path("me/passkeys", sign_in_apis.Passkeys.as_view({"get": "list", "post": "create"})),
    path("me/passkeys/begin", sign_in_apis.Passkeys.as_view({"post": "begin"})),
    path("me/passkeys/<str:id>", sign_in_apis.Passkeys.as_view({"patch": "rename"})),
    path("me/passkeys/<str:id>/remove", sign_in_apis.Passkeys.as_view({"post": "remove"})),
    path("tokens", apis.Tokens.as_view({"get": "list", "post": "create"})),
    path("tokens/<str:id>", apis.Tokens.as_view({"get": "retrieve", "delete": "destroy"})),
    path("users", apis.Users.as_view({"get": "list", "post": "create"})),
    path("users/<str:username>", apis.Users.as_view({"get": "retrieve", "patch": "update"})),
    path("users/<str:username>/password", apis.Users.as_view({"post": "password"})),
    path("users/<str:username>/second-factor", apis.Users.as_view({"delete": "factor_drop"})),
]
