"""Django's sessions in the database, read together with the person who is signed in: one query where Django takes two.

A session is found by its key among the live ones, and its person by the row that was noted at sign-in (`sessions.py`), in
one statement, anew for every request: an ended session and a person who may not sign in any more are out at once. Who the
session is of is decided by what Django signed and stored in it, never by that row; where the two do not agree, or anything
else is not as always (no such row, another way in, a password changed since), Django's own reading decides as if there were
no other.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from fubini.accounts.models import User
from fubini.common import clock


class SessionStore(DatabaseStore):
    """What `SESSION_ENGINE` names; `person` is who the row of this session was written for, once it was loaded."""

    person: User | None = None

    def load(self) -> dict[str, Any]:
        """The session's data; {} where it has ended."""
        live = Session.objects.filter(session_key=OuterRef("sessions__session_key"), expire_date__gt=clock.now())
        found = (
            User.objects.filter(sessions__session_key=self.session_key)
            .annotate(session_data=Subquery(live.values("session_data")))
            .first()
        )
        if found is None or found.session_data is None:
            self.person = None
            return super().load()
        self.person = found
        data: dict[str, Any] = self.decode(found.session_data)
        return data

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session


def session_person(request: Any) -> User | AnonymousUser:
    """Who a request's session signs in; Django's `get_user` without its query, where nothing else differs."""
    session = request.session
    key = session.get(auth.SESSION_KEY)  # loads it
    person = getattr(session, "person", None)
    if (
        isinstance(person, User)
        and person.is_active
        and key == str(person.pk)
        and session.get(auth.BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and constant_time_compare(session.get(auth.HASH_SESSION_KEY, ""), person.get_session_auth_hash())
    ):
        return person
    found: User | AnonymousUser = auth.get_user(request)
    return found


class PersonMiddleware(AuthenticationMiddleware):
    """`request.user` from `session_person`, when it is first looked at."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _remembered(request))  # type: ignore[assignment]


def _remembered(request: Any) -> User | AnonymousUser:
    if not hasattr(request, "_cached_user"):
        request._cached_user = session_person(request)
    found: User | AnonymousUser = request._cached_user
    return found
