"""Signing in through an identity provider (a fake one on loopback): who gets in, and as whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client

from fubini.accounts.models import User
from fubini.audit.models import AuditEntry
from fubini.settings.env import Oidc
from tests.support.identity import CLIENT_ID, CLIENT_SECRET, Provider, identity_provider
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
ANN = {"sub": "1234", "preferred_username": "ann", "email": "ann@example.org", "given_name": "Ann", "family_name": "Lee"}


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with identity_provider() as found:
        found.person = dict(ANN)
        oidc = Oidc("Lab login", found.url, CLIENT_ID, CLIENT_SECRET, True)
        settings.FUBINI = settings.FUBINI | {"OIDC": oidc, "SIGN_IN_ORIGINS": [oidc.origin]}
        app = {
            "provider_id": "sso", "name": oidc.name, "client_id": CLIENT_ID, "secret": CLIENT_SECRET,
            "settings": {"server_url": found.url},
        }  # fmt: skip
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}
        yield found


def walk(client: Client) -> Any:
    """There and back, as a browser would; the last answer of ours."""
    offered = client.get("/api/v1/login").json()["provider"]
    away = client.post(offered["url"])
    assert away.status_code == 302, away.content[:300]
    back = httpx.get(away["Location"]).headers["location"]
    parts = urlsplit(back)
    return client.get(f"{parts.path}?{parts.query}")


def who(client: Client) -> str | None:
    answer = client.get("/api/v1/me")
    return str(answer.json()["user"]["username"]) if answer.status_code == 200 else None


def test_somebody_new_gets_an_account_in_no_project_and_keeps_it(provider: Provider) -> None:
    client = Client()
    assert walk(client)["Location"] == "/"
    assert who(client) == "ann" and client.get("/api/v1/projects").json()["results"] == []
    provider.person["preferred_username"] = "ann.renamed"
    again = Client()
    walk(again)
    assert who(again) == "ann" and User.objects.filter(email="ann@example.org").count() == 1
    assert AuditEntry.objects.filter(action="login", target="user:ann").count() == 2


def test_an_account_made_here_is_never_taken_over_by_name_or_address(provider: Provider) -> None:
    local = make_user()
    provider.person |= {"preferred_username": local.username.upper(), "email": "root@example.org", "email_verified": True}
    User.objects.filter(pk=local.pk).update(email="root@example.org")
    client = Client()
    walk(client)
    assert who(client) == f"{local.username.upper()}-2"


def test_who_is_unknown_is_sent_back_where_the_provider_makes_no_users(provider: Provider, settings: Any) -> None:
    oidc = Oidc("Lab login", provider.url, CLIENT_ID, CLIENT_SECRET, False)
    settings.FUBINI = settings.FUBINI | {"OIDC": oidc}
    client = Client()
    assert walk(client)["Location"] == "/?sign_in=unknown"
    assert who(client) is None and not User.objects.filter(username="ann").exists()


def test_who_was_made_inactive_stays_out(provider: Provider) -> None:
    walk(Client())
    User.objects.filter(username="ann").update(is_active=False)
    client = Client()
    assert walk(client)["Location"] == "/?sign_in=inactive"
    assert who(client) is None


def test_a_refusal_of_the_provider_comes_back_as_one(provider: Provider) -> None:
    provider.refuses = True
    client = Client()
    assert walk(client)["Location"] == "/?sign_in=refused"
    assert who(client) is None


def test_an_answer_nobody_asked_for_signs_nobody_in(provider: Provider) -> None:
    client = Client()
    assert client.get("/accounts/oidc/sso/login/callback/?code=code-0&state=made-up")["Location"] == "/?sign_in=refused"
    assert who(client) is None


def test_without_a_provider_none_is_offered_and_its_address_is_not_there() -> None:
    client = Client(raise_request_exception=False)
    assert client.get("/api/v1/login").json()["provider"] is None
    assert client.post("/accounts/oidc/sso/login/").status_code == 404
