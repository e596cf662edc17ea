"""Passkeys (WebAuthn): added to an account, named, removed, and signed in with, alone or after the password.

The ceremonies are python-fido2's, the rows django-allauth's. A passkey here is always one that verifies its user (a PIN, a
finger, a face) and that knows its account, so it stands for both factors: no ceremony passes without the user-verified
flag, checked on this side. The domain and the origins that may use them are settings, never what a request says of itself.
A challenge lives in the session, serves once, and only for `CEREMONY_S`. A counter that does not rise is refused.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Final

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import QuerySet
from fido2.server import Fido2Server
from fido2.utils import websafe_decode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from fubini.accounts.models import User
from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.errors import Conflict, Invalid, NotFound, Unauthenticated
from fubini.common.saying import say

log = logging.getLogger(__name__)
PASSKEYS_MAX: Final = 20
NAME_MAX: Final = 60
CEREMONY_S: Final = 300
PENDING: Final = "passkey.pending"


class PasskeysOff(Conflict):
    code: ClassVar[str] = "passkeys_off"
    title: ClassVar[str] = "This installation has no passkeys"


class PasskeyRefused(Unauthenticated):
    code: ClassVar[str] = "passkey_refused"
    title: ClassVar[str] = "The passkey was not accepted"


def origins() -> tuple[str, ...]:
    """Addresses of this installation that passkeys can be used at; none: it has no passkeys."""
    found = settings.FUBINI["PASSKEYS"]
    return tuple(found.origins) if found is not None else ()


def passkeys_of(user: User | None) -> QuerySet[Authenticator]:
    rows = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
    found: QuerySet[Authenticator] = rows.filter(user=user) if user is not None else rows.none()
    return found


def add_options(user: User, session: SessionBase) -> dict[str, Any]:
    """What the browser makes a new passkey from.

    Raises:
        Conflict: the account has `PASSKEYS_MAX` already.
        PasskeysOff: see `origins`.
    """
    known = list(passkeys_of(user))
    if len(known) >= PASSKEYS_MAX:
        raise Conflict(
            say(
                "You have {passkeys_max} passkeys, the most there may be.",
                passkeys_max=PASSKEYS_MAX,
            ),
            next_step="Remove one first.",
        )
    options, state = _server().register_begin(
        PublicKeyCredentialUserEntity(
            id=user.pk.encode(), name=user.username, display_name=user.get_full_name() or user.username
        ),
        credentials=[_credential(row) for row in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    _expect(session, "add", state)
    return dict(options)


@transaction.atomic
def passkey_add(
    *, user: User, session: SessionBase, credential: dict[str, Any], name: str, actor: str
) -> Authenticator:
    """Keep the passkey the browser has made.

    Raises:
        Invalid: it does not answer this session's question, or did not verify its user.
    """
    User.objects.select_for_update().get(pk=user.pk)
    state = _expected(session, "add")
    try:
        data = _server().register_complete(state, credential) if state else None
    except Exception as error:  # whatever the library stumbles over in a stranger's bytes is a refusal
        log.info("a new passkey was refused: %s", type(error).__name__)
        data = None
    if data is None:
        raise Invalid(
            "The passkey could not be added.", next_step="Begin again; the question is good for five minutes."
        )
    if len(passkeys_of(user)) >= PASSKEYS_MAX:
        raise Conflict(
            say(
                "You have {passkeys_max} passkeys, the most there may be.",
                passkeys_max=PASSKEYS_MAX,
            ),
            next_step="Remove one first.",
        )
    row: Authenticator = WebAuthn.add(user, _named(name), credential).instance
    row.data["counter"] = data.counter
    row.save(update_fields=["data"])
    audit_append(
        actor=actor, action="user.passkey.add", target=f"user:{user.username}", data={"name": row.data["name"]}
    )
    return row


@transaction.atomic
def passkey_rename(*, user: User, id: str, name: str) -> Authenticator:
    row = _own(user, id)
    row.data["name"] = _named(name)
    row.save(update_fields=["data"])
    return row


@transaction.atomic
def passkey_remove(*, user: User, id: str, actor: str) -> None:
    """Who has the device cannot sign in with it any more."""
    row = _own(user, id)
    name = row.data["name"]
    row.delete()
    audit_append(actor=actor, action="user.passkey.remove", target=f"user:{user.username}", data={"name": name})


def sign_in_options(session: SessionBase) -> dict[str, Any]:
    """What the browser asks a passkey with; it names no account, so it tells nothing of who there is."""
    options, state = _server().authenticate_begin(user_verification=UserVerificationRequirement.REQUIRED)
    if "_auth_user_id" not in session:
        session.set_expiry(CEREMONY_S)
    _expect(session, "sign_in", state)
    return dict(options)


@transaction.atomic
def passkey_check(*, session: SessionBase, credential: dict[str, Any], user: User | None = None) -> User:
    """Whose passkey has answered this session's question; `user`: it has to be theirs.

    Raises:
        PasskeyRefused: of whatever reason; the text does not say which.
    """
    state = _expected(session, "sign_in")
    row: Authenticator | None = None
    try:
        if state is not None:
            row = _answered(state, credential)
    except Exception as error:  # as in `passkey_add`
        log.info("a passkey was refused: %s: %s", type(error).__name__, str(error)[:100])
    if row is None or not row.user.is_active or (user is not None and row.user.pk != user.pk):
        raise PasskeyRefused(
            "The passkey was not accepted.",
            next_step="Try again, or sign in another way; a passkey you removed here stays on the device.",
        )
    row.last_used_at = clock.now()
    row.save(update_fields=["data", "last_used_at"])
    found: User = row.user
    return found


def _answered(state: dict[str, Any], credential: dict[str, Any]) -> Authenticator | None:
    """The row behind an answer that holds, with its counter moved on.

    Raises:
        ValueError, and what parsing a stranger's bytes may raise.
    """
    owner = websafe_decode(credential["response"]["userHandle"]).decode()
    rows = {
        _credential(row).credential_id: row
        for row in passkeys_of(User(pk=owner)).select_for_update(of=("self",)).select_related("user")
    }
    known = _server().authenticate_complete(state, [_credential(row) for row in rows.values()], credential)
    row = rows[known.credential_id]
    counter = AuthenticationResponse.from_dict(credential).response.authenticator_data.counter
    before = int(row.data.get("counter", 0))
    if (counter or before) and counter <= before:
        raise ValueError("the counter did not rise: the passkey may have been copied")
    row.data["counter"] = counter
    return row


def _server() -> Fido2Server:
    found = settings.FUBINI["PASSKEYS"]
    if found is None:
        raise PasskeysOff(
            "Passkeys need a domain with https (or localhost).",
            next_step="An administrator sets FUBINI_PUBLIC_URL, or FUBINI_PASSKEY_DOMAIN and FUBINI_PASSKEY_ORIGINS.",
        )
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=found.domain, name="Fubini"),
        attestation=AttestationConveyancePreference.NONE,
        verify_origin=lambda origin: origin in found.origins,
    )


def _credential(row: Authenticator) -> Any:
    return row.wrap().authenticator_data.credential_data


def _expect(session: SessionBase, what: str, state: dict[str, Any]) -> None:
    until_ms = clock.now_ms() + CEREMONY_S * 1000
    session[PENDING] = {"for": what, "challenge": state["challenge"], "until_ms": until_ms}


def _expected(session: SessionBase, what: str) -> dict[str, Any] | None:
    """The question asked, once; None: none was asked, or too long ago."""
    found = session.pop(PENDING, None)
    if found is None or found["for"] != what or found["until_ms"] < clock.now_ms():
        return None
    return {"challenge": found["challenge"], "user_verification": UserVerificationRequirement.REQUIRED}


def _own(user: User, id: str) -> Authenticator:
    row = passkeys_of(user).filter(pk=int(id)).first() if id.isascii() and id.isdigit() and len(id) < 19 else None
    if row is None:
        raise NotFound("You have no such passkey.")
    return row


def _named(name: str) -> str:
    return name.strip()[:NAME_MAX] or "Passkey"
