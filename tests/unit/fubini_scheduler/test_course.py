"""The course of a run: what the plan does with its steps under each objective, and what that comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fubini_scheduler import course
from fubini_scheduler.course import Steps, for_quotes, in_pool
from fubini_scheduler.model import (
    BlobKey,
    Objective,
    Policy,
    PoolId,
    Price,
    Project,
    ProjectId,
    Quota,
    SiteId,
    Snapshot,
)
from tests.unit.fubini_scheduler.builders import (
    MIB,
    NOW_MS,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    make_tasks,
)


def fast_and_slow(**more: Any) -> Snapshot:
    """`fast`: four cores, four times as fast, dear. `slow`: four cores, nearly free."""
    fields: dict[str, Any] = {
        "node_groups": (make_group("fast", "fast", speed_permille=4000), make_group("slow", "slow")),
        "pools": (
            make_pool("fast", "fast", site="fast", core_hour_micros=3_600_000),
            make_pool("slow", "slow", site="slow", core_hour_micros=36_000),
        ),
    }
    return for_quotes(make_snapshot(**(fields | more)), ProjectId("lab"))


def steps(*by_level: int, **more: Any) -> Steps:
    return Steps(make_task(expected_ms=600_000, walltime_s=1200, **more), dict(enumerate(by_level)))


def test_each_objective_comes_to_figures_of_its_own() -> None:
    found = {
        objective: course([steps(12, objective=objective)], fast_and_slow(), Policy(), NOW_MS)
        for objective in Objective
    }
    fastest, balanced, cheapest = (found[o] for o in (Objective.FASTEST, Objective.BALANCED, Objective.CHEAPEST))
    assert cheapest.taken == ({"slow": 12},)
    assert (cheapest.time_low_s, cheapest.money_low_micros) == (3 * 600, 12 * 6000)
    assert fastest.taken[0]["fast"] > balanced.taken[0]["fast"] > 0
    assert fastest.time_low_s < balanced.time_low_s < cheapest.time_low_s
    assert fastest.money_low_micros > balanced.money_low_micros > cheapest.money_low_micros
    for one in found.values():
        assert one.whole and one.left == 0 and sum(one.taken[0].values()) == 12
        assert one.money_high_micros > one.money_low_micros and one.time_high_s > one.time_low_s


def test_the_high_end_is_every_step_taking_all_the_time_reserved_for_it() -> None:
    snapshot = for_quotes(make_snapshot(pools=(make_pool("pool", "group", core_hour_micros=3600),)), ProjectId("lab"))
    found = course([steps(8)], snapshot, Policy(), NOW_MS)
    assert (found.time_low_s, found.time_high_s) == (1200, 2400)
    assert (found.money_low_micros, found.money_high_micros) == (8 * 600, 8 * 1200)


def test_levels_run_one_after_the_other_and_what_is_on_one_side_by_side() -> None:
    snapshot = for_quotes(make_snapshot(), ProjectId("lab"))
    found = course([steps(1, 0, 1), steps(1), steps(0, 3)], snapshot, Policy(), NOW_MS)
    assert (found.time_low_s, found.time_high_s) == (1800, 3600)


def test_what_runs_and_waits_already_comes_first() -> None:
    busy = make_allocation("a", "pool", "group", cpu_millis=4000, ends_in_s=50)
    waiting = make_tasks(4, expected_ms=100_000)
    snapshot = for_quotes(make_snapshot(allocations=(busy,), tasks=waiting), ProjectId("lab"))
    found = course([steps(1)], snapshot, Policy(), NOW_MS)
    assert found.time_low_s == 50 + 100 + 600


def test_a_run_bound_to_one_pool_has_that_pools_figures() -> None:
    of = [steps(4)]
    slow = course(in_pool(of, PoolId("slow")), fast_and_slow(), Policy(), NOW_MS)
    fast = course(in_pool(of, PoolId("fast")), fast_and_slow(), Policy(), NOW_MS)
    assert (slow.taken, slow.time_low_s, slow.money_low_micros) == (({"slow": 4},), 600, 24_000)
    assert (fast.taken, fast.time_low_s, fast.money_low_micros) == (({"fast": 4},), 150, 600_000)


def test_a_step_that_fits_nowhere_is_left_and_the_others_are_counted() -> None:
    snapshot = for_quotes(make_snapshot(), ProjectId("lab"))
    found = course([steps(1, cpu_millis=64_000), steps(0, 2)], snapshot, Policy(), NOW_MS)
    assert (found.left, found.taken, found.time_low_s) == (1, ({}, {"pool": 2}), 600)


def test_neither_money_nor_a_pause_changes_a_quote_but_a_quota_of_cores_does() -> None:
    poor = Project(id=ProjectId("lab"), available_micros=0, paused="holidays")
    stopped = fast_and_slow(projects=(poor,), paused="upgrade")
    free = fast_and_slow()
    assert course([steps(6)], stopped, Policy(), NOW_MS) == course([steps(6)], free, Policy(), NOW_MS)
    tight = replace(free, quotas=(Quota(project_id=ProjectId("lab"), max_cpu_millis=1000),))
    cheapest = [steps(3, objective=Objective.CHEAPEST)]
    assert course(cheapest, tight, Policy(), NOW_MS).time_low_s == 3 * 600


def test_bytes_are_moved_to_a_site_once() -> None:
    data = ((BlobKey("b"), 60 * MIB),)
    pool = make_pool("pool", "group", bandwidth_bytes_per_s=MIB, price=Price(egress_gib_micros=0))
    snapshot = make_snapshot(pools=(pool,), replicas={BlobKey("b"): frozenset({SiteId("site-other")})})
    found = course([steps(1, 1, inputs=data)], for_quotes(snapshot, ProjectId("lab")), Policy(), NOW_MS)
    assert found.time_low_s == 60 + 2 * 600


@pytest.mark.parametrize("by_level", [(20_000,), (1,) * 5_000, (7,) * 100])
def test_runs_beyond_the_bounds_are_estimated_like_their_beginning(by_level: tuple[int, ...]) -> None:
    snapshot = for_quotes(make_snapshot(pools=(make_pool("pool", "group", core_hour_micros=3600),)), ProjectId("lab"))
    count, slots = sum(by_level), 4
    found = course([steps(*by_level)], snapshot, Policy(), NOW_MS)
    exact_s = sum(-(-n // slots) for n in by_level) * 600
    assert not found.whole and found.left == 0
    assert found.money_low_micros == count * 600 and found.taken == ({"pool": count},)
    assert abs(found.time_low_s - exact_s) <= exact_s // 10


def test_very_many_kinds_of_steps_stand_for_each_other() -> None:
    snapshot = for_quotes(make_snapshot(pools=(make_pool("pool", "group", core_hour_micros=3600),)), ProjectId("lab"))
    kinds = [Steps(make_task(template=f"t{n}", expected_ms=500_000 + n * 1000, walltime_s=3600), {n % 3: 1}) for n in range(200)]
    found = course(kinds, snapshot, Policy(), NOW_MS)
    exact = sum(500 + n for n in range(200))  # a micro a second
    assert not found.whole and found.left == 0 and found.taken == ({"pool": 1},) * 200
    assert abs(found.money_low_micros - exact) <= exact // 100
    assert abs(found.time_low_s - exact // 4) <= exact // 40
