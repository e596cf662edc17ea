"""Signing in through an identity provider (OpenID Connect, by django-allauth): who gets in, and as whom.

A person is known by the provider's subject, never by an address: an account made here by an administrator is taken over
only by its own password. Who is not known yet gets an account in no project, where the installation allows it. The
provider's own second factor counts; ours is for passwords.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import redirect

from fubini.accounts.models import User
from fubini.accounts.services import user_create
from fubini.audit.services import audit_append

NAME_MAX = 40
_OUTSIDE = re.compile(r"[^A-Za-z0-9._@+-]+")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's account pages are not served, so nothing of its own may come between."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return []

    def login(self, request: HttpRequest, user: User) -> None:
        """Only the provider's sign-in comes by here; ours is `apis.Login`."""
        super().login(request, user)
        who = f"user:{user.username}"
        audit_append(actor=who, action="login", target=who, data={"by": "identity provider"})


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Never by allauth's own forms; see `pre_social_login`."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Let in who is known and active, make an account for who is not, or send them back with the reason."""
        if sociallogin.is_existing:
            if not sociallogin.user.is_active:
                raise ImmediateHttpResponse(_back("inactive"))
            return
        oidc = settings.FUBINI["OIDC"]
        if oidc is None or not oidc.makes_users:
            raise ImmediateHttpResponse(_back("unknown"))
        said: User = sociallogin.user
        user = user_create(
            username=username_free(said.username or said.email or "user"),
            password=None,
            actor="system",
            email=said.email[:254],
            first_name=said.first_name[:150],
            last_name=said.last_name[:150],
        )
        sociallogin.email_addresses = []  # an address proves nothing here
        sociallogin.connect(request, user)

    def on_authentication_error(self, request: HttpRequest, provider: Any, **more: Any) -> None:
        audit_append(actor="anonymous", action="login.failed", target="identity provider")
        raise ImmediateHttpResponse(_back("refused"))


def username_free(wanted: str) -> str:
    """A username nobody has, as near as can be to what the provider calls the person."""
    base = _OUTSIDE.sub("-", wanted.partition("@")[0]).strip("-._@+")[:NAME_MAX] or "user"
    name, number = base, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{base}-{number}"
    return name


def _back(why: str) -> Any:
    return redirect(f"/?sign_in={quote(why)}")

