"""Pages of a project in one answer: what a reader has no right to is null, and a list goes on at its own route."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rest import Api, House, machine_of, make_house, problem_of

pytestmark = pytest.mark.django_db

MANIFEST = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: x-}\nspec:\n  entrypoint: a\n"
    "  templates: [{name: a, container: {image: busybox, command: ['true']}}]\n"
)


@pytest.fixture
def house() -> House:
    return make_house(budget_micros=5_000_000)


def page(house: House, role: str, name: str) -> dict[str, Any]:
    answer = house.api[role].get(f"projects/{house.project.slug}/{name}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def rest(api: Api, first: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(first["next"].removeprefix("http://testserver")).json()
    return found


@pytest.mark.parametrize(
    ("name", "part", "sees"),
    [
        ("settings", "tokens", {"maintainer", "owner"}),
        ("notices", "webhooks", {"maintainer", "owner"}),
        ("quotas/overview", "members", {"owner"}),
    ],
)
def test_a_part_is_null_for_who_may_not_see_it(house: House, name: str, part: str, sees: set[str]) -> None:
    assert {role for role in house.api if page(house, role, name)[part] is not None} == sees


def test_a_token_without_the_scope_has_no_more_than_a_viewer(house: House) -> None:
    reads = Api(house.api["owner"].post("tokens", {"name": "r", "scopes": ["read"]}).json()["token"])
    slug = house.project.slug
    assert reads.get(f"projects/{slug}/settings").json()["tokens"] is None
    assert reads.get(f"projects/{slug}/settings").json()["project"]["my_role"] == "owner"


def test_the_projects_page_has_what_the_routes_of_its_parts_have(house: House) -> None:
    owner, slug = house.api["owner"], house.project.slug
    for n in range(26):
        owner.post(f"projects/{slug}/tokens", {"name": f"m{n}", "role": "viewer"})
    owner.post(f"projects/{slug}/links", {"address": "/runs"})
    found = page(house, "owner", "settings")
    for part in ("members", "links"):
        assert found[part]["results"] == owner.get(f"projects/{slug}/{part}").json()["results"]
    assert found["flags"] == owner.get(f"projects/{slug}/flags").json()
    home = owner.get(f"projects/{slug}/overview").json()
    assert (found["budget"], found["days"]) == (home["budget"], home["days"])
    tokens = found["tokens"]
    assert (len(tokens["results"]), len(rest(owner, tokens)["results"])) == (25, 1)


def test_the_data_page_lists_what_is_searched_for_and_goes_on_with_the_same_search(house: House) -> None:
    member, slug = house.api["member"], house.project.slug
    for n in range(27):
        member.post("datasets", {"project": slug, "name": f"water-{n:02}"})
    member.post("datasets", {"project": slug, "name": "salt"})
    first = page(house, "viewer", "data?search=water")["datasets"]
    more = rest(member, first)
    names = [d["name"] for d in first["results"] + more["results"]]
    assert names == [f"water-{n:02}" for n in range(27)] and more["next"] is None


def test_a_pipelines_page_has_the_text_looked_at_and_the_one_it_is_held_against(house: House) -> None:
    member, slug = house.api["member"], house.project.slug
    for text in (MANIFEST, MANIFEST + "# more\n"):
        made = member.post("pipelines", {"project": slug, "name": "p", "manifest": text}).json()
    address = f"pipelines/{made['id']}/overview"
    newest = member.get(address).json()
    assert (newest["version"]["number"], newest["against"]) == (2, None)
    assert [v["number"] for v in newest["versions"]["results"]] == [2, 1]
    both = member.get(f"{address}?version=2&against=1").json()
    assert (both["version"]["text"], both["against"]["text"]) == (MANIFEST + "# more\n", MANIFEST)
    problem_of(member.get(f"{address}?version=3"), 404)
    problem_of(make_house().api["owner"].get(address), 404)


def test_a_page_of_notices_is_a_persons(house: House) -> None:
    problem_of(machine_of(house.project, "maintainer").get(f"projects/{house.project.slug}/notices"), 403)
