"""Schedules over REST and what strangers see of them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fubini.crons.models import Cron
from tests.support.rest import House, make_house, problem_of
from tests.unit.fubini.crons.test_services import manifest

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house()


def make(house: House, extra: str = "") -> dict[str, object]:
    reply = house.api["member"].post("crons", {"project": house.project.slug, "manifest": manifest(extra)})
    assert reply.status_code == 201, reply.content
    found: dict[str, object] = reply.json()
    return found


def test_a_schedule_shows_when_it_is_due_next_and_is_found_by_name(house: House) -> None:
    made = make(house)
    assert (made["name"], made["timezone"], made["policy"], made["suspended"]) == (
        "nightly",
        "Europe/Berlin",
        "Allow",
        False,
    )
    coming = made["next_ms"]
    assert isinstance(coming, list) and len(coming) == 5
    assert [b - a for a, b in pairwise(coming)] == [60_000] * 4
    found = house.api["viewer"].get(f"crons?project={house.project.slug}&name=nightly").json()["results"]
    assert [row["id"] for row in found] == [made["id"]]


def test_a_name_that_is_taken_and_a_manifest_with_faults_are_refused(house: House) -> None:
    make(house)
    again = house.api["member"].post("crons", {"project": house.project.slug, "manifest": manifest()})
    problem_of(again, 409, "cron_exists")
    bad = manifest().replace("* * * * *", "* * * * 8")
    reply = house.api["member"].post("crons", {"project": house.project.slug, "manifest": bad})
    assert problem_of(reply, 422, "manifest_invalid")["errors"][0]["path"] == "spec.schedules[0]"


def test_it_is_changed_suspended_resumed_and_deleted(house: House) -> None:
    made = make(house)
    member = house.api["member"]
    base = f"crons/{made['id']}"
    changed = member.put(base, {"manifest": manifest("  concurrencyPolicy: Forbid")})
    assert changed.json()["policy"] == "Forbid"
    problem_of(member.put(base, {"manifest": manifest().replace("name: nightly", "name: other")}), 422)
    held = member.post(f"{base}/suspend", {}).json()
    assert (held["suspended"], held["next_ms"]) == (True, [])
    assert len(member.post(f"{base}/resume", {}).json()["next_ms"]) == 5
    assert member.get(f"{base}/ticks").json()["results"] == []
    problem_of(member.delete(base), 403)
    assert house.api["maintainer"].delete(base).status_code == 204
    assert not Cron.objects.exists()


def test_another_project_s_schedule_is_no_schedule(house: House) -> None:
    made = make(house)
    stranger = make_house().api["owner"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("GET", "/ticks")):
        problem_of(stranger.call(method, f"crons/{made['id']}{path}", {} if method == "POST" else None), 404)
    problem_of(house.api["viewer"].post(f"crons/{made['id']}/suspend", {}), 403)
