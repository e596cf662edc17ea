"""Writing people: made by administrators, sign-in by password, tokens of their own.

A user is never deleted (rows and the trail name it); it is made inactive, which ends its sessions and tokens at once.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from fubini.accounts import sessions, tokens
from fubini.accounts.models import Token, User
from fubini.audit.services import audit_append
from fubini.common.errors import Conflict, Forbidden, Invalid
from fubini.common.principal import SCOPES, Principal
from fubini.common.saying import say
from fubini.rest.problems import PreconditionFailed

_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class NameTaken(Conflict):
    code: ClassVar[str] = "name_taken"
    title: ClassVar[str] = "The name is taken"


class LastAdmin(Conflict):
    code: ClassVar[str] = "last_admin"
    title: ClassVar[str] = "There must be an administrator"


def _password_checked(password: str, user: User, pointer: str = "/password") -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            "The password is too easy to guess.",
            next_step="Choose a longer one: at least 10 characters, and not a common password.",
            errors=[{"pointer": pointer, "code": "password", "detail": text} for text in error.messages],
        ) from None


@transaction.atomic
def user_create(
    *,
    username: str,
    password: str | None,
    actor: str,
    email: str = "",
    is_admin: bool = False,
    first_name: str = "",
    last_name: str = "",
    language: str = "en",
) -> User:
    """Make a user. Without a password it can only use tokens (or a later single sign-on).

    Raises:
        Invalid: the username or password is not usable.
        NameTaken: there is such a user, in whatever case.
    """
    if not _USERNAME.fullmatch(username):
        raise Invalid(
            say("{username!r} is not a usable username.", username=username[:80]),
            errors=[
                {"pointer": "/username", "code": "name", "found": username[:80],
                 "allowed": "1..64 of letters, digits and ._@+-, beginning with a letter or digit"}
            ],
        )  # fmt: skip
    user = User(
        username=username,
        email=email,
        is_staff=is_admin,
        is_superuser=is_admin,
        first_name=first_name,
        last_name=last_name,
        language=language,
    )
    if password is not None:
        _password_checked(password, user)
    user.password = make_password(password)
    taken = NameTaken(
        say(
            "There is a user named {username!r}.",
            username=username,
        ),
        next_step="Choose another name.",
        found=username,
    )
    if User.objects.filter(username__iexact=username).exists():
        raise taken
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise taken from None
    audit_append(actor=actor, action="user.create", target=f"user:{username}", data={"is_admin": is_admin})
    return user


@transaction.atomic
def user_update(*, user: User, actor: str, expected_version: int | None = None, **changes: Any) -> User:
    """Change `email`, `first_name`, `last_name`, `language`, `is_admin`, `is_active`.

    Raises:
        LastAdmin: it would leave the installation without an active administrator.
        PreconditionFailed: the row is another version by now.
    """
    allowed = {k: v for k, v in changes.items() if k in ("email", "first_name", "last_name", "language", "is_active")}
    if "is_admin" in changes:
        allowed["is_staff"] = allowed["is_superuser"] = changes["is_admin"]
    rows = User.objects.filter(pk=user.pk)
    if expected_version is not None:
        rows = rows.filter(version=expected_version)
    if not rows.update(**allowed, version=F("version") + 1):
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    if user.is_staff and not User.objects.filter(is_staff=True, is_active=True).exists():
        raise LastAdmin(
            say(
                "{username} is the last active administrator.",
                username=user.username,
            ),
            next_step="Make another user administrator first.",
        )
    user.refresh_from_db()
    shown = {k: v for k, v in changes.items() if k in ("is_admin", "is_active", "language")}
    audit_append(actor=actor, action="user.update", target=f"user:{user.username}", data=shown)
    return user


@transaction.atomic
def password_set(*, user: User, password: str, actor: str, current: str | None = None) -> None:
    """Set a password, which ends the user's sessions; with `current` given, only if that is the present one.

    Whoever changed their own signs in anew (`django.contrib.auth.login`) to go on.

    Raises:
        Forbidden: `current` is not the present password.
        Invalid: the new one is too easy.
    """
    if current is not None and not user.check_password(current):
        raise Forbidden("The current password is not right.", next_step="Type the current password again.")
    _password_checked(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions.sessions_end(user=user, actor=actor)
    audit_append(actor=actor, action="user.password", target=f"user:{user.username}")


def own_token_create(
    *, principal: Principal, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token of the asking person, with no more scopes than it asks with, and no longer life than the asking token's.

    Raises:
        Forbidden: more scopes, or a longer life, than the one asking has.
    """
    assert principal.user is not None
    more = sorted(set(scopes) & set(SCOPES) - principal.scopes)
    if "admin" in scopes and not principal.is_admin:
        more.append("admin")
    if more:
        raise Forbidden(
            say("You cannot give the scope {more!r}: you do not have it here.", more=more[0]),
            next_step="Ask for fewer scopes, or sign in to have all of yours.",
            found=scopes,
            allowed=sorted(principal.scopes - (set() if principal.is_admin else {"admin"})),
        )
    if principal.token_id is not None:
        own = Token.objects.get(pk=principal.token_id)
        if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
            raise Forbidden(
                "A token cannot make one that lives longer than itself.",
                next_step=say(
                    "Give an expires_at of at most {expires_at}, or sign in.",
                    expires_at=own.expires_at.isoformat(),
                ),
            )
    return tokens.token_create(
        name=name, scopes=scopes, created_by=principal.actor, user=principal.user, expires_at=expires_at
    )
