"""Backfill: small work may use room that is set aside only if it is gone in time."""

from __future__ import annotations

from typing import Any

from fubini_scheduler import plan
from fubini_scheduler.model import Machine, MachineId, Policy, Snapshot
from fubini_scheduler.simulator import violations
from tests.unit.fubini_scheduler.builders import (
    NOW_MS,
    codes,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    where,
    why_not,
)


def crowded(*later: Any, **more: Any) -> Snapshot:
    """A four-core node with one core taken for 100 s; first in order a task that wants all four."""
    fields: dict[str, Any] = {
        "tasks": (make_task("big", cpu_millis=4000, queued_since_ms=0), *later),
        "allocations": (make_allocation("a", "pool", "group", ends_in_s=100),),
    }
    return make_snapshot(**(fields | more))


def test_the_first_task_that_does_not_fit_gets_a_reservation() -> None:
    result = plan(crowded(), Policy(), NOW_MS)
    (reservation,) = result.reservations
    assert (reservation.task_id, reservation.pool_id, reservation.node_indexes) == ("big", "pool", (0,))
    assert reservation.start_ms == NOW_MS + 100_000
    assert codes(result, "big") == [("nodes_busy", "pool")]
    assert result.unplaced[0].expected_start_ms == NOW_MS + 100_000


def test_work_that_ends_in_time_slips_in_before_it() -> None:
    result = plan(crowded(make_task("short", walltime_s=100)), Policy(), NOW_MS)
    assert where(result) == {"short": "pool"}


def test_work_that_would_still_run_stays_out() -> None:
    result = plan(crowded(make_task("long", walltime_s=101)), Policy(), NOW_MS)
    assert where(result) == {}
    (reason,) = why_not(result, "long")
    assert reason.code.value == "reserved"
    assert reason.figures == {"for_task": "big", "start_s": 100}


def test_long_work_may_use_what_the_reservation_leaves_over() -> None:
    wants_three = make_task("three", cpu_millis=3000, queued_since_ms=0)
    held = tuple(make_allocation(f"a{n}", "pool", "group", ends_in_s=100) for n in range(2))
    later = (make_task("long-1", walltime_s=5000), make_task("long-2", walltime_s=6000))
    snapshot = make_snapshot(tasks=(wants_three, *later), allocations=held)
    result = plan(snapshot, Policy(), NOW_MS)
    assert where(result) == {"long-1": "pool"}
    assert violations(snapshot, result) == []


def test_a_reservation_holds_for_all_pools_over_the_node_group() -> None:
    pools = (make_pool("other", "group"), make_pool("pool", "group"))
    result = plan(crowded(make_task("long", walltime_s=5000), pools=pools), Policy(), NOW_MS)
    assert {code for code, _ in codes(result, "long")} == {"reserved"}


def test_a_reservation_holds_for_the_machine_under_other_node_groups_too() -> None:
    box = MachineId("box")
    snapshot = make_snapshot(
        tasks=(
            make_task("big", cpu_millis=4000, queued_since_ms=0, avoid_pools=()),
            make_task("long", walltime_s=5000),
        ),
        node_groups=(make_group("group", machine_id=box), make_group("side", cpu_millis=2000, machine_id=box)),
        pools=(make_pool("pool", "group"), make_pool("side", "side")),
        machines=(Machine(id=box, cpu_millis=4000),),
        allocations=(make_allocation("a", "pool", "group", ends_in_s=100),),
    )
    result = plan(snapshot, Policy(), NOW_MS)
    assert ("reserved", "side") in codes(result, "long")


def test_a_reservation_on_a_slot_limit_keeps_a_slot() -> None:
    pools = (make_pool("pool", "group", max_running=2),)
    result = plan(
        crowded(make_task("long", walltime_s=5000), make_task("short", walltime_s=10), pools=pools), Policy(), NOW_MS
    )
    assert where(result) == {"short": "pool"}


def test_a_gang_gets_a_reservation_for_all_its_nodes() -> None:
    held = (
        make_allocation("a0", "pool", "group", node=0, ends_in_s=50),
        make_allocation("a1", "pool", "group", node=1, ends_in_s=90),
        make_allocation("a2", "pool", "group", node=2, ends_in_s=70),
    )
    gang = make_task("gang", gang_nodes=2, cpu_millis=4000)
    result = plan(
        make_snapshot(tasks=(gang,), node_groups=(make_group("group", nodes=3),), allocations=held), Policy(), NOW_MS
    )
    (reservation,) = result.reservations
    assert (reservation.node_indexes, reservation.start_ms) == ((0, 2), NOW_MS + 70_000)


def test_an_overdue_allocation_is_expected_to_go_on_for_a_while() -> None:
    late = (make_allocation("a", "pool", "group", ends_in_s=-200),)
    (reservation,) = plan(crowded(allocations=late), Policy(), NOW_MS).reservations
    assert reservation.start_ms == NOW_MS + 100_000


def test_no_more_reservations_than_allowed() -> None:
    assert plan(crowded(), Policy(max_reservations=0), NOW_MS).reservations == ()
