"""The browsers a person is signed in with: noted at sign-in, touched as they are used, shown to nobody else, ended.

The sessions are Django's, in the database; a row here says of one what its owner recognises it by. A row counts only while
Django's session lives, so nothing here can let anybody in. `last_seen_at` is written at most once a minute and process.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.dispatch import receiver

from fubini.accounts.models import User, UserSession
from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import NotFound
from fubini.rest.throttle import Buckets, client_address

AGENT_CHARS = 300
_touched = Buckets(1 / 60, 1)


def _live() -> QuerySet[Session]:
    return Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gt=clock.now())


def sessions_of(user: User | None) -> QuerySet[UserSession]:
    """The sessions a person could go on with now."""
    return UserSession.objects.filter(Exists(_live()), user=user) if user is not None else UserSession.objects.none()


@receiver(user_logged_in, dispatch_uid="fubini.accounts.session_note")
def session_note(request: Any, user: Any, **_: Any) -> None:
    """Somebody has signed in, by whatever way: the session is theirs from now on, and lives as long as sessions do."""
    if request is None or not isinstance(user, User):
        return
    if "_session_expiry" in request.session:  # of the short one that a passkey was asked for in
        request.session.set_expiry(None)
    if request.session.session_key is None:
        request.session.save()
    UserSession.objects.filter(user=user).exclude(Exists(_live())).delete()
    _write(request, user)


def session_seen(request: Any, user: User) -> None:
    """A request came in a session."""
    if request.session.session_key and _touched.take(request.session.session_key) == 0:
        _write(request, user)


def _write(request: Any, user: User) -> None:
    now, key = clock.now(), request.session.session_key
    address = client_address(request)
    said = {
        "user": user,
        "last_seen_at": now,
        "user_agent": str(request.META.get("HTTP_USER_AGENT") or "")[:AGENT_CHARS].replace("\x00", ""),
        "address": "" if address == "-" else address[:64],
    }
    if not UserSession.objects.filter(session_key=key).update(**said):
        UserSession.objects.bulk_create(
            [UserSession(session_key=key, created_at=now, **said)], ignore_conflicts=True
        )  # two requests of one new session may meet here


@transaction.atomic
def session_end(*, user: User, id: str, actor: str) -> None:
    """End one of a person's sessions; its next request finds nobody signed in.

    Raises:
        NotFound: they have no such session.
    """
    row = sessions_of(user).filter(pk=id).first()
    if row is None:
        raise NotFound("You have no such session.", next_step="Look at the list again: it may have ended by itself.")
    _drop([row])
    audit_append(actor=actor, action="session.end", target=f"user:{user.username}")


@transaction.atomic
def sessions_end(*, user: User, actor: str, keep: str = "") -> int:
    """End all of a person's sessions but the one with the key `keep`; how many."""
    rows = list(UserSession.objects.filter(user=user).exclude(session_key=keep))
    _drop(rows)
    if rows:
        audit_append(
            actor=actor, action="session.end_others", target=f"user:{user.username}", data={"sessions": len(rows)}
        )
    return len(rows)


def _drop(rows: list[UserSession]) -> None:
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()


def sessions_expired() -> QuerySet[Session]:
    """Django's sessions whose time is over, of people and of who never signed in; nothing else clears them."""
    return Session.objects.filter(expire_date__lt=clock.now())
