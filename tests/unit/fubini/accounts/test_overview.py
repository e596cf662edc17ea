"""The account page in one answer."""

from __future__ import annotations

import pytest

from fubini.accounts.models import Token
from fubini.accounts.tokens import token_create
from tests.support.rest import api_of, machine_of
from tests.support.rows import make_project, make_user

pytestmark = pytest.mark.django_db


def test_the_page_has_the_first_tokens_and_says_where_the_rest_is() -> None:
    user = make_user()
    api = api_of(user)
    for n in range(27):
        token_create(name=f"t{n}", scopes=["read"], created_by="test", user=user)
    token_create(name="other", scopes=["read"], created_by="test", user=make_user())
    page = api.get("me/overview").json()
    assert page["second_factor"] == {"enabled": False, "since": None, "recovery_codes_left": 0}
    first = page["tokens"]
    rest = api.get(first["next"].removeprefix("http://testserver")).json()
    assert len(first["results"]) == 25 and rest["next"] is None
    shown = [token["id"] for token in first["results"] + rest["results"]]
    assert shown == list(Token.objects.filter(user=user).order_by("-id").values_list("pk", flat=True))


def test_a_machine_has_no_way_to_sign_in_and_no_tokens_of_its_own() -> None:
    page = machine_of(make_project(), "maintainer").get("me/overview").json()
    assert page["second_factor"] is None
    assert page["passkeys"] == page["sessions"] == page["tokens"]["results"] == []
