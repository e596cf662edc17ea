"""plan(): capacity counted once, gangs whole, money never overspent, and a reason for whoever stays."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from fubini_scheduler import plan
from fubini_scheduler.model import (
    Machine,
    MachineId,
    Objective,
    Policy,
    PoolKind,
    Price,
    Priority,
    Project,
    ProjectId,
    RunId,
    SchedulingResult,
    Snapshot,
)
from fubini_scheduler.simulator import random_scenario, violations
from tests.unit.fubini_scheduler.builders import (
    GIB,
    GPU,
    NOW_MS,
    codes,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    make_tasks,
    where,
    why_not,
)

LAB = ProjectId("lab")


def planned(snapshot: Snapshot, policy: Policy | None = None) -> SchedulingResult:
    """A plan that is checked."""
    result = plan(snapshot, policy or Policy(), NOW_MS)
    assert violations(snapshot, result) == []
    return result


def test_nothing_queued_is_nothing_decided() -> None:
    assert plan(make_snapshot(), Policy(), NOW_MS) == SchedulingResult()


def test_a_placement_says_all_that_applying_it_needs() -> None:
    pool = make_pool("pool", "group", core_hour_micros=3_600_000)
    (placement,) = planned(make_snapshot(tasks=(make_task(version=7, walltime_s=600),), pools=(pool,))).placements
    assert (placement.task_id, placement.task_version, placement.run_id) == ("task", 7, "run")
    assert (placement.site_id, placement.pool_id, placement.node_group_id) == ("site-here", "pool", "group")
    assert (placement.node_indexes, placement.cpu_millis) == ((0,), 1000)
    assert (placement.expected_start_ms, placement.expected_finish_ms) == (NOW_MS, NOW_MS + 60_000)
    assert (placement.walltime_s, placement.walltime_given) == (600, True)
    # 3,600,000 micros a core hour are 1000 a core second: 60 s expected, 600 s held.
    assert (placement.price_micros, placement.hold_micros) == (60_000, 600_000)


@pytest.mark.parametrize(
    ("task", "pool", "want_s"),
    [
        pytest.param({"walltime_s": 90, "expected_ms": 1}, {}, 90, id="the walltime, if given"),
        pytest.param({"expected_ms": 10_000}, {}, 20, id="else twice the estimate"),
        pytest.param({"expected_ms": None}, {}, 3600, id="else the default"),
        pytest.param({"expected_ms": None}, {"max_walltime_s": 100}, 100, id="the default within the pool's limit"),
    ],
)
def test_holds_cover_the_reserved_time(task: dict[str, Any], pool: dict[str, Any], want_s: int) -> None:
    pools = (make_pool("pool", "group", core_hour_micros=3_600_000, **pool),)
    (placement,) = planned(make_snapshot(tasks=(make_task(**task),), pools=pools)).placements
    assert placement.walltime_s == want_s
    assert placement.hold_micros == want_s * 1000


def test_a_faster_node_group_takes_less_time_and_a_measured_time_is_taken_as_it_is() -> None:
    groups = (make_group("group", speed_permille=2000),)
    (fast,) = planned(make_snapshot(tasks=(make_task(),), node_groups=groups)).placements
    assert fast.run_ms == 30_000
    measured = make_task(expected_by_group_ms=(("group", 12_345),))
    (known,) = planned(make_snapshot(tasks=(measured,), node_groups=groups)).placements
    assert known.run_ms == 12_345


# --- capacity -------------------------------------------------------------------------------------------------------


def test_a_node_is_filled_and_no_further() -> None:
    result = planned(make_snapshot(tasks=make_tasks(6), allocations=(make_allocation("a", "pool", "group"),)))
    assert len(result.placements) == 3
    assert codes(result, "task-0003") == [("nodes_busy", "pool")]
    assert why_not(result, "task-0003")[0].figures == {"busy": "cpu"}


def test_a_node_group_in_two_pools_is_counted_once() -> None:
    snapshot = make_snapshot(tasks=make_tasks(10), pools=(make_pool("a", "group"), make_pool("b", "group")))
    assert len(planned(snapshot).placements) == 4


def test_node_groups_of_two_sites_on_one_machine_share_its_cores() -> None:
    snapshot = make_snapshot(
        tasks=make_tasks(10),
        node_groups=(
            make_group("g1", machine_id=MachineId("box")),
            make_group("g2", "there", machine_id=MachineId("box")),
        ),
        pools=(make_pool("p1", "g1"), make_pool("p2", "g2", site="there")),
        machines=(Machine(id=MachineId("box"), cpu_millis=5000),),
        allocations=(make_allocation("a", "p2", "g2"),),
    )
    result = planned(snapshot)
    assert len(result.placements) == 4
    assert ("machine_busy", "p2") in codes(result, "task-0009")


def test_a_machine_runs_no_more_tasks_than_allowed_however_small_they_are() -> None:
    snapshot = make_snapshot(
        tasks=make_tasks(10, cpu_millis=100),
        node_groups=(make_group("group", machine_id=MachineId("box")),),
        machines=(Machine(id=MachineId("box"), cpu_millis=4000, max_tasks=2),),
    )
    result = planned(snapshot)
    assert len(result.placements) == 2
    assert why_not(result, "task-0002")[0].figures == {"busy": "running tasks"}


def test_a_slot_limit_holds() -> None:
    snapshot = make_snapshot(
        tasks=make_tasks(4),
        pools=(make_pool("pool", "group", max_running=3, running_elsewhere=1),),
        allocations=(make_allocation("a", "pool", "group"),),
    )
    result = planned(snapshot)
    assert len(result.placements) == 1
    assert codes(result, "task-0001") == [("pool_slots", "pool")]


def test_devices_are_counted() -> None:
    snapshot = make_snapshot(
        tasks=make_tasks(5, devices=((GPU, 2),), cpu_millis=100),
        node_groups=(make_group("group", nodes=2, devices=((GPU, 3),)),),
    )
    result = planned(snapshot)
    assert [p.node_indexes for p in result.placements] == [(0,), (1,)]
    assert why_not(result, "task-0002")[0].figures == {"busy": GPU}


def test_tasks_without_devices_stay_off_device_nodes_when_they_can() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(),),
        node_groups=(make_group("a-gpu", devices=((GPU, 4),)), make_group("b-cpu")),
        pools=(make_pool("pool", "a-gpu", "b-cpu"),),
    )
    assert planned(snapshot).placements[0].node_group_id == "b-cpu"


def test_nodes_are_packed_tightest_first() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(),),
        node_groups=(make_group("group", nodes=3),),
        allocations=tuple(make_allocation(f"a{n}", "pool", "group", node=2) for n in range(3)),
    )
    assert planned(snapshot).placements[0].node_indexes == (2,)


def test_cordoned_nodes_take_nothing_new() -> None:
    snapshot = make_snapshot(tasks=make_tasks(9), node_groups=(make_group("group", nodes=2, unavailable_nodes=(0,)),))
    assert {p.node_indexes for p in planned(snapshot).placements} == {(1,)}


def test_an_over_full_group_takes_nothing_and_breaks_nothing() -> None:
    held = tuple(make_allocation(f"a{n}", "pool", "group", node=n % 3) for n in range(18))
    assert planned(make_snapshot(tasks=(make_task(),), allocations=held)).placements == ()


def test_an_exclusive_task_gets_whole_empty_nodes_and_pays_for_them() -> None:
    group = make_group("group", nodes=3)
    pool = make_pool("pool", "group", core_hour_micros=3_600_000)
    held = (make_allocation("a", "pool", "group", node=0),)
    alone = make_task("alone", exclusive=True, gang_nodes=2, queued_since_ms=0)
    snapshot = make_snapshot(tasks=(alone, *make_tasks(9)), node_groups=(group,), pools=(pool,), allocations=held)
    result = planned(snapshot)
    first = result.placements[0]
    assert (first.task_id, first.node_indexes, first.cpu_millis) == ("alone", (1, 2), 4000)
    assert first.price_micros == 2 * 4 * 60_000
    assert {p.node_indexes for p in result.placements[1:]} == {(0,)}


# --- gangs ----------------------------------------------------------------------------------------------------------


def test_a_gang_is_whole_or_not_at_all() -> None:
    held = tuple(make_allocation(f"a{n}", "pool", "group", node=0) for n in range(4))
    group = make_group("group", nodes=3)
    gang = make_task(gang_nodes=3)
    assert planned(make_snapshot(tasks=(gang,), node_groups=(group,), allocations=held)).placements == ()
    (placement,) = planned(
        make_snapshot(tasks=(replace(gang, gang_nodes=2),), node_groups=(group,), allocations=held)
    ).placements
    assert placement.node_indexes == (1, 2)
    assert placement.nodes == 2


# --- queued pools ---------------------------------------------------------------------------------------------------


def test_a_queued_pool_takes_more_than_runs_at_once_up_to_its_slots_and_leaves_the_nodes_to_the_site() -> None:
    pool = make_pool("pool", "group", kind=PoolKind.QUEUED, max_running=6, wait_estimate_s=30)
    result = planned(make_snapshot(tasks=make_tasks(8), pools=(pool,)))
    assert [p.node_indexes for p in result.placements] == [()] * 6
    assert result.placements[0].expected_start_ms == NOW_MS + 30_000
    assert result.placements[5].expected_start_ms > result.placements[0].expected_start_ms


def test_what_a_queued_pool_holds_is_not_given_out_again_by_an_owned_pool_over_the_same_nodes() -> None:
    held = tuple(make_allocation(f"a{n}", "queued", "group", node_indexes=()) for n in range(3))
    pools = (make_pool("owned", "group"), make_pool("queued", "group", kind=PoolKind.QUEUED, max_running=3))
    assert len(planned(make_snapshot(tasks=make_tasks(4), pools=pools, allocations=held)).placements) == 1


# --- money ----------------------------------------------------------------------------------------------------------


def paid(available: int | None, **more: Any) -> dict[str, Any]:
    """One large pool at 1000 micros a core second, and a project with so much money."""
    return {
        "node_groups": (make_group("group", nodes=64),),
        "pools": (make_pool("pool", "group", core_hour_micros=3_600_000),),
        "projects": (Project(id=LAB, available_micros=available),),
    } | more


def test_never_more_holds_in_a_cycle_than_the_balance_allows() -> None:
    tasks = tuple(make_task(f"task-{n:03}", run_id=RunId(f"run-{n}"), walltime_s=100) for n in range(200))
    result = planned(make_snapshot(tasks=tasks, **paid(10 * 100_000 + 99_999)))
    assert len(result.placements) == 10
    assert len(result.unplaced) == 190
    for unplaced in result.unplaced:
        binding = unplaced.reasons[0]
        assert (binding.code.value, binding.pool_id) == ("budget", None)
        assert binding.figures == {"missing_micros": 1, "hold_micros": 100_000, "available_micros": 99_999}


def test_an_overdrawn_project_starts_nothing_that_costs() -> None:
    result = planned(make_snapshot(tasks=(make_task(walltime_s=1),), **paid(-5)))
    assert why_not(result)[0].figures == {"missing_micros": 1005, "hold_micros": 1000, "available_micros": -5}


def test_a_free_pool_needs_no_balance() -> None:
    snapshot = make_snapshot(tasks=(make_task(),), projects=(Project(id=LAB, available_micros=-7),))
    assert where(planned(snapshot)) == {"task": "pool"}


def test_a_run_limit_counts_what_the_cycle_holds_for_the_run() -> None:
    poor = [make_task(f"poor-{n}", run_id=RunId("poor"), walltime_s=1, run_budget_left_micros=2500) for n in range(4)]
    rich = [make_task(f"rich-{n}", run_id=RunId("rich"), walltime_s=1) for n in range(4)]
    result = planned(make_snapshot(tasks=(*poor, *rich), **paid(None)))
    assert sorted(where(result)) == ["poor-0", "poor-1", "rich-0", "rich-1", "rich-2", "rich-3"]
    reason = why_not(result, "poor-2")[0]
    assert (reason.code.value, reason.figures["missing_micros"]) == ("run_budget", 500)


def test_a_pool_that_could_be_paid_for_is_the_binding_reason_before_one_that_could_not() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(walltime_s=100),),
        node_groups=(make_group("g1", cpu_millis=1000), make_group("g2")),
        pools=(make_pool("cheap", "g1"), make_pool("dear", "g2", core_hour_micros=3_600_000)),
        allocations=(make_allocation("a", "cheap", "g1"),),
        projects=(Project(id=LAB, available_micros=0),),
    )
    assert codes(planned(snapshot)) == [("nodes_busy", "cheap"), ("budget", "dear")]


def test_prices_add_up_to_the_micro_and_round_up() -> None:
    price = Price(
        core_hour_micros=1, memory_gib_hour_micros=3_600_000, device_hour_micros=((GPU, 7_200_000),), start_micros=5
    )
    cost = price.compute_micros(cpu_millis=1, memory_bytes=2 * GIB, devices=((GPU, 2),), duration_ms=1500, nodes=3)
    assert cost == 5 + 1 + 2 * 1500 * 3 + 2 * 2 * 1500 * 3
    assert Price(egress_gib_micros=10).egress_micros(1) == 1


# --- pauses and quotas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "want"),
    [
        pytest.param({"paused": "fire"}, ("paused", "fire"), id="everything is paused"),
        pytest.param(
            {"projects": (Project(id=LAB, paused="audit"),)}, ("project_paused", "audit"), id="a project is paused"
        ),
    ],
)
def test_a_pause_stops_new_work_and_every_task_repeats_its_reason(world: dict[str, Any], want: tuple[str, str]) -> None:
    result = planned(make_snapshot(tasks=make_tasks(3), **world))
    assert [(u.reasons[0].code.value, u.reasons[0].figures["reason"]) for u in result.unplaced] == [want] * 3


def test_a_project_nobody_told_of_starts_nothing() -> None:
    assert codes(planned(make_snapshot(tasks=(make_task(),), projects=()))) == [("project_unknown", None)]


def test_quotas_count_what_runs_and_what_the_cycle_starts() -> None:
    held = (make_allocation("a", "pool", "group"),)
    few = planned(make_snapshot(tasks=make_tasks(4), allocations=held, projects=(Project(id=LAB, max_running=2),)))
    assert len(few.placements) == 1
    assert codes(few, "task-0001") == [("quota_running", None)]
    cores = planned(
        make_snapshot(tasks=make_tasks(4), allocations=held, projects=(Project(id=LAB, max_cpu_millis=3500),))
    )
    assert len(cores.placements) == 2
    assert why_not(cores, "task-0002")[0].figures == {"used": 3000, "limit": 3500, "needed": 1000}


def test_a_cycle_places_no_more_than_it_may_and_says_so() -> None:
    result = planned(make_snapshot(tasks=make_tasks(4)), Policy(max_placements=1))
    assert len(result.placements) == 1
    assert codes(result, "task-0001") == [("cycle_limit", None)]


# --- order ----------------------------------------------------------------------------------------------------------


def test_priority_goes_before_age_and_age_before_id() -> None:
    tasks = (
        make_task("c-old", queued_since_ms=NOW_MS - 50_000),
        make_task("b-new", queued_since_ms=NOW_MS - 10_000),
        make_task("a-new", queued_since_ms=NOW_MS - 10_000),
        make_task("z-urgent", priority=Priority.INTERACTIVE),
        make_task("a-idle", priority=Priority.OPPORTUNISTIC, queued_since_ms=NOW_MS - 90_000),
    )
    placed = [p.task_id for p in planned(make_snapshot(tasks=tasks)).placements]
    assert placed == ["z-urgent", "c-old", "a-new", "b-new"]


def test_long_waiting_lifts_a_task_by_a_class() -> None:
    tasks = (
        make_task("a-normal"),
        make_task("z-idle", priority=Priority.OPPORTUNISTIC, queued_since_ms=NOW_MS - 3_700_000),
    )
    snapshot = make_snapshot(tasks=tasks, node_groups=(make_group("group", cpu_millis=1000),))
    assert where(planned(snapshot, Policy(aging_s=3600))) == {"z-idle": "pool"}
    assert where(planned(snapshot, Policy(aging_s=0))) == {"a-normal": "pool"}


@pytest.mark.parametrize("seed", range(6))
def test_the_same_snapshot_in_any_order_gives_the_same_plan(seed: int) -> None:
    scenario = random_scenario(seed, budget_micros=900_000)
    tasks = tuple(replace(task, queued_since_ms=at_ms) for at_ms, task in scenario.arrivals)
    snapshot = replace(scenario.snapshot, tasks=tasks)
    rng = random.Random(seed)
    shuffled: dict[str, Any] = {
        name: tuple(rng.sample(getattr(snapshot, name), len(getattr(snapshot, name))))
        for name in ("tasks", "sites", "machines", "node_groups", "pools", "projects")
    }
    first = plan(snapshot, Policy(), NOW_MS)
    assert plan(snapshot, Policy(), NOW_MS) == first
    assert plan(replace(snapshot, **shuffled), Policy(), NOW_MS) == first
    assert first.placements


def test_plan_does_not_change_what_it_is_given() -> None:
    scenario = random_scenario(3)
    snapshot = replace(scenario.snapshot, tasks=tuple(task for _, task in scenario.arrivals))
    before = repr(snapshot)
    plan(snapshot, Policy(), NOW_MS)
    assert repr(snapshot) == before


def test_a_deadline_comes_before_the_price() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(objective=Objective.CHEAPEST, deadline_ms=NOW_MS + 40_000),),
        node_groups=(make_group("slow"), make_group("fast", speed_permille=2000)),
        pools=(make_pool("slow", "slow"), make_pool("fast", "fast", core_hour_micros=10**7)),
    )
    assert where(planned(snapshot)) == {"task": "fast"}
    relaxed = replace(snapshot, tasks=(make_task(objective=Objective.CHEAPEST),))
    assert where(planned(relaxed)) == {"task": "slow"}
