"""The pools page: use, nodes, agents' heartbeats and leases, links; in a fixed number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.runs.models import Attempt, Lease
from fubini.sites.cordons import nodes_cordon
from fubini.sites.models import Site
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000


def asked(house: House, who: str = "viewer") -> dict[str, object]:
    found = house.api[who].get(f"projects/{house.project.slug}/places")
    assert found.status_code == 200, found.content
    document: dict[str, object] = found.json()
    return document


def test_it_tells_use_nodes_leases_and_links() -> None:
    house, place = make_house(budget_micros=10**9), make_place()
    run = make_run(house.project)
    attempt = make_attempt(make_task(run), place)
    done = make_attempt(make_task(run), place)
    now = clock.now_ms()
    Attempt.objects.filter(pk=done.pk).update(
        state="succeeded", started_at_ms=now - 3 * HOUR_MS, finished_at_ms=now - HOUR_MS
    )
    Lease.objects.filter(pk=done.pk).update(state="released")
    Lease.objects.filter(pk=attempt.pk).update(expires_at_ms=now + 30_000)
    make_task(run, why=[{"code": "nodes_busy", "pool_id": place.pool.pk}])
    Site.objects.filter(pk=place.site.pk).update(link_bytes_per_s=5_000_000, link_measured_bytes=99)
    nodes_cordon(group=place.group, nodes=[0], reason="fans", actor="user:ann")
    found = asked(house)
    (site,) = found["sites"]  # type: ignore[misc]
    assert (site["link_bytes_per_s"], site["link_measured_bytes"], site["mine"]) == (5_000_000, 99, False)
    (pool,) = found["pools"]  # type: ignore[misc]
    assert (pool["running"], pool["waiting"], pool["used_cpu_millis"], pool["capacity_cpu_millis"]) == (
        1,
        1,
        1000,
        4000,
    )
    assert sum(pool["use"]) in (499, 500)  # two hours of one core of four
    (node,) = pool["nodes"]
    assert (node["used_cpu_millis"], node["running"], node["cordon"]["reason"]) == (1000, 1, "fans")
    (agent,) = pool["agents"]
    assert (agent["leases"], agent["lease_ends_ms"]) == (1, now + 30_000)
    assert agent["heard_ms"] <= clock.now_ms()
    place.site.owners.set([house.users["viewer"]])
    assert asked(house)["sites"][0]["mine"]  # type: ignore[index]


def test_the_number_of_queries_does_not_grow() -> None:
    house, place = make_house(budget_micros=10**9), make_place()

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            asked(house)
        return len(seen)

    asked(house)  # a token's first use is noted
    few = count()
    run = make_run(house.project)
    for number in range(8):
        make_place(f"site-{number}")
        make_attempt(make_task(run), place)
        make_task(run)
    assert count() == few


def test_another_projects_places_are_not_told() -> None:
    house = make_house()
    problem_of(house.api["owner"].get(f"projects/{make_project().slug}/places"), 404)
