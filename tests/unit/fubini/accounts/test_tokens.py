"""A token's text is shown once, kept as a hash, and does no more than it was given."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fubini.accounts import tokens
from fubini.accounts.models import Token
from fubini.common import clock
from fubini.common.errors import Invalid, Unauthenticated
from tests.support.rest import Api, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def _make(**more: object) -> tuple[Token, str]:
    values = {"name": "t", "scopes": ["read"], "created_by": "test", "user": make_user(), **more}
    return tokens.token_create(**values)  # type: ignore[arg-type]


def test_only_a_hash_is_kept() -> None:
    token, text = _make()
    assert text.startswith(f"fub_{token.prefix}_")
    stored = str(Token.objects.values().get())
    assert text not in stored and text.split("_", 2)[2] not in stored
    assert tokens.token_find(text).pk == token.pk


def test_texts_do_not_repeat() -> None:
    assert len({tokens.secret_make("fub")[0] for _ in range(2000)}) == 2000


@pytest.mark.parametrize(
    "how", ["revoked", "expired", "person inactive", "one letter changed", "no token", "only the prefix"]
)
def test_a_dead_or_wrong_token_is_refused_with_the_same_words(how: str) -> None:
    token, text = _make()
    if how == "revoked":
        tokens.token_revoke(token=token, actor="test")
    elif how == "expired":
        Token.objects.update(expires_at=clock.now())
    elif how == "person inactive":
        assert token.user is not None
        token.user.is_active = False
        token.user.save()
    elif how == "one letter changed":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    elif how == "no token":
        text = "hello"
    else:
        text = f"fub_{token.prefix}_" + "x" * 43
    with pytest.raises(Unauthenticated) as caught:
        tokens.token_find(text)
    assert caught.value.detail == "The token is unknown, expired or revoked."


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer a b", "bearer fub_x"])
def test_a_header_that_is_no_bearer_token_is_401(header: str) -> None:
    problem_of(Api().get("me", Authorization=header), 401, "unauthenticated")


def test_the_use_of_a_token_is_noted_at_most_once_a_minute() -> None:
    token, _ = _make()
    tokens.token_touch(token)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    tokens.token_touch(token)
    token.refresh_from_db()
    assert token.last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(seconds=61))
    token.refresh_from_db()
    tokens.token_touch(token)
    token.refresh_from_db()
    assert token.last_used_at is not None and token.last_used_at >= first


def test_a_read_token_reads_and_cannot_write() -> None:
    api = api_of(make_user(), "read")
    assert api.get("projects").status_code == 200
    problem_of(api.post("projects", {"slug": "mine"}), 403, "forbidden")


def test_an_administrators_token_without_the_scope_admin_is_not_an_administrator() -> None:
    admin = make_admin()
    problem_of(api_of(admin, "read", "write").get("users"), 403)
    house = make_house()
    problem_of(api_of(admin, "read", "write").get(f"projects/{house.project.slug}"), 404)
    assert api_of(admin, "read", "admin").get("users").status_code == 200


def test_a_token_cannot_make_one_with_more_scopes_or_a_longer_life() -> None:
    user = make_user()
    short = clock.now() + timedelta(hours=1)
    text = tokens.token_create(name="t", scopes=["read", "write"], created_by="t", user=user, expires_at=short)[1]
    api = Api(text)
    later = (short + timedelta(days=1)).isoformat()
    problem_of(api.post("tokens", {"name": "x", "scopes": ["read"], "expires_at": later}), 403)
    problem_of(api.post("tokens", {"name": "x", "scopes": ["read"]}), 403)
    problem_of(api.post("tokens", {"name": "x", "scopes": ["admin"], "expires_at": short.isoformat()}), 403)
    made = api.post("tokens", {"name": "x", "scopes": ["read"], "expires_at": short.isoformat()})
    assert made.status_code == 201 and Api(made.json()["token"]).get("me").json()["scopes"] == ["read"]


def test_people_see_and_revoke_only_their_own_tokens() -> None:
    mine, other = make_user(), make_user()
    token, text = tokens.token_create(name="t", scopes=["read"], created_by="t", user=other)
    api = api_of(mine)
    assert token.pk not in {row["id"] for row in api.get("tokens").json()["results"]}
    problem_of(api.get(f"tokens/{token.pk}"), 404)
    problem_of(api.delete(f"tokens/{token.pk}"), 404)
    assert Api(text).get("me").status_code == 200
    assert api_of(other).delete(f"tokens/{token.pk}").status_code == 204
    problem_of(Api(text).get("me"), 401)


def test_an_expiry_must_lie_ahead_and_scopes_must_be_known() -> None:
    with pytest.raises(Invalid):
        _make(expires_at=clock.now() - timedelta(seconds=1))
    with pytest.raises(Invalid) as caught:
        _make(scopes=["reed"])
    assert caught.value.errors[0]["nearest"] == "read"
    with pytest.raises(Invalid):
        _make(project_id="x")
