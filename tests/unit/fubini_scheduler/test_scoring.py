"""Where a task goes: objective, bytes, local first and overflow, and what the plan says about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fubini_scheduler import plan
from fubini_scheduler.model import (
    STORE,
    Alternative,
    BlobKey,
    Objective,
    Policy,
    Price,
    Project,
    ProjectId,
    SiteId,
    Snapshot,
    Transfer,
)
from fubini_scheduler.simulator import violations
from tests.unit.fubini_scheduler.builders import (
    GIB,
    MIB,
    NOW_MS,
    codes,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    make_tasks,
    near_first,
    two_sites,
    where,
    why_not,
)

DATA = BlobKey("blob:data")


def chosen(snapshot: Snapshot, policy: Policy | None = None) -> tuple[str, str]:
    """The only task's pool, and why."""
    result = plan(snapshot, policy or Policy(), NOW_MS)
    assert violations(snapshot, result) == []
    (placement,) = result.placements
    return placement.pool_id, placement.why.code.value


# --- objectives -----------------------------------------------------------------------------------------------------


def three_speeds(objective: Objective) -> Snapshot:
    """`slow` is free, `quick` is twice as fast for little, `rocket` ten times for a fortune."""
    return make_snapshot(
        tasks=(make_task(objective=objective, expected_ms=3_600_000),),
        node_groups=(
            make_group("slow"),
            make_group("quick", speed_permille=2000),
            make_group("rocket", speed_permille=10_000),
        ),
        pools=(
            make_pool("slow", "slow"),
            make_pool("quick", "quick", core_hour_micros=100_000),
            make_pool("rocket", "rocket", core_hour_micros=100_000_000),
        ),
    )


@pytest.mark.parametrize(
    ("objective", "want"),
    [
        pytest.param(Objective.CHEAPEST, ("slow", "cheapest"), id="cheapest takes the free pool however slow"),
        pytest.param(Objective.BALANCED, ("quick", "balanced"), id="balanced pays for time that is worth it"),
        pytest.param(Objective.FASTEST, ("rocket", "fastest"), id="fastest pays anything"),
    ],
)
def test_the_objective_decides_among_free_pools(objective: Objective, want: tuple[str, str]) -> None:
    assert chosen(three_speeds(objective)) == want


def test_equal_places_are_told_apart_by_id() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(),),
        node_groups=(make_group("g"), make_group("h")),
        pools=(make_pool("b", "g"), make_pool("a", "h")),
    )
    assert chosen(snapshot)[0] == "a"


def test_one_pool_that_can_is_the_only_feasible_one() -> None:
    assert chosen(two_sites(tasks=(make_task(cpu_millis=8000),))) == ("far", "only_feasible")


def test_alternatives_show_what_was_weighed_best_first() -> None:
    result = plan(two_sites(tasks=(make_task(expected_ms=3_600_000),)), near_first(), NOW_MS)
    first, second = result.placements[0].why.alternatives
    finish_ms = NOW_MS + 3_600_000
    assert first == Alternative("near", "near", NOW_MS, finish_ms, 0, 1_000_000, 0, 0, None)  # type: ignore[arg-type]
    assert (second.pool_id, second.price_micros, second.score) == ("far", 60_000, 1_060_000)
    assert second.not_chosen is not None
    assert second.not_chosen.value == "local_first"


# --- local first ----------------------------------------------------------------------------------------------------


def test_local_goes_first_even_where_the_score_would_not() -> None:
    fast_and_free = (
        make_pool("near", "near", site="near", core_hour_micros=10**6),
        make_pool("far", "far", site="far"),
    )
    snapshot = two_sites(tasks=(make_task(),), pools=fast_and_free)
    assert chosen(snapshot) == ("far", "balanced")
    assert chosen(snapshot, near_first()) == ("near", "local_first")


def busy_near(ends_in_s: int, **more: Any) -> Snapshot:
    """Two sites with the near core taken for so long."""
    return two_sites(
        tasks=(make_task(),), allocations=(make_allocation("a", "near", "near", ends_in_s=ends_in_s),), **more
    )


def test_a_task_waits_for_a_local_place_that_is_free_soon() -> None:
    result = plan(busy_near(59), near_first(60), NOW_MS)
    assert codes(result) == [("waits_for_pool", "near"), ("local_first", "far")]
    waits, gate = why_not(result)
    assert waits.figures == {"wait_s": 59}
    assert gate.figures == {"wait_s": 59, "burst_wait_s": 60}
    assert result.unplaced[0].expected_start_ms == NOW_MS + 59_000


def test_a_task_overflows_when_local_places_are_taken_for_longer() -> None:
    assert chosen(busy_near(300), near_first(60)) == ("far", "burst")


def test_overflow_stays_within_its_price() -> None:
    snapshot = busy_near(300)
    assert chosen(snapshot, near_first(60, burst_max_price_micros=1000)) == ("far", "burst")
    result = plan(snapshot, near_first(60, burst_max_price_micros=999), NOW_MS)
    assert codes(result) == [("waits_for_pool", "near"), ("burst_price", "far")]
    assert why_not(result)[1].figures == {"price_micros": 1000, "limit_micros": 999}


def test_overflow_that_does_not_pay_waits_all_the_same() -> None:
    dear = (make_pool("near", "near", site="near"), make_pool("far", "far", site="far", core_hour_micros=10**9))
    result = plan(busy_near(300, pools=dear), near_first(60), NOW_MS)
    assert codes(result) == [("waits_for_pool", "near"), ("scored_worse", "far")]


def test_the_price_cap_holds_while_the_local_site_is_away() -> None:
    away = (
        make_pool("near", "near", site="near", reachable=False),
        make_pool("far", "far", site="far", core_hour_micros=60_000),
    )
    snapshot = two_sites(tasks=(make_task(),), pools=away)
    assert codes(plan(snapshot, near_first(burst_max_price_micros=999), NOW_MS)) == [
        ("burst_price", "far"),
        ("agent_away", "near"),
    ]
    assert chosen(snapshot, near_first(burst_max_price_micros=1000))[0] == "far"


def test_the_price_cap_does_not_bind_what_only_the_far_site_can_run() -> None:
    snapshot = two_sites(tasks=(make_task(cpu_millis=8000),))
    assert chosen(snapshot, near_first(burst_max_price_micros=0)) == ("far", "only_feasible")


def test_a_queue_of_equal_tasks_waits_as_far_as_local_places_get_in_time_and_the_rest_overflows() -> None:
    snapshot = two_sites(tasks=make_tasks(10, expected_ms=20_000))
    result = plan(snapshot, near_first(60), NOW_MS)
    assert violations(snapshot, result) == []
    placed = where(result)
    # One runs near at once; the next start there after 20, 40 and 60 s; the fifth would wait 80 s.
    assert placed.pop("task-0000") == "near"
    assert sorted(placed) == [f"task-{n:04}" for n in range(4, 10)]
    assert set(placed.values()) == {"far"}
    assert [u.expected_start_ms for u in result.unplaced] == [NOW_MS + s * 1000 for s in (20, 40, 60)]


def test_tiers_open_one_after_the_other() -> None:
    snapshot = make_snapshot(
        tasks=make_tasks(4, expected_ms=300_000),
        node_groups=tuple(make_group(n, n, cpu_millis=c) for n, c in (("near", 1000), ("mid", 2000), ("far", 9000))),
        pools=tuple(make_pool(n, n, site=n) for n in ("near", "mid", "far")),
    )
    policy = near_first()
    rule = policy.local_first
    assert rule is not None
    tiers = ((SiteId("site-near"),), (SiteId("site-mid"),), (SiteId("site-far"),))
    result = plan(snapshot, replace(policy, local_first=replace(rule, site_tiers=tiers)), NOW_MS)
    assert sorted(where(result).values()) == ["far", "mid", "mid", "near"]


def test_local_first_may_be_left_to_some_objectives() -> None:
    policy = near_first()
    assert policy.local_first is not None
    only_balanced = replace(policy, local_first=replace(policy.local_first, objectives=(Objective.BALANCED,)))
    task = make_task(objective=Objective.FASTEST, expected_ms=100_000)
    snapshot = two_sites(
        tasks=(task,),
        node_groups=(make_group("near", "near"), make_group("far", "far", speed_permille=2000)),
    )
    assert chosen(snapshot, policy)[0] == "near"
    assert chosen(snapshot, only_balanced) == ("far", "fastest")


# --- bytes ----------------------------------------------------------------------------------------------------------


def with_data(size: int, **more: Any) -> Snapshot:
    """`home` holds the data and is slow; `fast` is three times faster behind a link of 1 MiB/s."""
    fields: dict[str, Any] = {
        "tasks": (make_task(inputs=((DATA, size),), expected_ms=90_000),),
        "node_groups": (make_group("home", "home"), make_group("fast", "fast", speed_permille=3000)),
        "pools": (
            make_pool("home", "home", site="home", bandwidth_bytes_per_s=MIB),
            make_pool("fast", "fast", site="fast", bandwidth_bytes_per_s=MIB),
        ),
        "replicas": {DATA: frozenset({SiteId("site-home")})},
    }
    return make_snapshot(**(fields | more))


def test_a_large_dataset_behind_a_slow_link_draws_the_step_to_it() -> None:
    assert chosen(with_data(500 * MIB)) == ("home", "data_local")


def test_a_small_dataset_goes_where_the_step_ends_soonest() -> None:
    snapshot = with_data(10 * MIB)
    assert chosen(snapshot) == ("fast", "balanced")
    (placement,) = plan(snapshot, Policy(), NOW_MS).placements
    assert placement.bytes_to_move == 10 * MIB
    assert placement.expected_start_ms == NOW_MS + 10_000


def test_a_replica_makes_a_place_as_good_as_home() -> None:
    both = {DATA: frozenset({SiteId("site-home"), SiteId("site-fast")})}
    assert chosen(with_data(500 * MIB, replicas=both))[0] == "fast"


def test_what_is_in_flight_to_a_site_is_ahead_of_what_must_still_go_there() -> None:
    ahead = (Transfer(SiteId("site-fast"), BlobKey("other"), 55 * MIB),)
    assert chosen(with_data(10 * MIB, transfers=ahead)) == ("home", "data_local")


def test_a_blob_on_its_way_is_waited_for_and_not_moved_twice() -> None:
    coming = (Transfer(SiteId("site-fast"), DATA, 20 * MIB),)
    (placement,) = plan(with_data(500 * MIB, transfers=coming), Policy(), NOW_MS).placements
    assert (placement.pool_id, placement.bytes_to_move) == ("fast", 0)
    assert placement.expected_start_ms == NOW_MS + 20_000


def test_tasks_that_share_an_input_move_it_once() -> None:
    tasks = make_tasks(3, inputs=((DATA, 10 * MIB),), expected_ms=90_000)
    result = plan(with_data(0, tasks=tasks), Policy(), NOW_MS)
    assert [p.bytes_to_move for p in result.placements] == [10 * MIB, 0, 0]
    assert {p.expected_start_ms for p in result.placements} == {NOW_MS + 10_000}


def test_tasks_with_inputs_of_their_own_queue_for_the_link() -> None:
    tasks = tuple(make_task(f"t{n}", inputs=((BlobKey(f"b{n}"), 5 * MIB),), expected_ms=90_000) for n in range(3))
    pools = (make_pool("fast", "fast", site="fast", bandwidth_bytes_per_s=MIB),)
    result = plan(with_data(0, tasks=tasks, replicas={}, pools=pools), Policy(), NOW_MS)
    assert [p.expected_start_ms - NOW_MS for p in result.placements] == [5_000, 10_000, 15_000]


def test_equal_tasks_of_one_run_with_other_inputs_are_judged_by_their_own() -> None:
    tasks = (
        make_task("t0", inputs=((DATA, 500 * MIB),), expected_ms=90_000),
        make_task("t1", expected_ms=90_000),
        make_task("t2", inputs=((DATA, 500 * MIB),), expected_ms=90_000),
    )
    result = plan(with_data(0, tasks=tasks), Policy(), NOW_MS)
    assert where(result) == {"t0": "home", "t1": "fast", "t2": "home"}


def test_egress_is_paid_for_and_held_unless_the_store_has_the_bytes() -> None:
    pools = (
        make_pool("home", "home", site="home", paused="full", price=Price(egress_gib_micros=1_000_000)),
        make_pool("fast", "fast", site="fast", bandwidth_bytes_per_s=GIB),
    )
    (placement,) = plan(with_data(2 * GIB, pools=pools), Policy(), NOW_MS).placements
    assert (placement.price_micros, placement.hold_micros) == (2_000_000, 2_000_000)
    stored = {DATA: frozenset({SiteId("site-home"), STORE})}
    (free,) = plan(with_data(2 * GIB, pools=pools, replicas=stored), Policy(), NOW_MS).placements
    assert (free.price_micros, free.hold_micros) == (0, 0)


def test_egress_beyond_the_balance_is_a_budget_reason() -> None:
    pools = (
        make_pool("home", "home", site="home", paused="full", price=Price(egress_gib_micros=1_000_000)),
        make_pool("fast", "fast", site="fast"),
    )
    poor = (Project(id=ProjectId("lab"), available_micros=1_999_999),)
    result = plan(with_data(2 * GIB, pools=pools, projects=poor), Policy(), NOW_MS)
    assert why_not(result)[0].figures["missing_micros"] == 1


def test_bytes_count_in_the_local_wait_so_a_dataset_far_away_opens_overflow() -> None:
    far_data = {DATA: frozenset({SiteId("site-far")})}
    task = make_task(inputs=((DATA, 4 * GIB),))
    snapshot = two_sites(tasks=(task,), replicas=far_data)
    assert chosen(snapshot, near_first(60)) == ("far", "data_local")
    assert chosen(replace(snapshot, tasks=(replace(task, inputs=((DATA, MIB),)),)), near_first(60)) == (
        "near",
        "local_first",
    )
