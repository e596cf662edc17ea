"""Signing in by password: a session with CSRF, limited attempts, and no hint who exists."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from fubini.accounts import apis
from fubini.rest.throttle import Buckets
from tests.support.rest import Api, api_of, make_admin, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a long password"  # of `make_user`


@pytest.fixture(autouse=True)
def _fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apis, "login_buckets", Buckets(0.1, settings.FUBINI["LOGINS_PER_MINUTE"]))


def _browser() -> Api:
    return Api(client=Client(enforce_csrf_checks=True, raise_request_exception=False))


def _sign_in(api: Api, username: str, password: str = PASSWORD) -> str:
    token = str(api.get("login").json()["csrf_token"])
    response = api.post("login", {"username": username, "password": password}, X_CSRFToken=token)
    assert response.status_code == 200, response.content
    return str(api.get("login").json()["csrf_token"])


def test_a_session_reads_and_with_the_csrf_token_writes() -> None:
    user, api = make_user(), _browser()
    token = _sign_in(api, user.username)
    assert api.get("me").json()["user"]["username"] == user.username
    problem_of(api.post("projects", {"slug": "mine"}), 403)
    assert api.post("projects", {"slug": "mine"}, X_CSRFToken=token).status_code == 201
    assert api.post("logout", X_CSRFToken=token).status_code == 204
    problem_of(api.get("me"), 401)


def test_signing_in_needs_the_csrf_token() -> None:
    user = make_user()
    problem_of(_browser().post("login", {"username": user.username, "password": PASSWORD}), 403)


def test_a_wrong_password_and_an_unknown_user_read_alike() -> None:
    user, api = make_user(), _browser()
    token = api.get("login").json()["csrf_token"]
    wrong = api.post("login", {"username": user.username, "password": "x"}, X_CSRFToken=token)
    unknown = api.post("login", {"username": "nobody", "password": "x"}, X_CSRFToken=token)
    assert problem_of(wrong, 401)["detail"] == problem_of(unknown, 401)["detail"]


def test_guessing_is_stopped_even_from_many_addresses() -> None:
    user, api = make_user(), _browser()
    token = api.get("login").json()["csrf_token"]
    body = {"username": user.username, "password": "x"}
    answers = []
    for number in range(settings.FUBINI["LOGINS_PER_MINUTE"] + 1):
        api.client.defaults["REMOTE_ADDR"] = f"10.0.0.{number}"
        answers.append(api.post("login", body, X_CSRFToken=token))
    problem_of(answers[-2], 401)
    problem_of(answers[-1], 429)
    assert int(answers[-1]["Retry-After"]) >= 1


def test_an_inactive_user_cannot_sign_in_and_loses_the_session() -> None:
    user, api = make_user(), _browser()
    _sign_in(api, user.username)
    user.is_active = False
    user.save()
    problem_of(api.get("me"), 401)
    token = api.get("login").json()["csrf_token"]
    problem_of(api.post("login", {"username": user.username, "password": PASSWORD}, X_CSRFToken=token), 401)


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one() -> None:
    user, one, two = make_user(), _browser(), _browser()
    token = _sign_in(one, user.username)
    _sign_in(two, user.username)
    body = {"current": PASSWORD, "password": "quite another phrase"}
    problem_of(one.post("me/password", {**body, "current": "wrong"}, X_CSRFToken=token), 403)
    problem_of(one.post("me/password", {**body, "password": "short"}, X_CSRFToken=token), 422)
    assert one.post("me/password", body, X_CSRFToken=token).status_code == 204
    assert one.get("me").status_code == 200
    problem_of(two.get("me"), 401)


def test_a_token_cannot_change_the_password() -> None:
    api = api_of(make_user())
    problem_of(api.post("me/password", {"current": PASSWORD, "password": "quite another phrase"}), 403)


def test_administrators_make_and_change_users_and_nobody_else_does() -> None:
    admin = api_of(make_admin())
    made = admin.post("users", {"username": "ada", "password": "long enough phrase", "email": "a@example.org"})
    assert made.status_code == 201 and "password" not in made.json()
    problem_of(admin.post("users", {"username": "ADA", "password": "long enough phrase"}), 409, "name_taken")
    problem_of(admin.post("users", {"username": "a/b"}), 422)
    problem_of(admin.post("users", {"username": "eve", "password": "password"}), 422)
    assert admin.patch("users/ada", {"language": "zh-hans"}, If_Match=made["ETag"]).json()["language"] == "zh-hans"
    problem_of(admin.patch("users/ada", {"language": "en"}, If_Match=made["ETag"]), 412)
    assert admin.post("users/ada/password", {"password": "yet another phrase"}).status_code == 204
    person = api_of(make_user())
    for response in (
        person.get("users"),
        person.get("users/ada"),
        person.post("users", {"username": "x"}),
        person.patch("users/ada", {"is_admin": True}),
        person.post("users/ada/password", {"password": "yet another phrase"}),
    ):
        problem_of(response, 403)


def test_the_last_administrator_stays() -> None:
    user = make_admin()
    admin = api_of(user)
    problem_of(admin.patch(f"users/{user.username}", {"is_admin": False}), 409, "last_admin")
    problem_of(admin.patch(f"users/{user.username}", {"is_active": False}), 409, "last_admin")
    make_admin()
    assert admin.patch(f"users/{user.username}", {"is_admin": False}).status_code == 200


def test_nobody_makes_oneself_administrator() -> None:
    user = make_user()
    problem_of(api_of(user).patch("me", {"is_admin": True}), 422)
    problem_of(api_of(user).patch("me", {"is_staff": True}), 422)
    assert api_of(user).patch("me", {"first_name": "Ada"}).json()["user"]["first_name"] == "Ada"
    user.refresh_from_db()
    assert not user.is_staff
