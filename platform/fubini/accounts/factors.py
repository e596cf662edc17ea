"""The second factor of a person's sign-in: a time-based code (TOTP) or a passkey, with recovery codes for a lost device.

The codes themselves are django-allauth's (RFC 6238; each is taken once); this decides when one is asked for, how it comes
and goes, and what the trail says. Secrets are stored sealed (`secrets.factors`), and only a session can change anything:
a token never sees them. Who has a code or a passkey has a second factor: the password alone signs in no more. The first of
them brings the recovery codes and ends the person's other sessions; the last one takes the codes along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from django.db import transaction

from fubini.accounts import sessions
from fubini.accounts.models import User
from fubini.audit.services import audit_append
from fubini.common.errors import Conflict, Forbidden, Invalid, Unauthenticated

ISSUER = "Fubini"


class SecondFactorNeeded(Unauthenticated):
    code: ClassVar[str] = "second_factor"
    title: ClassVar[str] = "A code is needed too"


@dataclass(frozen=True, slots=True)
class Factor:
    """Whether a person signs in with a code of an app, since when, and how many recovery codes are left."""

    enabled: bool
    since: Any = None
    recovery_codes_left: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app takes; `svg` is `url` as a QR code."""

    secret: str
    url: str
    svg: str


def factor_of(user: User) -> Factor:
    rows = {row.type: row for row in Authenticator.objects.filter(user=user)}
    totp, codes = rows.get(Authenticator.Type.TOTP), rows.get(Authenticator.Type.RECOVERY_CODES)
    left = len(RecoveryCodes(codes).get_unused_codes()) if codes else 0
    return Factor(totp is not None, totp.created_at if totp is not None else None, left)


def password_confirm(user: User, password: str) -> None:
    """What changes how somebody signs in wants their password once more, where they have one.

    Raises:
        Forbidden: it is not right.
    """
    if user.has_usable_password() and not user.check_password(password):
        raise Forbidden("The password is not right.", next_step="Type your password again.")


def factor_begin(user: User) -> Enrolment:
    """A new secret to enrol with; nothing is stored until a code proves that the app has it.

    Raises:
        Conflict: the person has a second factor already.
    """
    if factor_of(user).enabled:
        raise Conflict("You sign in with a code already.", next_step="Take it away first, then set it up anew.")
    secret = generate_totp_secret()
    adapter = get_adapter()
    url = adapter.build_totp_url(user, secret)
    return Enrolment(secret, url, adapter.build_totp_svg(url))


@transaction.atomic
def factor_confirm(*, user: User, secret: str, code: str, actor: str, session_key: str = "") -> list[str]:
    """Switch codes on; the recovery codes, shown only now (none, where a passkey brought them before).

    Args:
        session_key: of the session that goes on.

    Raises:
        Invalid: the code is not the secret's present one.
        Conflict: the person has a second factor already.
    """
    User.objects.select_for_update().get(pk=user.pk)
    if factor_of(user).enabled:
        raise Conflict("You sign in with a code already.", next_step="Take it away first, then set it up anew.")
    if not secret or not validate_totp_code(secret, code):
        raise Invalid(
            "The code is not right.",
            next_step="Type the code the app shows now; the clocks of the device and the server must agree.",
            errors=[{"pointer": "/code", "code": "code", "detail": "not the present code"}],
        )
    TOTP.activate(user, secret)
    audit_append(actor=actor, action="user.second_factor.on", target=f"user:{user.username}")
    return factor_come(user=user, actor=actor, session_key=session_key)


def factor_come(*, user: User, actor: str, session_key: str = "") -> list[str]:
    """A factor is new: with the first one come recovery codes, and the other sessions, which had none, end.

    -> the codes; none where there were some.
    """
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).exists():
        return []
    sessions.sessions_end(user=user, actor=actor, keep=session_key)
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    return codes


def factor_gone(user: User) -> None:
    """A factor was taken away: with the last one the recovery codes go."""
    codes = Authenticator.Type.RECOVERY_CODES
    if not Authenticator.objects.filter(user=user).exclude(type=codes).exists():
        Authenticator.objects.filter(user=user, type=codes).delete()


@transaction.atomic
def factor_drop(*, user: User, actor: str, password: str | None = None) -> None:
    """Switch codes off: oneself with the password; an administrator (`password` None), for somebody who lost their
    devices, takes the passkeys away too.

    Raises:
        Forbidden: the password is not right.
    """
    mine = Authenticator.objects.filter(user=user)
    if password is not None:
        password_confirm(user, password)
        mine = mine.filter(type=Authenticator.Type.TOTP)
    gone, _ = mine.delete()
    factor_gone(user)
    if gone:
        audit_append(actor=actor, action="user.second_factor.off", target=f"user:{user.username}")


def factor_check(user: User, code: str) -> None:
    """Let a sign-in pass whose password was right.

    Raises:
        SecondFactorNeeded: the person has a second factor, and the code is missing, wrong or was used already.
    """
    rows = {row.type: row for row in Authenticator.objects.filter(user=user)}
    totp, passkey = rows.get(Authenticator.Type.TOTP), rows.get(Authenticator.Type.WEBAUTHN)
    if totp is None and passkey is None:
        return
    ways = [*(["code"] if totp is not None else []), *(["passkey"] if passkey is not None else []), "recovery code"]
    if not code:
        raise SecondFactorNeeded(
            "This account signs in with a second factor.",
            next_step="Use your passkey, or send the code of your authenticator app or a recovery code as `code`.",
            allowed=ways,
        )
    given = code.replace(" ", "")
    recovery = rows.get(Authenticator.Type.RECOVERY_CODES)
    if totp is not None and TOTP(totp).validate_code(given):
        return
    if recovery is not None and RecoveryCodes(recovery).validate_code(given):
        return
    audit_append(actor="anonymous", action="login.code_failed", target=f"user:{user.username}")
    raise SecondFactorNeeded(
        "The code is not right, or was used already.",
        next_step="Wait for the app's next code, or use a recovery code; an administrator can take the second factor away.",
        allowed=ways,
    )
