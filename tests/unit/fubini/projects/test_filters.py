"""Saved filters: mine, others' shared ones, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rest import House, make_house, problem_of

BODY: dict[str, Any] = {"page": "runs", "name": "failed lately", "query": {"state": ["failed", "error"]}}


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def names(house: House, role: str) -> list[tuple[str, bool]]:
    found = house.api[role].get(f"projects/{house.project.slug}/filters?page=runs").json()
    return [(row["name"], row["shared"]) for row in found["results"]]


def test_a_filter_is_its_owners_until_it_is_shared(house: House) -> None:
    path = f"projects/{house.project.slug}/filters"
    first = house.api["viewer"].post(path, BODY)
    assert first.status_code == 200 and first.json()["query"] == BODY["query"]
    assert names(house, "viewer") == [("failed lately", False)] and names(house, "member") == []
    again = house.api["viewer"].post(path, {**BODY, "shared": True})
    assert again.json()["id"] == first.json()["id"]
    assert names(house, "member") == [("failed lately", True)]
    problem_of(house.api["member"].delete(f"{path}/{first.json()['id']}"), 404)
    assert house.api["viewer"].delete(f"{path}/{first.json()['id']}").status_code == 204
    assert names(house, "viewer") == []


def test_a_filter_is_bounded_and_of_a_known_page(house: House) -> None:
    path = f"projects/{house.project.slug}/filters"
    for change in ({"page": "moon"}, {"query": {"a" * 41: ["x"]}}, {"name": "n" * 61}, {"query": {"a": "text"}}):
        problem_of(house.api["member"].post(path, {**BODY, **change}), 422)
