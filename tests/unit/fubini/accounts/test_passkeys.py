"""Passkeys: added in a session, good alone and behind the password, and refused whenever anything about them is not right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client

from fubini.accounts import apis
from fubini.accounts.models import User
from fubini.audit.models import AuditEntry
from fubini.rest.throttle import Buckets
from fubini.settings.env import Passkeys, SettingsError, passkeys_of
from tests.support.authenticator import Device
from tests.support.rest import Api, api_of, make_admin, problem_of
from tests.support.rows import make_user
from tests.unit.fubini.accounts.test_factors import PASSWORD, Browser, codes_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "login_buckets", Buckets(10, 100))
    monkeypatch.setitem(settings.FUBINI, "PASSKEYS", Passkeys("localhost", ("http://localhost:8642",)))


@dataclass
class Person:
    """Somebody at a browser, with a device."""

    user: User = field(default_factory=make_user)
    device: Device = field(default_factory=Device)
    codes: list[str] = field(default_factory=list)
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.browser = Browser(self.user)
        assert self.browser.sign_in().status_code == 200

    def options(self, password: str = PASSWORD) -> dict[str, Any]:
        found: dict[str, Any] = self.browser.post("me/passkeys/begin", {"password": password}).json()["public_key"]
        return found

    def add(self, **more: Any) -> Any:
        answer = self.device.create(self.options())
        return self.browser.post("me/passkeys", {"name": "My laptop", "credential": answer, **more})


@pytest.fixture
def ann() -> Person:
    person = Person()
    made = person.add()
    assert made.status_code == 201, made.content
    person.codes = made.json()["codes"]
    return person


def asked(browser: Browser) -> dict[str, Any]:
    found: dict[str, Any] = browser.post("login/passkey/options", {}).json()["public_key"]
    return found


def enter(device: Device, browser: Browser, options: dict[str, Any] | None = None) -> Any:
    return browser.post("login/passkey", {"credential": device.get(options or asked(browser))})


def test_a_passkey_signs_in_alone_and_says_when_it_was_used(ann: Person) -> None:
    browser = Browser(ann.user)
    assert enter(ann.device, browser).json()["user"]["username"] == ann.user.username
    assert browser.api.get("me").status_code == 200
    [listed] = browser.api.get("me/passkeys").json()
    assert listed["name"] == "My laptop" and listed["last_used_at"] is not None
    assert AuditEntry.objects.filter(action="login", data__by="passkey").exists()


def test_with_a_passkey_the_password_alone_signs_in_no_more(ann: Person) -> None:
    browser = Browser(ann.user)
    refused = problem_of(browser.sign_in(), 401, "second_factor")
    assert refused["allowed"] == ["passkey", "recovery code"]
    body = {"username": ann.user.username, "password": PASSWORD, "passkey": ann.device.get(asked(browser))}
    assert browser.post("login", {**body, "password": "wrong"}).status_code == 401
    body["passkey"] = ann.device.get(asked(browser))
    assert browser.post("login", body).status_code == 200
    assert len(ann.codes) == 10 and Browser(ann.user).sign_in(ann.codes[0]).status_code == 200


def test_another_person_s_passkey_is_no_second_factor_of_mine(ann: Person) -> None:
    bob = Person()
    assert bob.add().status_code == 201
    browser = Browser(ann.user)
    body = {"username": ann.user.username, "password": PASSWORD, "passkey": bob.device.get(asked(browser))}
    problem_of(browser.post("login", body), 401, "passkey_refused")


def test_a_code_is_not_got_round_by_a_passkey_that_did_not_verify_its_user(ann: Person) -> None:
    begun = ann.browser.post("me/second-factor").json()
    confirmed = ann.browser.post("me/second-factor/confirm", {"code": codes_of(begun["secret"])[1]})
    assert confirmed.json()["codes"] == []  # those of the first factor stay good
    ann.device.verifies = False
    browser = Browser(ann.user)
    problem_of(enter(ann.device, browser), 401, "passkey_refused")
    body = {"username": ann.user.username, "password": PASSWORD, "passkey": ann.device.get(asked(browser))}
    problem_of(browser.post("login", body), 401, "passkey_refused")
    problem_of(browser.api.get("me"), 401)
    ann.device.verifies = True
    assert enter(ann.device, browser).status_code == 200


def test_an_unverified_passkey_is_not_even_added() -> None:
    person = Person(device=Device(verifies=False))
    problem_of(person.add(), 422)
    assert person.browser.api.get("me/passkeys").json() == []


def test_an_answer_serves_once_and_only_the_session_that_asked(ann: Person) -> None:
    browser, thief = Browser(ann.user), Browser(ann.user)
    options = asked(browser)
    answer = ann.device.get(options)
    asked(thief)
    problem_of(thief.post("login/passkey", {"credential": answer}), 401, "passkey_refused")
    assert browser.post("login/passkey", {"credential": answer}).status_code == 200
    problem_of(browser.post("login/passkey", {"credential": answer}), 401, "passkey_refused")


def test_a_page_of_another_origin_or_domain_gets_nothing(ann: Person) -> None:
    for wrong in ({"origin": "http://localhost:9999"}, {"origin": "https://evil.example"}, {"domain": "evil.example"}):
        device = Device(**{**vars(ann.device), **wrong})
        problem_of(enter(device, Browser(ann.user)), 401, "passkey_refused")


def test_another_key_under_a_known_name_and_a_copied_counter_are_refused(ann: Person) -> None:
    forged = Device(credential_id=ann.device.credential_id, user_handle=ann.device.user_handle, domain="localhost")
    problem_of(enter(forged, Browser(ann.user)), 401, "passkey_refused")
    ann.device.counts = True
    copy = Device(**vars(ann.device))
    assert enter(ann.device, Browser(ann.user)).status_code == 200
    assert enter(ann.device, Browser(ann.user)).status_code == 200
    problem_of(enter(copy, Browser(ann.user)), 401, "passkey_refused")


@pytest.mark.parametrize(
    "rubbish", [{}, {"id": 1}, {"response": None}, {"id": "a", "rawId": "a", "response": {"userHandle": "?"}}]
)
def test_rubbish_is_refused_and_not_a_fault(ann: Person, rubbish: dict[str, Any]) -> None:
    browser = Browser(ann.user)
    asked(browser)
    problem_of(browser.post("login/passkey", {"credential": rubbish}), 401, "passkey_refused")
    ann.options()
    problem_of(ann.browser.post("me/passkeys", {"name": "x", "credential": rubbish}), 422)
    asked(browser)
    problem_of(browser.post("login/passkey", {"credential": {"id": "x" * 40_000}}), 422)


def test_adding_and_removing_want_the_password_and_a_session(ann: Person) -> None:
    problem_of(ann.browser.post("me/passkeys/begin", {"password": "x"}), 403)
    [listed] = ann.browser.api.get("me/passkeys").json()
    problem_of(ann.browser.post(f"me/passkeys/{listed['id']}/remove", {"password": "x"}), 403)
    problem_of(api_of(ann.user).post("me/passkeys/begin", {"password": PASSWORD}), 403)
    token = str(ann.browser.api.get("login").json()["csrf_token"])
    renamed = ann.browser.api.patch(f"me/passkeys/{listed['id']}", {"name": "Phone"}, X_CSRFToken=token)
    assert renamed.json()["name"] == "Phone"
    bob = Person()
    problem_of(bob.browser.post(f"me/passkeys/{listed['id']}/remove", {"password": PASSWORD}), 404)
    assert ann.browser.post(f"me/passkeys/{listed['id']}/remove", {"password": PASSWORD}).status_code == 204
    assert Browser(ann.user).sign_in().status_code == 200  # the last factor took the recovery codes along
    assert not Authenticator.objects.filter(user=ann.user).exists()
    problem_of(enter(ann.device, Browser(ann.user)), 401, "passkey_refused")


def test_an_administrator_takes_all_of_them_away_for_who_lost_them(ann: Person) -> None:
    assert api_of(make_admin()).delete(f"users/{ann.user.username}/second-factor").status_code == 204
    problem_of(enter(ann.device, Browser(ann.user)), 401, "passkey_refused")
    assert Browser(ann.user).sign_in().status_code == 200


def test_an_inactive_person_does_not_get_in(ann: Person) -> None:
    api_of(make_admin()).patch(f"users/{ann.user.username}", {"is_active": False})
    problem_of(enter(ann.device, Browser(ann.user)), 401, "passkey_refused")


def test_tries_are_limited_and_need_the_csrf_token(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Api(client=Client(enforce_csrf_checks=True, raise_request_exception=False))
    problem_of(bare.post("login/passkey/options", {}), 403)
    problem_of(bare.post("login/passkey", {"credential": {}}), 403)
    monkeypatch.setattr(apis, "login_buckets", Buckets(0.01, 3))
    browser = Browser(ann.user)
    answers = [browser.post("login/passkey", {"credential": {}}).status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_where_there_is_no_domain_there_are_no_passkeys(monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person()
    monkeypatch.setitem(settings.FUBINI, "PASSKEYS", None)
    assert person.browser.api.get("login").json()["passkey_origins"] == []
    problem_of(person.browser.post("me/passkeys/begin", {"password": PASSWORD}), 409, "passkeys_off")


SETTINGS = [
    ("here", "http://127.0.0.1:8642", {}, ("localhost", ["http://localhost:8642"])),
    ("public", "https://fubini.example.org", {}, ("fubini.example.org", ["https://fubini.example.org"])),
    ("plain_http", "http://fubini.example.org", {}, None),
    ("bare_address", "https://10.0.0.7:8443", {}, None),
    (
        "two_hosts",
        "https://a.example.org",
        {"DOMAIN": "example.org", "ORIGINS": "https://a.example.org,https://b.example.org:8443"},
        ("example.org", ["https://a.example.org", "https://b.example.org:8443"]),
    ),
    ("elsewhere", "https://a.example.org", {"DOMAIN": "other.org"}, "https://a.example.org"),
    ("not_below", "https://a.org", {"DOMAIN": "a.org", "ORIGINS": "https://a.org,https://bada.org"}, "bada.org"),
]


@pytest.mark.parametrize(("public", "given", "want"), [s[1:] for s in SETTINGS], ids=[s[0] for s in SETTINGS])
def test_domain_and_origins_come_from_settings(
    monkeypatch: pytest.MonkeyPatch, public: str, given: dict[str, str], want: Any
) -> None:
    import environ

    for name in ("DOMAIN", "ORIGINS"):
        monkeypatch.delenv(f"FUBINI_PASSKEY_{name}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"FUBINI_PASSKEY_{name}", value)
    if isinstance(want, str):
        with pytest.raises(SettingsError, match=want):
            passkeys_of(environ.Env(), public)
        return
    found = passkeys_of(environ.Env(), public)
    assert (found and (found.domain, list(found.origins))) == want


def test_what_the_browser_gets_is_json_and_wants_a_verified_resident_key() -> None:
    person = Person()
    options = json.loads(json.dumps(person.options()))
    wanted = options["authenticatorSelection"]
    assert (wanted["residentKey"], wanted["userVerification"]) == ("required", "required")
    assert options["rp"] == {"id": "localhost", "name": "Fubini"}
    assert asked(Browser(person.user))["userVerification"] == "required"
