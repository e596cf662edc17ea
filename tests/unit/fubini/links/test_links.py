"""Share links: short addresses that give no right."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.links.models import ShareLink
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_run


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def made(house: House, role: str = "viewer", **more: Any) -> dict[str, Any]:
    run = make_run(house.project)
    body = {"address": f"/runs/{run.pk}/steps?step=n1#L40", "note": "look here", **more}
    answer = house.api[role].post(f"projects/{house.project.slug}/links", body)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_member_opens_a_link_and_gets_the_view_with_all_its_state(house: House) -> None:
    link = made(house)
    found = house.api["member"].get(f"links/{link['code']}").json()
    assert found["address"].endswith("/steps?step=n1#L40") and found["project"] == house.project.slug
    assert [row["id"] for row in house.api["owner"].get(f"projects/{house.project.slug}/links").json()["results"]] == [
        link["id"]
    ]


def test_who_is_no_member_learns_as_little_as_of_a_link_that_never_was(house: House) -> None:
    link = made(house)
    stranger = make_house().api["owner"]
    live = problem_of(stranger.get(f"links/{link['code']}"), 404)
    never = problem_of(stranger.get("links/AbCdEfGhIjKl"), 404)
    ShareLink.objects.update(revoked_at_ms=1)
    ended = problem_of(stranger.get(f"links/{link['code']}"), 404)
    for key in ("title", "code", "detail", "next_step", "errors"):
        assert live[key] == never[key] == ended[key]
    assert "Ask who sent it" in live["next_step"]


def test_an_ended_link_says_so_to_members_and_whom_to_ask(house: House) -> None:
    late, gone = made(house), made(house, "member")
    ShareLink.objects.filter(pk=late["id"]).update(expires_at_ms=clock.now_ms())
    assert house.users["viewer"].username in problem_of(
        house.api["owner"].get(f"links/{late['code']}"), 410, "link_ended"
    )["next_step"]  # fmt: skip
    path = f"projects/{house.project.slug}/links/{gone['id']}"
    problem_of(house.api["viewer"].delete(path), 403)
    assert house.api["maintainer"].delete(path).status_code == 204
    problem_of(house.api["member"].get(f"links/{gone['code']}"), 410, "link_ended")
    trail = AuditEntry.objects.filter(target=f"link:{gone['id']}").order_by("id").values_list("action", flat=True)
    assert list(trail) == ["link.create", "link.revoke"]


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/runs", "https://evil.example/runs", "javascript:alert(1)", "/\\evil.example", "runs", "/admin/users",
        "/runs/../admin", "/runs\nx",
    ],
)  # fmt: skip
def test_only_pages_of_a_project_can_be_shared(house: House, address: str) -> None:
    body = {"address": address}
    problem_of(house.api["owner"].post(f"projects/{house.project.slug}/links", body), 422)
    assert not ShareLink.objects.exists()


def test_a_run_of_another_project_cannot_be_shared_here(house: House) -> None:
    elsewhere = make_run(make_house().project)
    body = {"address": f"/runs/{elsewhere.pk}"}
    problem_of(house.api["owner"].post(f"projects/{house.project.slug}/links", body), 422)
