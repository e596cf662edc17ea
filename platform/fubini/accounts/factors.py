"""The second factor of a person's sign-in: a time-based code (TOTP) with recovery codes for a lost device.

The codes themselves are django-allauth's (RFC 6238; each is taken once); this decides when one is asked for, how it comes
and goes, and what the trail says. Secrets are stored sealed (`secrets.factors`), and only a session can change anything:
a token never sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, validate_totp_code
from django.db import transaction

from fubini.accounts.models import User
from fubini.audit.services import audit_append
from fubini.common.errors import Conflict, Forbidden, Invalid, Unauthenticated

ISSUER = "Fubini"


class SecondFactorNeeded(Unauthenticated):
    code: ClassVar[str] = "second_factor"
    title: ClassVar[str] = "A code is needed too"


@dataclass(frozen=True, slots=True)
class Factor:
    """Whether a person signs in with a code, since when, and how many recovery codes are left."""

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
    if totp is None:
        return Factor(enabled=False)
    return Factor(True, totp.created_at, len(RecoveryCodes(codes).get_unused_codes()) if codes else 0)


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
def factor_confirm(*, user: User, secret: str, code: str, actor: str) -> list[str]:
    """Switch it on; the recovery codes, shown only now.

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
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes: list[str] = RecoveryCodes.activate(user).generate_codes()
    audit_append(actor=actor, action="user.second_factor.on", target=f"user:{user.username}")
    return codes


@transaction.atomic
def factor_drop(*, user: User, actor: str, password: str | None = None) -> None:
    """Switch it off: oneself with the password, an administrator (`password` None) for somebody who lost the device.

    Raises:
        Forbidden: the password is not right.
    """
    if password is not None and not user.check_password(password):
        raise Forbidden("The password is not right.", next_step="Type your password again.")
    gone, _ = Authenticator.objects.filter(user=user).delete()
    if gone:
        audit_append(actor=actor, action="user.second_factor.off", target=f"user:{user.username}")


def factor_check(user: User, code: str) -> None:
    """Let a sign-in pass whose password was right.

    Raises:
        SecondFactorNeeded: the person has a second factor, and the code is missing, wrong or was used already.
    """
    rows = {row.type: row for row in Authenticator.objects.filter(user=user)}
    totp = rows.get(Authenticator.Type.TOTP)
    if totp is None:
        return
    if not code:
        raise SecondFactorNeeded(
            "This account signs in with a code too.", next_step="Send the code of your authenticator app as `code`."
        )
    given = code.replace(" ", "")
    recovery = rows.get(Authenticator.Type.RECOVERY_CODES)
    if TOTP(totp).validate_code(given) or (recovery is not None and RecoveryCodes(recovery).validate_code(given)):
        return
    audit_append(actor="anonymous", action="login.code_failed", target=f"user:{user.username}")
    raise SecondFactorNeeded(
        "The code is not right, or was used already.",
        next_step="Wait for the app's next code, or use a recovery code; an administrator can take the second factor away.",
    )
