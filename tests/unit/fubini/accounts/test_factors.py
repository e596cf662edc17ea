"""The second factor: set up with a code, asked for at sign-in, lost with the device, taken away."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from fubini.accounts import apis
from fubini.accounts.models import User
from fubini.audit.models import AuditEntry
from fubini.rest.throttle import Buckets
from fubini.secrets.factors import factors_reseal
from tests.support.rest import Api, api_of, make_admin, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a long password"  # of `make_user`


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "login_buckets", Buckets(0.1, settings.FUBINI["LOGINS_PER_MINUTE"]))
    cache.clear()


def codes_of(secret: str) -> list[str]:
    """The codes a device would show a moment ago, now, and in a moment."""
    return [format_hotp_value(hotp_value(secret, counter)) for counter in yield_hotp_counters_from_time()]


class Browser:
    def __init__(self, user: User) -> None:
        self.user, self.api = user, Api(client=Client(enforce_csrf_checks=True, raise_request_exception=False))

    def post(self, path: str, body: Any = None) -> Any:
        token = str(self.api.get("login").json()["csrf_token"])
        return self.api.post(path, body, X_CSRFToken=token)

    def sign_in(self, code: str = "") -> Any:
        return self.post("login", {"username": self.user.username, "password": PASSWORD, **({"code": code} if code else {})})


def enrolled() -> tuple[Browser, str, list[str]]:
    browser = Browser(make_user())
    assert browser.sign_in().status_code == 200
    begun = browser.post("me/second-factor").json()
    assert begun["url"].startswith("otpauth://totp/") and begun["svg"].lstrip().startswith("<?xml")
    found = browser.post("me/second-factor/confirm", {"code": codes_of(begun["secret"])[1]})
    assert found.status_code == 200, found.content
    return browser, begun["secret"], found.json()["codes"]


def test_a_confirmed_factor_is_asked_for_and_a_code_works_once() -> None:
    browser, secret, recovery = enrolled()
    assert len(recovery) == 10 and browser.api.get("me/second-factor").json()["recovery_codes_left"] == 10
    other = Browser(browser.user)
    problem_of(other.sign_in(), 401, "second_factor")
    problem_of(other.sign_in("000000"), 401, "second_factor")
    code = codes_of(secret)[-1]
    assert other.sign_in(code).status_code == 200
    problem_of(Browser(browser.user).sign_in(code), 401, "second_factor")


def test_a_recovery_code_works_once() -> None:
    browser, _, recovery = enrolled()
    assert Browser(browser.user).sign_in(recovery[3]).status_code == 200
    problem_of(Browser(browser.user).sign_in(recovery[3]), 401, "second_factor")
    assert browser.api.get("me/second-factor").json()["recovery_codes_left"] == 9


def test_a_wrong_password_is_told_before_any_code_is_looked_at() -> None:
    browser, secret, _ = enrolled()
    body = {"username": browser.user.username, "password": "x", "code": codes_of(secret)[-1]}
    problem_of(Browser(browser.user).post("login", body), 401, "unauthenticated")


def test_a_wrong_code_sets_nothing_up() -> None:
    browser = Browser(make_user())
    browser.sign_in()
    problem_of(browser.post("me/second-factor/confirm", {"code": "123456"}), 422)
    browser.post("me/second-factor")
    problem_of(browser.post("me/second-factor/confirm", {"code": "12345x"}), 422)
    assert not browser.api.get("me/second-factor").json()["enabled"]


def test_it_goes_with_the_password_or_by_an_administrator() -> None:
    browser, _, _ = enrolled()
    problem_of(browser.post("me/second-factor/drop", {"password": "x"}), 403)
    assert browser.post("me/second-factor/drop", {"password": PASSWORD}).status_code == 204
    assert Browser(browser.user).sign_in().status_code == 200
    lost, _, _ = enrolled()
    problem_of(api_of(make_user()).delete(f"users/{lost.user.username}/second-factor"), 403)
    assert api_of(make_admin()).delete(f"users/{lost.user.username}/second-factor").status_code == 204
    assert Browser(lost.user).sign_in().status_code == 200
    said = set(AuditEntry.objects.filter(target=f"user:{lost.user.username}").values_list("action", flat=True))
    assert {"user.second_factor.on", "user.second_factor.off"} <= said


def test_a_token_cannot_touch_it_and_the_secret_is_stored_sealed() -> None:
    browser, secret, recovery = enrolled()
    problem_of(api_of(browser.user).post("me/second-factor/drop", {"password": PASSWORD}), 403)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored and recovery[0] not in stored
    assert factors_reseal() == 2
    assert Browser(browser.user).sign_in(codes_of(secret)[-1]).status_code == 200
