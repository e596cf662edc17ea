"""Quotes: ranges per pool, and the reason where a pool cannot."""

from __future__ import annotations

from fubini_scheduler import quote
from fubini_scheduler.model import BlobKey, Objective, Policy, PoolKind, SiteId
from tests.unit.fubini_scheduler.builders import (
    MIB,
    NOW_MS,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    two_sites,
)


def test_a_quote_gives_money_and_time_as_ranges_for_each_pool() -> None:
    (answer,) = quote([(make_task(walltime_s=600), 1)], two_sites(), Policy(), NOW_MS)
    near, far = answer.pools
    assert (near.pool_id, near.money_low_micros, near.money_high_micros) == ("near", 0, 0)
    assert (far.pool_id, far.money_low_micros, far.money_high_micros) == ("far", 1000, 10_000)
    assert (far.time_low_s, far.time_high_s) == (60, 600)
    assert answer.feasible


def test_many_equal_tasks_run_in_waves() -> None:
    (answer,) = quote([(make_task(walltime_s=100), 10)], two_sites(), Policy(), NOW_MS)
    near, far = answer.pools
    assert (near.time_low_s, near.time_high_s) == (600, 1000)
    assert (far.money_low_micros, far.time_low_s) == (10_000, 60)


def test_waits_and_bytes_are_in_the_time() -> None:
    task = make_task(inputs=((BlobKey("b"), 30 * MIB),), walltime_s=100)
    snapshot = make_snapshot(
        pools=(make_pool("pool", "group", bandwidth_bytes_per_s=MIB),),
        allocations=(make_allocation("a", "pool", "group", cpu_millis=4000, ends_in_s=50),),
        replicas={BlobKey("b"): frozenset({SiteId("site-other")})},
    )
    (answer,) = quote([(task, 1)], snapshot, Policy(), NOW_MS)
    (pool,) = answer.pools
    assert (pool.bytes_to_move, pool.wait_s, pool.time_low_s, pool.time_high_s) == (30 * MIB, 50, 90, 180)


def test_a_queued_pool_adds_the_sites_own_wait() -> None:
    pools = (make_pool("pool", "group", kind=PoolKind.QUEUED, wait_estimate_s=1000),)
    (answer,) = quote([(make_task(), 1)], make_snapshot(pools=pools), Policy(), NOW_MS)
    assert answer.pools[0].wait_s == 1000


def test_a_pool_that_cannot_is_listed_last_with_its_reason() -> None:
    snapshot = make_snapshot(
        node_groups=(make_group("a", cpu_millis=500), make_group("b")),
        pools=(make_pool("a-small", "a"), make_pool("b-fits", "b", core_hour_micros=1)),
    )
    (answer,) = quote([(make_task(), 1)], snapshot, Policy(), NOW_MS)
    assert [(p.pool_id, p.feasible) for p in answer.pools] == [("b-fits", True), ("a-small", False)]
    reason = answer.pools[1].reason
    assert reason is not None
    assert reason.code.value == "cpu_too_large"


def test_a_request_that_nothing_can_run_is_not_feasible() -> None:
    (answer,) = quote([(make_task(cpu_millis=10**6), 1)], make_snapshot(), Policy(), NOW_MS)
    assert not answer.feasible


def test_each_objective_takes_the_pool_it_would_be_placed_in() -> None:
    (answer,) = quote([(make_task(walltime_s=600), 10)], two_sites(), Policy(), NOW_MS)
    assert [objective for objective, _ in answer.choices] == list(Objective)
    assert {pool.pool_id for _, pool in answer.choices} == {"near"}  # free, as fast, and with room


def test_the_dear_pool_is_the_fastest_where_the_free_one_is_busy() -> None:
    snapshot = make_snapshot(
        pools=(
            make_pool("free", "group"),
            make_pool("dear", "other", core_hour_micros=3_600_000),
        ),
        node_groups=(make_group("group"), make_group("other")),
        allocations=(make_allocation("a", "free", "group", cpu_millis=4000, ends_in_s=5000),),
    )
    (answer,) = quote([(make_task(walltime_s=100), 1)], snapshot, Policy(), NOW_MS)
    chosen = {objective: pool.pool_id for objective, pool in answer.choices}
    assert (chosen[Objective.FASTEST], chosen[Objective.CHEAPEST]) == ("dear", "free")


def test_what_fits_nowhere_has_no_choice() -> None:
    (answer,) = quote([(make_task(cpu_millis=10**6), 1)], make_snapshot(), Policy(), NOW_MS)
    assert answer.choices == ()
