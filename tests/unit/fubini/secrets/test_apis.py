"""Secrets at the REST border: written, listed, deleted, rotated; never read, whatever is asked and however it fails."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.secrets.models import Secret, SecretValue
from fubini.secrets.selectors import secret_values, secrets_known
from fubini.secrets.services import secret_set
from tests.support.canaries import tables_with
from tests.support.rest import House, api_of, make_admin, make_house, problem_of

pytestmark = pytest.mark.django_db
CANARY = "canary-of-the-database"


@pytest.fixture
def house() -> House:
    return make_house()


def path(house: House, *more: str) -> str:
    return "/".join([f"projects/{house.project.slug}/secrets", *more])


def put(house: House, value: str = CANARY, role: str = "maintainer", **more: Any) -> Any:
    return house.api[role].put(path(house, "db"), {"secret_values": {"password": value}, **more})


def test_a_value_is_set_listed_by_key_and_stored_nowhere_in_clear(house: House) -> None:
    made = put(house)
    assert made.status_code == 200
    listed = house.api["viewer"].get(path(house)).json()["results"]
    assert [(s["name"], [k["key"] for k in s["keys"]]) for s in listed] == [("db", ["password"])]
    assert secret_values(house.project.pk, ["db"]) == {"db": {"password": CANARY.encode()}}
    for answer in (made, house.api["viewer"].get(path(house)), house.api["owner"].get(path(house, "db"))):
        assert CANARY not in answer.content.decode()
    assert list(tables_with([CANARY])) == []


def test_setting_again_raises_the_version_and_the_trail_says_who_and_what(house: House) -> None:
    put(house)
    again = put(house, "another canary-of-the-database", role="owner").json()
    assert again["keys"][0]["version"] == 2
    assert again["keys"][0]["updated_by"] == f"user:{house.users['owner'].username}"
    trail = AuditEntry.objects.filter(action="secret.set").order_by("id")
    assert [(e.actor, e.target, e.data) for e in trail] == [
        (f"user:{house.users[r].username}", f"secret:{house.project.slug}/db", {"keys": ["password"]})
        for r in ("maintainer", "owner")
    ]
    assert list(tables_with([CANARY])) == []


def test_bytes_come_as_base64_and_other_keys_stay(house: House) -> None:
    put(house)
    raw = bytes(range(256))
    house.api["owner"].put(
        path(house, "db"), {"secret_values": {"cert.der": base64.b64encode(raw).decode()}, "encoding": "base64"}
    )
    assert secret_values(house.project.pk, ["db"])["db"] == {"cert.der": raw, "password": CANARY.encode()}


@pytest.mark.parametrize(
    "body",
    [
        {"secret_values": {"pass word": CANARY}},
        {"secret_values": {"k": CANARY * 4000}},
        {"secret_values": {"k": [CANARY]}},
        {"secret_values": {"k": CANARY}, "encoding": "base64"},
        {"secret_values": {"k": CANARY}, "encoding": "rot13"},
        {"secret_values": CANARY},
        {"secret_values": {}},
        CANARY,
        [CANARY],
        {"values": {"k": CANARY}},
    ],
    ids=lambda b: str(b)[:40],
)
def test_no_refusal_repeats_a_value(house: House, body: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = house.api["owner"].put(path(house, "db"), body)
    problem_of(answer, 422)
    assert CANARY not in answer.content.decode() + caplog.text
    assert not Secret.objects.exists()


def test_roles_viewers_read_names_maintainers_write_strangers_see_nothing(house: House) -> None:
    problem_of(put(house, role="member"), 403)
    problem_of(put(house, role="viewer"), 403)
    assert put(house).status_code == 200
    problem_of(house.api["member"].delete(path(house, "db")), 403)
    other = make_house()
    for call in (
        other.api["owner"].get(path(house)),
        other.api["owner"].get(path(house, "db")),
        other.api["owner"].put(path(house, "db"), {"secret_values": {"k": "v"}}),
        other.api["owner"].delete(path(house, "db")),
    ):
        problem_of(call, 404)


def test_a_key_goes_and_with_the_last_one_the_secret(house: House) -> None:
    house.api["owner"].put(path(house, "db"), {"secret_values": {"a": "value-a", "b": "value-b"}})
    assert house.api["owner"].delete(path(house, "db", "a")).status_code == 204
    assert secrets_known(house.project.pk) == {"db": frozenset({"b"})}
    problem_of(house.api["owner"].delete(path(house, "db", "a")), 404)
    assert house.api["owner"].delete(path(house, "db", "b")).status_code == 204
    assert not Secret.objects.exists()
    problem_of(house.api["owner"].get(path(house, "db")), 404)
    assert [e.action for e in AuditEntry.objects.filter(action__startswith="secret.").order_by("id")] == [
        "secret.set", "secret.delete", "secret.delete",
    ]  # fmt: skip


def test_a_rotation_is_an_administrators_and_leaves_every_value_readable(house: House, own_keys: Path) -> None:
    put(house)
    before = SecretValue.objects.get().token
    problem_of(house.api["owner"].post("secrets/rotate", {}), 403)
    made = api_of(make_admin()).post("secrets/rotate", {})
    assert made.json() == {"values": 1, "dropped_keys": 0}
    assert SecretValue.objects.get().token != before
    assert secret_values(house.project.pk, ["db"])["db"]["password"] == CANARY.encode()
    assert api_of(make_admin()).post("secrets/rotate", {}).json()["dropped_keys"] == 1
    assert len(own_keys.read_text().split()) == 2
    assert secret_values(house.project.pk, ["db"])["db"]["password"] == CANARY.encode()


def test_a_value_that_no_key_opens_stops_the_rotation_and_changes_nothing(house: House) -> None:
    put(house)
    secret = secret_set(project=house.project, name="other", values={"k": b"lost"}, actor="test")
    SecretValue.objects.filter(secret=secret).update(token="gAAAAA-no-token")
    tokens = dict(SecretValue.objects.values_list("pk", "token"))
    problem_of(api_of(make_admin()).post("secrets/rotate", {}), 500, "secrets_key")
    assert dict(SecretValue.objects.values_list("pk", "token")) == tokens
