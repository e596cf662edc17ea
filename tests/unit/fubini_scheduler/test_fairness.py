"""Fair share: decayed use decides who is next."""

from __future__ import annotations

from collections import Counter

from fubini_scheduler import plan
from fubini_scheduler.fairness import Shares, add_usage, amounts_of, decayed
from fubini_scheduler.model import Policy, Project, ProjectId, RunId, Usage
from tests.unit.fubini_scheduler.builders import (
    GIB,
    NOW_MS,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
)

A, B = ProjectId("a"), ProjectId("b")
HOUR_S = 3600


def test_use_halves_with_each_half_life() -> None:
    usage = Usage(cpu_milli_s=1000, memory_mib_s=800, device_s=80, as_of_ms=NOW_MS)
    later = decayed(usage, now_ms=NOW_MS + 3 * HOUR_S * 1000, half_life_s=HOUR_S)
    assert later == Usage(cpu_milli_s=125, memory_mib_s=100, device_s=10, as_of_ms=NOW_MS + 3 * HOUR_S * 1000)


def test_use_falls_steadily_between_half_lives() -> None:
    usage = Usage(cpu_milli_s=1_000_000)
    seen = [decayed(usage, now_ms=m * 60_000, half_life_s=HOUR_S).cpu_milli_s for m in range(0, 181, 15)]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen)
    assert seen[2] == 707_106


def test_a_clock_that_steps_back_changes_nothing() -> None:
    usage = Usage(cpu_milli_s=5, as_of_ms=NOW_MS)
    assert decayed(usage, now_ms=NOW_MS - 1, half_life_s=1) == usage


def test_new_use_is_added_to_what_is_left_of_the_old() -> None:
    usage = Usage(cpu_milli_s=1000, as_of_ms=0)
    added = add_usage(usage, (7, 8, 9), now_ms=HOUR_S * 1000, half_life_s=HOUR_S)
    assert added == Usage(cpu_milli_s=507, memory_mib_s=8, device_s=9, as_of_ms=HOUR_S * 1000)


def test_amounts_count_all_nodes_of_a_gang() -> None:
    amounts = amounts_of(cpu_millis=2000, memory_bytes=GIB, devices=(("x", 2), ("y", 1)), nodes=3, duration_ms=2000)
    assert amounts == (12_000, 6144, 18)


def test_the_dominant_resource_counts() -> None:
    snapshot = make_snapshot(node_groups=(make_group("group"),), projects=(Project(id=A), Project(id=B)))
    shares = Shares(snapshot, now_ms=NOW_MS, half_life_s=HOUR_S)
    shares.add(A, (400, 0, 0))  # a tenth of 4000
    shares.add(B, (4, 4096, 0))  # a quarter of 16384
    assert shares.of(A) < shares.of(B)


def competing(*, a: Project, b: Project, count: int = 20) -> Counter[str]:
    """How the four cores of one node are given to two projects with many tasks each; `a` is older in all of them."""
    tasks = tuple(
        make_task(
            f"{p}-{n:02}", project_id=p, run_id=RunId(f"run-{p}"), queued_since_ms=NOW_MS - (9000 if p == A else 1000)
        )
        for p in (A, B)
        for n in range(count)
    )
    result = plan(make_snapshot(tasks=tasks, projects=(a, b)), Policy(), NOW_MS)
    return Counter(p.project_id for p in result.placements)


def test_equal_projects_take_turns_whoever_came_first() -> None:
    assert competing(a=Project(id=A), b=Project(id=B)) == {A: 2, B: 2}


def test_weights_divide_the_cores() -> None:
    assert competing(a=Project(id=A), b=Project(id=B, share=3)) == {A: 1, B: 3}


def test_past_use_is_paid_back_and_then_forgotten() -> None:
    used = Usage(cpu_milli_s=10**9, as_of_ms=NOW_MS)
    assert competing(a=Project(id=A, usage=used), b=Project(id=B)) == {B: 4}
    long_ago = Usage(cpu_milli_s=10**9, as_of_ms=0)
    assert competing(a=Project(id=A, usage=long_ago), b=Project(id=B)) == {A: 2, B: 2}


def test_what_runs_now_counts_although_no_use_is_booked_yet() -> None:
    held = (make_allocation("x", "pool", "group", project_id=A, ends_in_s=600),)
    tasks = tuple(make_task(f"{p}-{n}", project_id=p, run_id=RunId(p)) for p in (A, B) for n in range(5))
    snapshot = make_snapshot(tasks=tasks, projects=(Project(id=A), Project(id=B)), allocations=held)
    result = plan(snapshot, Policy(), NOW_MS)
    assert Counter(p.project_id for p in result.placements) == {B: 3}


def test_a_project_held_up_by_its_budget_does_not_hold_up_others() -> None:
    tasks = tuple(make_task(f"{p}-{n}", project_id=p, run_id=RunId(p)) for p in (A, B) for n in range(5))
    snapshot = make_snapshot(
        tasks=tasks,
        pools=(make_pool("pool", "group", core_hour_micros=10**6),),
        projects=(Project(id=A, available_micros=0), Project(id=B)),
    )
    assert Counter(p.project_id for p in plan(snapshot, Policy(), NOW_MS).placements) == {B: 4}
