"""Reading people and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from fubini.accounts.devices import device_of
from fubini.accounts.models import Token, User
from fubini.accounts.sessions import sessions_of
from fubini.common.errors import NotFound
from fubini.common.principal import Principal
from fubini.common.saying import say


def users_list(*, search: str = "") -> QuerySet[User]:
    """All users, for administrators; `search` is in the username, names or email."""
    found = User.objects.all()
    if search:
        found = found.filter(
            Q(username__icontains=search)
            | Q(first_name__icontains=search)
            | Q(last_name__icontains=search)
            | Q(email__icontains=search)
        )
    return found


def user_named(username: str) -> User:
    """The user of that name (case does not count).

    Raises:
        NotFound: there is none.
    """
    user = User.objects.filter(username__iexact=username).first() if "\x00" not in username else None
    if user is None:
        raise NotFound(say("There is no user named {username!r}.", username=username[:80]))
    return user


def tokens_own(principal: Principal) -> QuerySet[Token]:
    """The asking person's tokens."""
    return Token.objects.filter(user=principal.user) if principal.user is not None else Token.objects.none()


def tokens_of_project(project_id: str) -> QuerySet[Token]:
    """A project's machine tokens."""
    return Token.objects.filter(project_id=project_id)


SESSIONS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class SessionShown:
    """One of a person's own sessions in words."""

    id: str
    browser: str
    system: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    this: bool


def sessions_shown(principal: Principal, session_key: str | None) -> list[SessionShown]:
    """The asking person's sessions, this one first, then those used last; addresses only in a session."""
    rows = list(sessions_of(principal.user).order_by("-last_seen_at", "-id")[:SESSIONS_SHOWN])
    found = []
    for row in rows:
        device = device_of(row.user_agent)
        found.append(
            SessionShown(
                id=row.pk,
                browser=device.browser,
                system=device.system,
                address="" if principal.token_id is not None else row.address,
                created_at=row.created_at,
                last_seen_at=row.last_seen_at,
                this=principal.token_id is None and row.session_key == session_key,
            )
        )
    return sorted(found, key=lambda shown: not shown.this)
