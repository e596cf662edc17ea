"""The browsers a person is signed in with: seen by their owner alone, ended one by one, all others, and by what changes the way in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.accounts import apis
from fubini.accounts.devices import Device, device_of
from fubini.accounts.models import User, UserSession
from fubini.accounts.sessions import sessions_expired
from fubini.common import clock
from fubini.rest.throttle import Buckets
from fubini.settings.env import Passkeys
from tests.support.rest import api_of, make_admin, problem_of
from tests.support.rows import make_user
from tests.unit.fubini.accounts.test_factors import PASSWORD, Browser, codes_of

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "login_buckets", Buckets(10, 100))
    monkeypatch.setitem(settings.FUBINI, "PASSKEYS", Passkeys("localhost", ("http://localhost:8642",)))


def signed_in(user: User, agent: str = FIREFOX) -> Browser:
    browser = Browser(user)
    browser.api.client.defaults["HTTP_USER_AGENT"] = agent
    assert browser.sign_in().status_code == 200
    return browser


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (FIREFOX, Device("Firefox", "Linux")),
        (PHONE, Device("Safari", "iOS")),
        (EDGE, Device("Edge", "Windows")),
        ("", Device("", "")),
    ],
    ids=["firefox", "phone", "edge", "nothing"],
)
def test_a_device_is_named_in_words(text: str, want: Device) -> None:
    assert device_of(text) == want


def test_my_sessions_are_mine_alone_and_this_one_is_marked() -> None:
    user = make_user()
    here, _, _ = signed_in(user), signed_in(user, PHONE), signed_in(make_user(), EDGE)
    rows = here.api.get("me/sessions").json()
    assert [(r["browser"], r["system"], r["this"]) for r in rows] == [
        ("Firefox", "Linux", True),
        ("Safari", "iOS", False),
    ]
    assert {r["address"] for r in rows} == {"127.0.0.1"}
    keys = set(UserSession.objects.values_list("session_key", flat=True))
    assert not any(key in here.api.get("me/sessions").content.decode() for key in keys)
    by_token = api_of(user).get("me/sessions").json()
    assert [(r["address"], r["this"]) for r in by_token] == [("", False)] * 2


def test_one_is_ended_and_a_stranger_s_is_none_of_mine() -> None:
    user = make_user()
    here, there, strange = signed_in(user), signed_in(user, PHONE), signed_in(make_user())
    [other] = [r["id"] for r in here.api.get("me/sessions").json() if not r["this"]]
    token = str(strange.api.get("login").json()["csrf_token"])
    problem_of(strange.api.delete(f"me/sessions/{other}", X_CSRFToken=token), 404)
    problem_of(api_of(user).delete(f"me/sessions/{other}"), 403)
    token = str(here.api.get("login").json()["csrf_token"])
    assert here.api.delete(f"me/sessions/{other}", X_CSRFToken=token).status_code == 204
    problem_of(there.api.get("me"), 401)
    assert here.api.get("me").status_code == 200


def test_all_others_end_and_this_one_goes_on() -> None:
    user = make_user()
    here, there, third = signed_in(user), signed_in(user, PHONE), signed_in(user, EDGE)
    assert here.post("me/sessions/end-others", {}).json() == {"ended": 2}
    for gone in (there, third):
        problem_of(gone.api.get("me"), 401)
    assert [r["this"] for r in here.api.get("me/sessions").json()] == [True]


@pytest.mark.parametrize("how", ["password", "code", "passkey"])
def test_what_changes_the_way_in_ends_the_others(how: str) -> None:
    from tests.support.authenticator import Device as Passkey

    user = make_user()
    here, there = signed_in(user), signed_in(user, PHONE)
    if how == "password":
        done = here.post("me/password", {"current": PASSWORD, "password": "an entirely new one"})
    elif how == "code":
        secret = here.post("me/second-factor").json()["secret"]
        done = here.post("me/second-factor/confirm", {"code": codes_of(secret)[1]})
    else:
        options = here.post("me/passkeys/begin", {"password": PASSWORD}).json()["public_key"]
        done = here.post("me/passkeys", {"name": "", "credential": Passkey().create(options)})
    assert done.status_code in (200, 201, 204), done.content
    problem_of(there.api.get("me"), 401)
    assert [r["this"] for r in here.api.get("me/sessions").json()] == [True]
    assert UserSession.objects.filter(user=user).count() == 1


def test_a_password_set_by_an_administrator_ends_them_all() -> None:
    user = make_user()
    here = signed_in(user)
    api_of(make_admin()).post(f"users/{user.username}/password", {"password": "an entirely new one"})
    problem_of(here.api.get("me"), 401)
    assert not UserSession.objects.filter(user=user).exists()


def test_a_session_whose_time_is_over_is_not_listed_and_is_forgotten() -> None:
    user = make_user()
    here = signed_in(user)
    signed_in(user, PHONE)
    old = UserSession.objects.exclude(session_key=here.api.client.session.session_key).get()
    Session.objects.filter(session_key=old.session_key).update(expire_date=clock.now() - timedelta(days=1))
    assert len(here.api.get("me/sessions").json()) == 1
    assert [row.session_key for row in sessions_expired()] == [old.session_key]
    signed_in(user, EDGE)
    assert not UserSession.objects.filter(pk=old.pk).exists()


def test_a_session_and_its_person_are_read_in_one_query() -> None:
    here = signed_in(make_user())
    assert here.api.get("me").status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert here.api.get("me").status_code == 200
    assert len(queries.captured_queries) == 1


def test_who_is_deactivated_or_gone_is_out_at_once() -> None:
    idle, gone = signed_in(make_user()), signed_in(make_user())
    assert idle.api.get("me").status_code == gone.api.get("me").status_code == 200
    User.objects.filter(pk=idle.user.pk).update(is_active=False)
    User.objects.filter(pk=gone.user.pk).delete()
    problem_of(idle.api.get("me"), 401)
    problem_of(gone.api.get("me"), 401)
    User.objects.filter(pk=idle.user.pk).update(is_active=True)
    assert idle.api.get("me").json()["user"]["username"] == idle.user.username


@pytest.mark.parametrize("row", ["of another", "missing"])
def test_who_a_session_is_of_is_what_was_signed_in_it_whatever_its_row_says(row: str) -> None:
    here, other = signed_in(make_user()), make_user(is_staff=True)
    rows = UserSession.objects.filter(session_key=here.api.client.session.session_key)
    rows.update(user=other) if row == "of another" else rows.delete()
    assert here.api.get("me").json()["user"]["username"] == here.user.username
    Session.objects.all().delete()
    problem_of(here.api.get("me"), 401)


def test_a_password_that_changed_unseen_ends_the_session_though_its_row_stands() -> None:
    here = signed_in(make_user())
    user = User.objects.get(pk=here.user.pk)
    user.set_password("an entirely new one")
    user.save()
    problem_of(here.api.get("me"), 401)
