"""A POST under a key happens once; the same key for something else is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fubini.common import clock
from fubini.projects.models import Project
from fubini.rest.idempotency import CLAIM_S, KEEP, keys_past
from fubini.rest.models import IdempotencyKey
from tests.support.rest import api_of, make_house, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def test_the_same_request_gives_the_first_reply_again() -> None:
    api = api_of(make_user())
    first = api.post("projects", {"slug": "once"}, Idempotency_Key="k1")
    again = api.post("projects", {"slug": "once"}, Idempotency_Key="k1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() and first["ETag"] == again["ETag"]
    assert again["Idempotent-Replayed"] == "true"
    assert Project.objects.filter(slug="once").count() == 1


def test_the_same_key_with_another_body_or_address_is_refused() -> None:
    api = api_of(make_user())
    api.post("projects", {"slug": "one"}, Idempotency_Key="k1")
    problem_of(api.post("projects", {"slug": "two"}, Idempotency_Key="k1"), 422, "idempotency_key_reused")
    problem_of(api.post("tokens", {"slug": "one"}, Idempotency_Key="k1"), 422, "idempotency_key_reused")
    assert not Project.objects.filter(slug="two").exists()


def test_keys_of_two_people_do_not_meet() -> None:
    assert api_of(make_user()).post("projects", {"slug": "one"}, Idempotency_Key="k1").status_code == 201
    assert api_of(make_user()).post("projects", {"slug": "two"}, Idempotency_Key="k1").status_code == 201


def test_a_key_still_in_work_is_a_conflict_and_an_abandoned_one_is_taken_over() -> None:
    user = make_user()
    api = api_of(user)
    api.post("projects", {"slug": "one"}, Idempotency_Key="k1")
    Project.objects.filter(slug="one").delete()
    IdempotencyKey.objects.update(status=None, body=None)
    response = api.post("projects", {"slug": "one"}, Idempotency_Key="k1")
    problem_of(response, 409, "idempotency_in_progress")
    assert int(response["Retry-After"]) >= 1
    IdempotencyKey.objects.update(created_at=clock.now() - timedelta(seconds=CLAIM_S + 1))
    assert api.post("projects", {"slug": "one"}, Idempotency_Key="k1").status_code == 201


def test_a_failed_request_leaves_its_key_free() -> None:
    api = api_of(make_user())
    problem_of(api.post("projects", {"slug": "Bad Name"}, Idempotency_Key="k1"), 422)
    assert api.post("projects", {"slug": "good"}, Idempotency_Key="k1").status_code == 201


def test_a_reply_with_a_secret_is_not_kept() -> None:
    api = api_of(make_user())
    body = {"name": "ci", "scopes": ["read"]}
    text = api.post("tokens", body, Idempotency_Key="k1").json()["token"]
    problem_of(api.post("tokens", body, Idempotency_Key="k1"), 409, "secret_shown_once")
    assert text not in str(list(IdempotencyKey.objects.values()))


def test_keys_are_forgotten_after_a_day() -> None:
    api = api_of(make_user())
    api.post("projects", {"slug": "one"}, Idempotency_Key="k1")
    assert not keys_past(clock.now()).exists()
    IdempotencyKey.objects.update(created_at=clock.now() - KEEP - timedelta(seconds=1))
    assert api.post("projects", {"slug": "two"}, Idempotency_Key="k1").status_code == 201
    assert keys_past(clock.now() + KEEP + timedelta(seconds=5)).count() == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "a b"])
def test_a_key_that_is_no_key_is_refused(key: str) -> None:
    problem_of(api_of(make_user()).post("projects", {"slug": "one"}, Idempotency_Key=key), 422)


def test_an_action_without_a_body_can_have_a_key() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}/archive"
    assert house.api["owner"].post(path, Idempotency_Key="k").status_code == 200
    assert house.api["owner"].post(path, Idempotency_Key="k")["Idempotent-Replayed"] == "true"
