"""Feasibility: what a place must have, and the reason it gives when it has not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fubini_scheduler import plan
from fubini_scheduler.filters import satisfies, selected
from fubini_scheduler.model import (
    Machine,
    MachineId,
    NodeGroupId,
    Policy,
    PoolId,
    Preferred,
    ProjectId,
    Reason,
    ReasonCode,
    Site,
    SiteId,
)
from fubini_scheduler.reasons import RANK, SENTENCES, WAITING_FOR
from tests.unit.fubini_scheduler.builders import (
    GIB,
    GPU,
    NOW_MS,
    codes,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    need,
    two_sites,
    where,
    why_not,
)

LABELS = {"zone": "a"}


@pytest.mark.parametrize(
    ("requirement", "want_holds"),
    [
        pytest.param(need("zone", "In", "a", "b"), True, id="In holds when the value is listed"),
        pytest.param(need("zone", "In", "b"), False, id="In fails when it is not"),
        pytest.param(need("rack", "In", "a"), False, id="In fails when the label is absent"),
        pytest.param(need("zone", "NotIn", "b"), True, id="NotIn holds for another value"),
        pytest.param(need("zone", "NotIn", "a"), False, id="NotIn fails for a listed value"),
        pytest.param(need("rack", "NotIn", "a"), True, id="NotIn holds when the label is absent"),
        pytest.param(need("zone", "Exists"), True, id="Exists holds when present"),
        pytest.param(need("rack", "Exists"), False, id="Exists fails when absent"),
        pytest.param(need("rack", "DoesNotExist"), True, id="DoesNotExist holds when absent"),
        pytest.param(need("zone", "DoesNotExist"), False, id="DoesNotExist fails when present"),
    ],
)
def test_a_requirement_means_what_kubernetes_means(requirement: Any, want_holds: bool) -> None:
    assert satisfies(requirement, LABELS) is want_holds


def test_terms_are_alternatives_and_their_requirements_all_must_hold() -> None:
    yes, no = need("zone", "In", "a"), need("zone", "In", "b")
    assert selected((), LABELS)
    assert selected(((no,), (yes,)), LABELS)
    assert not selected(((yes, no),), LABELS)


@pytest.mark.parametrize(
    ("requirement", "want_pool"),
    [
        pytest.param(need("fubini.dev/site", "In", "east"), "b", id="a site by its name"),
        pytest.param(need("fubini.dev/site", "NotIn", "east"), "a", id="any site but one"),
        pytest.param(need("fubini.dev/pool", "In", "b"), "b", id="a pool by its name"),
        pytest.param(need("fubini.dev/region", "In", "south"), "b", id="a region"),
        pytest.param(need("fubini.dev/accelerator", "Exists"), "b", id="any accelerator"),
        pytest.param(need("fubini.dev/accelerator", "DoesNotExist"), "a", id="no accelerator"),
        pytest.param(need("kubernetes.io/arch", "In", "arm64"), "a", id="an architecture"),
        pytest.param(need("disk", "In", "ssd"), "b", id="a label of the pool's own"),
    ],
)
def test_tasks_select_places_by_label(requirement: Any, want_pool: str) -> None:
    snapshot = make_snapshot(
        tasks=(make_task(required=((requirement,),)),),
        sites=(Site(SiteId("site-x"), "west", "north"), Site(SiteId("site-y"), "east", "south")),
        node_groups=(make_group("ga", "x", arch="arm64"), make_group("gb", "y", accelerator="a100")),
        pools=(make_pool("a", "ga", site="x"), make_pool("b", "gb", site="y", labels=(("disk", "ssd"),))),
    )
    assert where(plan(snapshot, Policy(), NOW_MS)) == {"task": want_pool}


BLOCKED = [
    pytest.param({"cpu_millis": 5000}, {}, {}, "cpu_too_large", {"needed": 5000, "limit": 4000}, id="too many cores"),
    pytest.param(
        {"memory_bytes": 17 * GIB},
        {},
        {},
        "memory_too_large",
        {"needed": 17 * GIB, "limit": 16 * GIB},
        id="too much memory",
    ),
    pytest.param(
        {"disk_bytes": 2}, {}, {"disk_bytes": 1}, "disk_too_large", {"needed": 2, "limit": 1}, id="too much disk"
    ),
    pytest.param(
        {"devices": ((GPU, 1),)}, {}, {}, "devices", {"device": GPU, "needed": 1, "limit": 0}, id="no such device"
    ),
    pytest.param(
        {"gang_nodes": 2}, {}, {}, "gang_too_large", {"needed": 2, "limit": 1}, id="more nodes than there are"
    ),
    pytest.param(
        {"walltime_s": 61},
        {"max_walltime_s": 60},
        {},
        "walltime",
        {"needed": 61, "limit": 60},
        id="a walltime too long",
    ),
    pytest.param(
        {"image": "new"},
        {"images": frozenset({"old", "older"})},
        {},
        "image_unknown",
        {"image": "new", "known": "old, older"},
        id="an image not known, with those that are",
    ),
    pytest.param({"needs_private_root": True}, {"private_root": False}, {}, "private_root", {}, id="no private root"),
    pytest.param(
        {}, {"project_ids": frozenset({ProjectId("other")})}, {}, "pool_not_allowed", {}, id="another project's pool"
    ),
    pytest.param({}, {"node_group_ids": ()}, {}, "no_nodes", {}, id="a pool of nothing"),
    pytest.param(
        {}, {"paused": "moving racks"}, {}, "pool_paused", {"reason": "moving racks"}, id="a paused pool says why"
    ),
    pytest.param({}, {"reachable": False}, {}, "agent_away", {}, id="a pool without an agent"),
    pytest.param({}, {"max_running": 0}, {}, "pool_slots", {"limit": 0}, id="a pool without slots"),
    pytest.param(
        {"required": ((need("fubini.dev/site", "In", "mars"),),)},
        {},
        {},
        "selector",
        {"needed": "fubini.dev/site in (mars)", "found": "fubini.dev/site=here"},
        id="a selector that does not hold, with what was found",
    ),
]


@pytest.mark.parametrize(("task", "pool", "group", "want_code", "want_figures"), BLOCKED)
def test_a_place_that_cannot_run_a_task_says_why(
    task: dict[str, Any], pool: dict[str, Any], group: dict[str, Any], want_code: str, want_figures: dict[str, Any]
) -> None:
    snapshot = make_snapshot(
        tasks=(make_task(**task),),
        node_groups=(make_group("group", **group),),
        pools=(make_pool("pool", "group", **pool),),
    )
    result = plan(snapshot, Policy(), NOW_MS)
    assert codes(result) == [(want_code, "pool")]
    (reason,) = why_not(result)
    assert reason.figures == want_figures
    assert reason.sentence, "the sentence can be made from the figures"


def test_a_machine_smaller_than_the_task_is_said_to_be_so() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(cpu_millis=3000),),
        node_groups=(make_group("group", machine_id=MachineId("box")),),
        machines=(Machine(id=MachineId("box"), cpu_millis=2000),),
    )
    assert codes(plan(snapshot, Policy(), NOW_MS)) == [("machine_too_small", "pool")]


def test_a_task_blocked_by_every_pool_has_one_reason_for_each() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(cpu_millis=3000, memory_bytes=8 * GIB),),
        node_groups=(make_group("g1", cpu_millis=2000), make_group("g2", memory_bytes=GIB), make_group("g3")),
        pools=(make_pool("small", "g1"), make_pool("thin", "g1", "g2"), make_pool("shut", "g3", reachable=False)),
    )
    found = codes(plan(snapshot, Policy(), NOW_MS))
    assert found == [("agent_away", "shut"), ("cpu_too_large", "small"), ("cpu_too_large", "thin")]


def test_no_pool_at_all_is_a_reason_too() -> None:
    assert codes(plan(make_snapshot(tasks=(make_task(),), pools=()), Policy(), NOW_MS)) == [("no_pools", None)]


def test_places_that_failed_a_task_are_left_out_while_there_are_others() -> None:
    places: dict[str, Any] = {
        "node_groups": (make_group("g1"), make_group("g2")),
        "pools": (make_pool("one", "g1"), make_pool("two", "g2", core_hour_micros=10**6)),
    }
    bitten = make_task(avoid_node_groups=(NodeGroupId("g1"),))
    assert where(plan(make_snapshot(tasks=(bitten,), **places), Policy(), NOW_MS)) == {"task": "two"}
    twice = make_task(avoid_pools=(PoolId("one"), PoolId("two")))
    assert where(plan(make_snapshot(tasks=(twice,), **places), Policy(), NOW_MS)) == {"task": "one"}


def test_soft_conditions_outweigh_a_small_difference_in_price() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(preferred=(Preferred(100, (need("disk", "In", "ssd"),)),)),),
        node_groups=(make_group("g1"), make_group("g2")),
        pools=(make_pool("cheap", "g1"), make_pool("ssd", "g2", core_hour_micros=60_000, labels=(("disk", "ssd"),))),
    )
    assert where(plan(snapshot, Policy(), NOW_MS)) == {"task": "ssd"}
    assert where(plan(snapshot, Policy(preferred_point_micros=0), NOW_MS)) == {"task": "cheap"}


def test_every_code_has_a_sentence_and_a_place_in_the_order() -> None:
    assert set(SENTENCES) == set(RANK) == set(ReasonCode)
    assert set(WAITING_FOR.values()) == {"budget", "run_budget", "pause", "quota"}
    for code, template in SENTENCES.items():
        figures = tuple((name, 7) for name in re.findall(r"{(\w+)[:}]", template))
        assert "{" not in Reason(code, None, figures).sentence


def test_waiting_cures_a_pause_but_not_a_missing_device() -> None:
    assert not Reason(ReasonCode.POOL_PAUSED).permanent
    assert Reason(ReasonCode.DEVICES).permanent


@pytest.mark.parametrize(
    ("task", "pool", "want"),
    [
        ({"cpu_millis": 4000, "room_beside_cpu_millis": 1000}, {}, ReasonCode.NO_ROOM_BESIDE),
        ({"needs_container_groups": True}, {"container_groups": False}, ReasonCode.CONTAINER_GROUPS),
        ({"needs_run_disks": True}, {"run_disks": False}, ReasonCode.RUN_DISKS),
        ({"needs_shared_disks": ("a", "b")}, {"shared_disks": frozenset({"a"})}, ReasonCode.SHARED_DISK),
        ({"only_pools": (PoolId("other"),), "bound_to": "lab"}, {}, ReasonCode.RUN_ELSEWHERE),
        ({"image": "a", "more_images": ("b",)}, {"images": frozenset({"a"})}, ReasonCode.IMAGE_UNKNOWN),
    ],
)
def test_a_pool_that_cannot_serve_all_of_a_step_says_so(
    task: dict[str, Any], pool: dict[str, Any], want: ReasonCode
) -> None:
    snapshot = make_snapshot(tasks=(make_task(**task),), pools=(make_pool("pool", "group", **pool),))
    result = plan(snapshot, Policy(), NOW_MS)
    assert codes(result) == [(want.value, "pool")]
    assert "{" not in why_not(result)[0].sentence


def test_what_is_leased_ahead_makes_no_node_larger() -> None:
    group = make_group("group", cpu_millis=8000, whole_cpu_millis=1000)
    for task in (make_task(cpu_millis=2000), make_task(room_beside_cpu_millis=1000)):
        result = plan(make_snapshot(tasks=(task,), node_groups=(group,)), Policy(), NOW_MS)
        assert codes(result)[0][0] in ("cpu_too_large", "no_room_beside")


def test_daemons_leave_a_core_for_who_asks_them() -> None:
    daemon = make_task(cpu_millis=1000, room_beside_cpu_millis=1000)
    for serving, want in ((2000, {"task": "pool"}), (3000, {})):
        group = make_group("group", serving_cpu_millis=serving)
        result = plan(make_snapshot(tasks=(daemon,), node_groups=(group,)), Policy(), NOW_MS)
        assert where(result) == want
    assert codes(result)[0][0] == "daemons_busy"


def test_a_step_bound_to_its_runs_place_goes_there() -> None:
    bound = make_task(only_pools=(PoolId("far"),), bound_to="far")
    assert where(plan(two_sites(tasks=(bound,)), Policy(), NOW_MS)) == {"task": "far"}


def test_a_sentence_shows_figures_as_people_say_them_and_keeps_them_as_integers() -> None:
    money = Reason(
        ReasonCode.BUDGET, None, (("missing_micros", 50_000), ("hold_micros", 2_100_000), ("available_micros", 0))
    )
    assert money.sentence == "The project's budget lacks 0.05: 2.10 must be set aside, 0.00 are left."
    told = money.template.format_map(money.shown("EUR"))
    assert told == "The project's budget lacks 0.05 EUR: 2.10 EUR must be set aside, 0.00 EUR are left."
    assert money.figures["missing_micros"] == 50_000
    memory = Reason(ReasonCode.MEMORY_TOO_LARGE, PoolId("p"), (("needed", 34_359_738_368), ("limit", 1_610_612_736)))
    assert memory.sentence == "Asks for 32 GiB of memory a node; the largest node has 1.5 GiB."
    cores = Reason(ReasonCode.CPU_TOO_LARGE, PoolId("p"), (("needed", 64_000), ("limit", 1500)))
    assert cores.sentence == "Asks for 64 cores a node; the largest node has 1.5."


def test_what_is_leased_ahead_makes_no_node_larger_than_it_is() -> None:
    group = make_group(
        "group", cpu_millis=40_000, memory_bytes=160 * GIB, devices=((GPU, 10),),
        whole_cpu_millis=4000, whole_memory_bytes=16 * GIB, whole_devices=((GPU, 1),),
    )  # fmt: skip
    for asks, want in (({"cpu_millis": 5000}, "cpu_too_large"), ({"memory_bytes": 17 * GIB}, "memory_too_large"),
                       ({"devices": ((GPU, 2),)}, "devices")):  # fmt: skip
        result = plan(make_snapshot(tasks=(make_task(**asks),), node_groups=(group,)), Policy(), NOW_MS)
        assert codes(result) == [(want, "pool")]
