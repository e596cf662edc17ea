"""Cordon and drain: no lease after it, what runs is given back at the site's cost, and every waiting step says why."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.audit.models import AuditEntry
from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.dispatch.draining import drains_step
from fubini.dispatch.grants import placements_apply
from fubini.dispatch.loop import Loop
from fubini.dispatch.snapshot import RequestCache, world_of
from fubini.dispatch.why import task_why
from fubini.gateway.services import sync_handle
from fubini.ledger.selectors import budget_of
from fubini.runs.models import Attempt, Task
from fubini.sites.cordons import nodes_cordon, nodes_uncordon, pool_cordon, pool_uncordon
from fubini.sites.models import NodeGroup
from fubini.sites.services import pause_set
from fubini_protocol.v1 import messages as wire
from fubini_scheduler.cycle import plan
from tests.support.rest import House, api_of, make_admin, make_house, problem_of
from tests.support.rows import Place, make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> House:
    return make_house(budget_micros=10_000_000)


@pytest.fixture
def place() -> Place:
    return make_place()


def sync(place: Place, sequence: int, held: Any = (), reports: Any = ()) -> wire.SyncReply:
    place.agent.refresh_from_db()
    request = wire.SyncRequest(
        protocol_version=1,
        agent_id=place.agent.pk,
        session_id="s",
        boot_id="b",
        agent_version="1",
        sync_seq=sequence,
        held=tuple(held),
        reports=tuple(reports),
    )
    return sync_handle(place.agent, request)


def cordon(kind: str, place: Place, **more: Any) -> None:
    if kind == "pool":
        pool_cordon(pool=place.pool, reason="new cooling", actor="user:ann", **more)
    else:
        nodes_cordon(group=place.group, nodes=[0], reason="new cooling", actor="user:ann", **more)


def uncordon(kind: str, place: Place) -> None:
    if kind == "pool":
        pool_uncordon(pool=place.pool, actor="user:ann")
    else:
        nodes_uncordon(group=place.group, nodes=[], actor="user:ann")


@pytest.mark.parametrize("kind", ["pool", "node"])
def test_a_cordon_stops_new_leases_and_every_why_repeats_its_reason(house: House, place: Place, kind: str) -> None:
    task = make_task(make_run(house.project))
    cordon(kind, place)
    Loop().cycle()
    task.refresh_from_db()
    assert (task.state, task.waiting_for) == ("queued", ["pause"])
    assert "new cooling" in task_why(task).sentence
    uncordon(kind, place)
    Loop().cycle()
    task.refresh_from_db()
    assert task.state == "placed"


@pytest.mark.parametrize("stop", ["pool", "node", "pause"])
def test_no_lease_is_granted_by_a_plan_made_before_the_cordon(house: House, place: Place, stop: str) -> None:
    make_task(make_run(house.project))
    world = world_of(RequestCache())
    placements = plan(world.snapshot, world.policy, world.now_ms).placements
    assert len(placements) == 1
    if stop == "pause":
        pause_set(reason="chillers", actor="user:ann")
    else:
        cordon(stop, place)
    granted = placements_apply(world, placements, at_ms=clock.now_ms())
    assert (granted.leased, granted.stale) == (0, 1)
    assert not Attempt.objects.exists()


def test_a_cordoned_node_leaves_the_others_of_its_group(house: House, place: Place) -> None:
    NodeGroup.objects.filter(pk=place.group.pk).update(nodes=2, cpu_millis=1000)
    place.group.refresh_from_db()
    nodes_cordon(group=place.group, nodes=[0], reason="new disk", actor="user:ann")
    for _ in range(2):
        make_task(make_run(house.project))
    Loop().cycle()
    assert list(Attempt.objects.values_list("node_index", flat=True)) == [1]


@pytest.mark.parametrize("kind", ["pool", "node"])
@pytest.mark.parametrize("taken", [True, False], ids=["held by its agent", "not taken yet"])
def test_a_drain_gives_back_what_runs_after_its_grace_at_the_sites_cost(
    house: House, place: Place, kind: str, taken: bool
) -> None:
    task = make_task(make_run(house.project))
    attempt = make_attempt(task, place, hold_micros=100_000)
    held = [wire.HeldAttempt(attempt_id=attempt.pk, task_id=task.pk, fence=1, state=wire.AttemptState.RUNNING)]
    if taken:
        sync(place, 1, held)
    cordon(kind, place, grace_s=60)
    now = clock.now_ms()
    assert drains_step(at_ms=now + 59_000) == 0
    assert drains_step(at_ms=now + 61_000) == 1
    assert drains_step(at_ms=now + 61_000) == 0  # told once
    reply = sync(place, 2, held if taken else [])
    if taken:
        (order,) = reply.cancel
        assert order.preempt
        assert "new cooling" in order.reason
        report = wire.Report(
            attempt_id=attempt.pk, task_id=task.pk, fence=1, sequence=0, state=wire.AttemptState.PREEMPTED,
            at_ms=clock.now_ms(), reason=order.reason,
        )  # fmt: skip
        sync(place, 3, [], [report])
    attempt.refresh_from_db()
    task.refresh_from_db()
    assert (attempt.state, task.state, task.preemptions, task.infra_failures) == ("preempted", "queued", 1, 0)
    assert budget_of(house.project.pk).budget_micros == 10_000_000  # nothing was charged to the project


def test_a_drain_that_was_ended_in_time_gives_nothing_back(house: House, place: Place) -> None:
    make_attempt(make_task(make_run(house.project)), place)
    cordon("pool", place, grace_s=60)
    uncordon("pool", place)
    assert drains_step(at_ms=clock.now_ms() + 120_000) == 0


def test_a_cordon_needs_a_reason_and_a_node_that_is_there(place: Place) -> None:
    with pytest.raises(Invalid):
        pool_cordon(pool=place.pool, reason=" ", actor="user:ann")
    with pytest.raises(Invalid):
        nodes_cordon(group=place.group, nodes=[1], reason="x", actor="user:ann")


def test_who_runs_the_site_may_cordon_it_and_nobody_else(house: House, place: Place) -> None:
    paths = {
        f"pools/{place.pool.pk}/cordon": {"reason": "new cooling", "grace_s": 5},
        f"sites/lab/node-groups/{place.group.name}/cordon": {"reason": "new cooling", "nodes": [0]},
    }
    owner = house.api["member"]
    for path, body in paths.items():
        problem_of(house.api["owner"].post(path, body), 403)  # of the project, not of the site
        place.site.owners.set([house.users["member"]])
        assert owner.post(path, body).status_code == 200
        place.site.owners.clear()
        problem_of(owner.post(path, body), 403)
    (shown,) = house.api["viewer"].get("pools").json()["results"]
    assert (shown["paused_reason"], shown["node_groups"][0]["cordons"][0]["reason"]) == ("new cooling",) * 2
    assert shown["drain_at_ms"] > clock.now_ms()
    admin = api_of(make_admin())
    assert admin.delete(f"pools/{place.pool.pk}/cordon").json()["node_groups"][0]["cordons"] == []
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert [a for a in actions if "cordon" in a or "drain" in a] == ["pool.drain", "node_group.cordon", "pool.uncordon"]


def test_what_would_start_a_step_in_a_cordoned_pool_is_its_end(house: House, place: Place) -> None:
    cordon("node", place)
    task = make_task(make_run(house.project))
    place.site.owners.set([house.users["member"]])
    (option,) = house.api["member"].get(f"tasks/{task.pk}/start").json()["options"]
    assert ([c["kind"] for c in option["changes"]], option["allowed"]) == (["uncordon"], True)
    body = {"changes": [{"kind": "uncordon", "pool_id": place.pool.pk}]}
    assert house.api["member"].post(f"tasks/{task.pk}/start", body).status_code == 200
    Loop().cycle()
    assert Task.objects.get(pk=task.pk).state == "placed"
