"""Who a request is from: a bearer token, or a session with CSRF.

Both put a `Principal` into `request.auth`, the only thing views and `authorize` look at. A token is found by its public
prefix and its hash compared in constant time; `last_used_at` is written at most once a minute.
"""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from fubini.accounts.models import Token, User
from fubini.accounts.sessions import session_seen
from fubini.accounts.tokens import token_find, token_is_live, token_touch
from fubini.common.errors import Forbidden, Unauthenticated
from fubini.common.principal import ALL_SCOPES, Principal

_BEARER = re.compile(r"(?i:bearer) +(\S+) *")


class Machine:
    """What Django sees as the user of a project's machine token: signed in, but nobody."""

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    pk = None

    def __str__(self) -> str:
        return "machine"


def principal_of_user(user: User) -> Principal:
    """A signed-in person with every scope."""
    return Principal(actor=f"user:{user.username}", user=user, is_admin=user.is_staff, scopes=ALL_SCOPES)


def principal_of_token(token: Token) -> Principal:
    """What a live token stands for: no more than its owner, no more than its scopes."""
    scopes = frozenset(str(s) for s in token.scopes)
    if token.user is not None:
        return Principal(
            actor=f"user:{token.user.username}",
            user=token.user,
            scopes=scopes,
            is_admin=token.user.is_staff,
            token_id=token.pk,
        )
    return Principal(
        actor=token.actor or f"token:{token.prefix}",
        project_id=token.project_id,
        role=token.role,
        scopes=scopes - {"admin"},
        token_id=token.pk,
    )


def principal_of_actor(actor: str, *, project_id: str) -> Principal | None:
    """Who is recorded as `actor`, as they are now, for what is done later in their name; None where nobody is any more.

    A person counts while active, whichever token they used then; a project's machine token while it is live.
    """
    kind, _, name = actor.partition(":")
    if kind == "user":
        user = User.objects.filter(username=name, is_active=True).first()
        return principal_of_user(user) if user is not None else None
    if kind == "token":
        token = Token.objects.filter(actor=actor, project_id=project_id, user=None, revoked_at=None).first()
        return principal_of_token(token) if token is not None and token_is_live(token) else None
    return None


def principal_of_request(request: Any) -> Principal | None:
    """The principal of a plain Django request (streams); None where nobody is signed in.

    Raises:
        Unauthenticated: a token was sent and is not valid.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        match = _BEARER.fullmatch(header)
        if match is None:
            raise Unauthenticated("The Authorization header is not `Bearer <token>`.")
        token = token_find(match.group(1))
        token_touch(token)
        return principal_of_token(token)
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_active:
        return None
    session_seen(request, user)
    return principal_of_user(user)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer fub_<prefix>_<secret>``."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        match = _BEARER.fullmatch(header)
        if match is None:
            raise Unauthenticated("The Authorization header is not `Bearer <token>`.")
        token = token_find(match.group(1))
        token_touch(token)
        return (token.user or Machine(), principal_of_token(token))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="fubini"'


class SessionAuthentication(BaseAuthentication):
    """Django's session; whatever changes something must pass the CSRF check."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        user = getattr(request._request, "user", None)
        if not isinstance(user, User) or not user.is_active:
            return None
        csrf_check(request)
        session_seen(request._request, user)
        return (user, principal_of_user(user))


def csrf_check(request: Request) -> None:
    """Django's CSRF check for a DRF request.

    Raises:
        Forbidden: it failed.
    """
    check = CSRFCheck(lambda _: None)  # type: ignore[arg-type]
    check.process_request(request._request)
    reason: Any = check.process_view(request._request, HttpResponse, (), {})
    if reason:
        raise Forbidden(
            "The request did not prove that it comes from Fubini's own pages.",
            next_step="Send the `csrftoken` cookie's value in `X-CSRFToken`, or use a token instead of a session.",
        )


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "fubini.accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "fub_<prefix>_<secret>"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "fubini.accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
