"""Nobody overwrites what somebody else has changed meanwhile."""

from __future__ import annotations

import pytest

from tests.support.rest import make_house, problem_of

pytestmark = pytest.mark.django_db


def test_a_change_needs_the_version_it_was_made_from() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}"
    api = house.api["owner"]
    problem_of(api.patch(path, {"title": "x"}, If_Match=""), 428, "if_match_required")
    tag = api.get(path)["ETag"]
    first = api.patch(path, {"title": "one"}, If_Match=tag)
    assert first.status_code == 200 and first["ETag"] != tag
    problem_of(api.patch(path, {"title": "two"}, If_Match=tag), 412, "changed")
    assert api.patch(path, {"title": "two"}, If_Match=first["ETag"]).json()["title"] == "two"
    assert api.patch(path, {"title": "three"}, If_Match="*").json()["title"] == "three"


def test_a_reader_who_has_it_already_is_told_so() -> None:
    house = make_house()
    path = f"projects/{house.project.slug}"
    tag = house.api["viewer"].get(path)["ETag"]
    again = house.api["viewer"].get(path, If_None_Match=tag)
    assert again.status_code == 304 and again.content == b""


def test_an_etag_of_another_row_does_not_match() -> None:
    one, two = make_house(), make_house()
    tag = one.api["owner"].get(f"projects/{one.project.slug}")["ETag"]
    problem_of(two.api["owner"].patch(f"projects/{two.project.slug}", {"title": "x"}, If_Match=tag), 412)
