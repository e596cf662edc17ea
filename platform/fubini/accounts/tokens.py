"""Tokens: `fub_<prefix>_<secret>`. The prefix finds the row, sha256 of the whole text is what we keep.

256 random bits need no slow hash. Found tokens are refused when revoked, expired, or their person is not active; all
refusals read alike, so that a guess learns nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from fubini.accounts.models import Token, User
from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import Invalid, NotFound, Unauthenticated
from fubini.common.principal import SCOPES
from fubini.common.saying import say
from fubini.rest.nearest import nearest, shown

TEXT = re.compile(r"fub_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
TOUCH_S = 60
MAX_TTL = timedelta(days=3660)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def secret_make(kind: str) -> tuple[str, str, str]:
    """A new bearer text of a kind (``fub``, ``fubj``, ``fuba``): text, prefix, digest."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    text = f"{kind}_{prefix}_{secrets.token_urlsafe(32)}"
    return text, prefix, digest_of(text)


def digest_of(text: str) -> str:
    """sha256 as 64 hex characters."""
    return hashlib.sha256(text.encode()).hexdigest()


def digests_equal(text: str, digest: str) -> bool:
    """Compare a text with a stored digest in constant time."""
    return hmac.compare_digest(digest_of(text), digest)


def token_find(text: str, at: datetime | None = None) -> Token:
    """The live token of a text, with its user.

    Raises:
        Unauthenticated: unknown, expired, revoked, or its person is no longer active.
    """
    match = TEXT.fullmatch(text)
    token = Token.objects.select_related("user").filter(prefix=match.group(1)).first() if match else None
    right = digests_equal(text, token.digest if token else "0" * 64)
    if token is None or not right or not token_is_live(token, at):
        raise Unauthenticated("The token is unknown, expired or revoked.")
    return token


def token_is_live(token: Token, at: datetime | None = None) -> bool:
    """Neither revoked nor expired, and its person may still sign in."""
    moment = at or clock.now()
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= moment):
        return False
    return token.user is None or token.user.is_active


def token_touch(token: Token) -> None:
    """Note the use, at most once a minute: a read must not cost a write."""
    moment = clock.now()
    if token.last_used_at is None or (moment - token.last_used_at).total_seconds() >= TOUCH_S:
        Token.objects.filter(
            Q(last_used_at=None) | Q(last_used_at__lt=moment - timedelta(seconds=TOUCH_S)), pk=token.pk
        ).update(last_used_at=moment)


def scopes_checked(
    scopes: list[str] | tuple[str, ...] | frozenset[str], allowed: tuple[str, ...] = SCOPES
) -> list[str]:
    """Scopes in their fixed order, without repeats.

    Raises:
        Invalid: one is unknown, or there is none.
    """
    unknown = [s for s in scopes if s not in allowed]
    if unknown or not scopes:
        raise Invalid(
            say("{unknown!r} is not a scope.", unknown=shown(unknown[0]))
            if unknown
            else "A token needs at least one scope.",
            errors=[
                {"pointer": "/scopes", "code": "scope", "found": shown(s), "allowed": list(allowed),
                 "nearest": nearest(s, allowed), "detail": "not a scope a token can have here"}
                for s in unknown or [""]
            ],
        )  # fmt: skip
    return [s for s in allowed if s in scopes]


@transaction.atomic
def token_create(
    *,
    name: str,
    scopes: list[str],
    created_by: str,
    user: User | None = None,
    project_id: str | None = None,
    role: str = "",
    actor: str = "",
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token of a person, or of a project with a role; the row and its text, which is shown only now.

    The caller has checked that the maker may give these scopes and this role.

    Raises:
        Invalid: no owner or two, unknown scopes, an expiry in the past or more than ten years ahead.
    """
    if (user is None) == (project_id is None):
        raise Invalid("A token belongs to a person or to a project.")
    moment = clock.now()
    if expires_at is not None and not moment < expires_at < moment + MAX_TTL:
        raise Invalid(
            "The expiry is not within the next ten years.",
            errors=[{"pointer": "/expires_at", "code": "range", "found": expires_at.isoformat()}],
        )
    allowed = SCOPES if user is not None else SCOPES[:2]
    text, prefix, digest = secret_make("fub")
    token = Token.objects.create(
        name=name,
        prefix=prefix,
        digest=digest,
        user=user,
        project_id=project_id,
        role=role,
        actor=actor,
        scopes=scopes_checked(scopes, allowed),
        created_by=created_by,
        expires_at=expires_at,
    )
    audit_append(
        actor=created_by,
        action="token.create",
        target=f"token:{token.pk}",
        project_id=project_id,
        data={"name": name, "scopes": token.scopes, "role": role},
    )
    return token, text


@transaction.atomic
def token_revoke(*, token: Token, actor: str) -> Token:
    """Revoke; again is no error.

    Raises:
        NotFound: the row is gone.
    """
    row = Token.objects.select_for_update().filter(pk=token.pk).first()
    if row is None:
        raise NotFound()
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        row.save(update_fields=["revoked_at"])
        audit_append(actor=actor, action="token.revoke", target=f"token:{row.pk}", project_id=row.project_id)
    return row
