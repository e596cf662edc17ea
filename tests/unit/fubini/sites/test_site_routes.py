"""Administrators arrange sites; people with a project see what serves it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.common import clock
from fubini.sites import services
from fubini.sites.models import Pause, Pool, Price, Site
from fubini.sites.prices import price_set
from fubini.sites.selectors import prices_now
from tests.support.rest import api_of, make_admin, make_house, problem_of
from tests.support.rows import make_place, make_user

pytestmark = pytest.mark.django_db


def test_an_administrator_arranges_a_site_and_others_cannot() -> None:
    admin, house = api_of(make_admin()), make_house()
    assert admin.post("sites", {"name": "hpc", "title": "HPC"}).status_code == 201
    group = {"name": "thin", "cpu_millis": 64_000, "memory_bytes": 1 << 38, "nodes": 10}
    assert admin.put("sites/hpc/node-groups", group).json()["nodes"] == 10
    made = admin.post("sites/hpc/pools", {"name": "short", "kind": "queued", "node_groups": ["thin"], "max_running": 5})
    assert made.status_code == 201
    pool = made.json()
    problem_of(admin.post("sites/hpc/pools", {"name": "x", "node_groups": ["thicc"]}), 422)
    price = admin.post(f"pools/{pool['id']}/prices", {"core_hour_micros": 50_000})
    assert price.json()["version"] == 1
    assert admin.get("pools?site=hpc&name=short").json()["results"][0]["price"]["core_hour_micros"] == 50_000
    owner = house.api["owner"]
    assert owner.get("sites/hpc").status_code == 200
    for response in (
        owner.post("sites", {"name": "x"}),
        owner.patch("sites/hpc", {"title": "x"}),
        owner.put("sites/hpc/node-groups", group),
        owner.post("sites/hpc/pools", {"name": "x"}),
        owner.patch(f"pools/{pool['id']}", {"max_running": 1}),
        owner.post(f"pools/{pool['id']}/prices", {"core_hour_micros": 0}),
        owner.post(f"pools/{pool['id']}/pause", {"reason": "x"}),
        owner.post("sites/hpc/join-tokens", {}),
        owner.get("sites/hpc/join-tokens"),
        owner.post("pause", {"reason": "x"}),
    ):
        problem_of(response, 403)


def test_who_has_no_project_sees_no_site() -> None:
    place = make_place()
    api = api_of(make_user())
    assert api.get("sites").json()["results"] == []
    assert api.get("pools").json()["results"] == []
    problem_of(api.get(f"sites/{place.site.name}"), 404)
    problem_of(api.get(f"agents/{place.agent.pk}"), 404)


def test_a_pool_kept_for_a_project_is_hidden_from_the_others_with_its_name() -> None:
    mine, other = make_house(), make_house()
    place = make_place()
    place.pool.projects.add(mine.project, other.project)
    page = mine.api["viewer"].get("pools").json()["results"]
    assert page[0]["projects"] == [mine.project.slug]
    place.pool.projects.remove(mine.project)
    assert mine.api["viewer"].get("pools").json()["results"] == []
    problem_of(mine.api["viewer"].get(f"pools/{place.pool.pk}"), 404)
    problem_of(mine.api["viewer"].get(f"sites/{place.site.name}"), 404)
    assert other.api["viewer"].get(f"pools?project={other.project.slug}").json()["results"] != []


def test_pools_are_changed_by_the_version_one_has_seen() -> None:
    admin, place = api_of(make_admin()), make_place()
    path = f"pools/{place.pool.pk}"
    tag = admin.get(path)["ETag"]
    assert admin.patch(path, {"max_running": 2}, If_Match=tag).json()["max_running"] == 2
    problem_of(admin.patch(path, {"max_running": 3}, If_Match=tag), 412)
    assert admin.patch(path, {"max_running": None}).json()["max_running"] is None


def test_the_price_that_applies_is_the_one_that_began_last() -> None:
    place = make_place(core_hour_micros=1)
    price_set(pool=place.pool, actor="t", core_hour_micros=2)
    price_set(pool=place.pool, actor="t", core_hour_micros=3, valid_from=clock.now() + timedelta(days=1))
    assert prices_now([place.pool])[place.pool.pk].core_hour_micros == 2
    assert [p.version for p in Price.objects.order_by("version")] == [1, 2, 3]
    with pytest.raises(Exception, match="past"):
        price_set(pool=place.pool, actor="t", valid_from=clock.now() - timedelta(days=1))


def test_pauses_carry_their_reason_and_end() -> None:
    admin, place = api_of(make_admin()), make_place()
    path = f"pools/{place.pool.pk}/pause"
    assert admin.post(path, {"reason": "maintenance"}).json()["paused_reason"] == "maintenance"
    assert admin.delete(path).json()["paused_reason"] == ""
    assert admin.post("pause", {"reason": "power cut"}).json() | {"at": 0} == {
        "paused": True, "reason": "power cut", "by": Pause.objects.get().by, "at": 0,
    }  # fmt: skip
    assert make_house().api["viewer"].get("pause").json()["reason"] == "power cut"
    assert admin.delete("pause").json()["paused"] is False


def test_a_join_token_is_shown_once_and_can_be_taken_back() -> None:
    admin, site = api_of(make_admin()), Site.objects.create(name="lab")
    made = admin.post("sites/lab/join-tokens", {"ttl_s": 600}).json()
    assert made["token"] in made["command"]
    listed = admin.get("sites/lab/join-tokens").json()["results"]
    assert "token" not in listed[0] and listed[0]["used_at"] is None
    assert admin.delete(f"sites/lab/join-tokens/{made['id']}").status_code == 204
    with pytest.raises(Exception, match="unknown, used or expired"):
        services.agent_join(token=made["token"], offer=services.AgentOffer("a", cpu_millis=1, memory_bytes=1))
    problem_of(admin.post("sites/lab/join-tokens", {"ttl_s": 5}), 422)
    other = Site.objects.create(name="other")
    problem_of(admin.delete(f"sites/{other.name}/join-tokens/{made['id']}"), 404)
    assert site.join_tokens.count() == 1


def test_agents_are_drained_and_revoked() -> None:
    admin, place, house = api_of(make_admin()), make_place(), make_house()
    path = f"agents/{place.agent.pk}"
    tag = admin.get(path)["ETag"]
    assert admin.patch(path, {"draining": True}, If_Match=tag).json()["draining"] is True
    problem_of(admin.patch(path, {"draining": False}, If_Match=tag), 412)
    shown = house.api["viewer"].get("agents").json()["results"][0]
    assert "credential_digest" not in shown and "machine_id" not in shown
    problem_of(house.api["owner"].delete(path), 403)
    assert admin.delete(path).status_code == 204
    assert house.api["viewer"].get("agents").json()["results"] == []
    assert len(admin.get(f"sites/{place.site.name}/agents").json()["results"]) == 1


def test_a_page_of_pools_costs_the_same_queries_for_two_as_for_twelve() -> None:
    house = make_house()
    for number in range(12):
        make_place(f"site-{number}")
    house.api["viewer"].get("me")  # notes the token's use, once a minute
    counts = []
    for size in (2, 12):
        with CaptureQueriesContext(connection) as caught:
            page = house.api["viewer"].get(f"pools?page_size={size}").json()["results"]
        assert len(page) == size
        counts.append(len(caught))
    assert counts[0] == counts[1] < 10


def test_two_pools_of_one_name_live_at_two_sites_only() -> None:
    one, two = Site.objects.create(name="one"), Site.objects.create(name="two")
    services.pool_create(site=one, name="p", actor="t")
    services.pool_create(site=two, name="p", actor="t")
    with pytest.raises(services.NameTaken):
        services.pool_create(site=one, name="p", actor="t")
    assert Pool.objects.count() == 2
