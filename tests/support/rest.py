"""A REST client for tests, and a small world of people and projects to call it as."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpResponse
from django.test import Client

from fubini.accounts.models import User
from fubini.accounts.tokens import token_create
from fubini.common.ids import new_id
from fubini.common.principal import Principal
from fubini.projects.models import Membership, Project
from fubini.projects.services import project_token_create
from tests.support.rows import make_project, make_user

ROLES = ("viewer", "member", "maintainer", "owner")


@dataclass
class Api:
    """Calls ``/api/v1/...`` with a token (or none) and keeps JSON at hand."""

    token: str = ""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def call(self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str) -> HttpResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        url = path if path.startswith("/") else f"/api/v1/{path}"
        content = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
        kind = sent.pop("Content-Type", "application/json")
        return self.client.generic(method, url, content, content_type=kind, headers=sent)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("PUT", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        headers.setdefault("If_Match", "*")
        return self.call("PATCH", path, body, **{k: v for k, v in headers.items() if v})

    def delete(self, path: str, **headers: str) -> HttpResponse:
        return self.call("DELETE", path, **headers)


def api_of(user: User, *scopes: str) -> Api:
    """A client with a token of a user; by default with every scope the user can use."""
    wanted = list(scopes) or (["read", "write", "admin"] if user.is_staff else ["read", "write"])
    return Api(token_create(name="test", scopes=wanted, created_by="test", user=user)[1])


def principal_of(user: User) -> Principal:
    return Principal(actor=f"user:{user.username}", user=user, is_admin=user.is_staff)


def machine_of(project: Project, role: str) -> Api:
    """A client with a machine token of a project."""
    by = Principal(actor="system", is_admin=True)
    name = f"m-{new_id()[-8:]}"
    return Api(project_token_create(project=project, name=name, role=role, scopes=["read", "write"], by=by)[1])


@dataclass
class House:
    """One project with a person of every role, and their clients."""

    project: Project
    users: dict[str, User]
    api: dict[str, Api]


def make_house(*, budget_micros: int = 0) -> House:
    project = make_project(budget_micros=budget_micros)
    users = {role: make_user() for role in ROLES}
    for role, user in users.items():
        Membership.objects.create(project=project, user=user, role=role)
    return House(project, users, {role: api_of(user) for role, user in users.items()})


def make_admin() -> User:
    return make_user(is_staff=True, is_superuser=True)


def problem_of(response: HttpResponse, status: int, code: str = "") -> dict[str, Any]:
    """The problem document of an answer, checked for what every one must have."""
    assert response.status_code == status, (response.status_code, response.content[:500])
    assert response["Content-Type"] == "application/problem+json", response["Content-Type"]
    document: dict[str, Any] = response.json()
    for key in ("type", "title", "status", "code", "detail", "next_step", "errors", "request_id"):
        assert key in document, key
    assert document["status"] == status
    assert document["next_step"] and document["detail"]
    assert document["request_id"] == response["X-Request-ID"]
    if code:
        assert document["code"] == code, document
    return document
