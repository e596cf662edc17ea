"""Properties of the scheduler over whole simulated days, across seeds.

The simulator checks every single plan with `violations`: no node, machine, slot, device or quota over its limit, gangs
whole, filters respected, holds within budgets, every task decided once. Here they are asserted, with the properties that
only time shows: nothing starves, money comes out right, equal seeds give equal histories.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fubini_scheduler import plan
from fubini_scheduler.model import (
    LocalFirst,
    Machine,
    MachineId,
    Policy,
    Price,
    Project,
    ProjectId,
    RunId,
    SchedulingResult,
    SiteId,
    TaskRequest,
)
from fubini_scheduler.simulator import Scenario, random_scenario, simulate, violations
from fubini_scheduler.simulator.checks import could_run
from tests.unit.fubini_scheduler.builders import make_group, make_pool, make_snapshot, make_task

EDGE, HPC = SiteId("site-edge"), SiteId("site-hpc")
POLICIES = {
    "objective only": Policy(),
    "local first": Policy(local_first=LocalFirst(site_tiers=((EDGE,), (HPC,)), burst_wait_s=60)),
    "local first, capped": Policy(
        local_first=LocalFirst(site_tiers=((EDGE,), (HPC,)), burst_wait_s=5, burst_max_price_micros=20_000)
    ),
    "few placements a cycle": Policy(max_placements=2, max_reservations=1),
}
policies = st.sampled_from(sorted(POLICIES)).map(POLICIES.__getitem__)
few = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@few
@given(seed=st.integers(0, 2**32), policy=policies)
def test_every_task_that_can_run_anywhere_runs_in_the_end(seed: int, policy: Policy) -> None:
    scenario = random_scenario(seed, tasks=40)
    report = simulate(scenario, policy, seed=seed)
    assert report.violations == []
    never = {task.id for _, task in scenario.arrivals if not could_run(scenario.snapshot, task)}
    assert set(report.left) == never
    assert {r.task_id for r in report.records} == {task.id for _, task in scenario.arrivals} - never
    for reasons in report.left.values():
        assert reasons
        assert all(reason.permanent for reason in reasons), "what can never run is told so by every pool"
        assert {reason.pool_id for reason in reasons} == {pool.id for pool in scenario.snapshot.pools}


@few
@given(seed=st.integers(0, 2**32), budget=st.integers(0, 2_000_000), policy=policies)
def test_no_project_ever_spends_more_than_it_has(seed: int, budget: int, policy: Policy) -> None:
    scenario = random_scenario(seed, tasks=40, budget_micros=budget)
    report = simulate(scenario, policy, seed=seed)
    assert report.violations == []
    assert all(spent <= budget for spent in report.spent_by_project.values())
    for task_id, reasons in report.left.items():
        task = next(task for _, task in scenario.arrivals if task.id == task_id)
        money = any(reason.code.value == "budget" for reason in reasons)
        assert money or not could_run(scenario.snapshot, task) or _capped(policy)


def _capped(policy: Policy) -> bool:
    return policy.local_first is not None and policy.local_first.burst_max_price_micros is not None


@few
@given(seed=st.integers(0, 2**32), random=st.randoms(use_true_random=False), policy=policies)
def test_a_plan_depends_on_what_it_is_given_and_not_on_the_order(seed: int, random: Random, policy: Policy) -> None:
    scenario = random_scenario(seed, tasks=80, budget_micros=3_000_000)
    tasks = tuple(replace(task, queued_since_ms=at_ms) for at_ms, task in scenario.arrivals)
    snapshot = replace(scenario.snapshot, tasks=tasks)
    shuffled: dict[str, Any] = {
        name: _shuffled(getattr(snapshot, name), random)
        for name in ("tasks", "sites", "machines", "node_groups", "pools", "projects")
    }
    first = plan(snapshot, policy, 700_000)
    assert violations(snapshot, first) == []
    assert plan(replace(snapshot, **shuffled), policy, 700_000) == first


def _shuffled(items: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    copy = list(items)
    random.shuffle(copy)
    return tuple(copy)


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_give_equal_histories_and_others_do_not(seed: int) -> None:
    scenario = replace(random_scenario(seed), run_spread_permille=500)
    first = simulate(scenario, Policy(), seed=seed)
    assert simulate(scenario, Policy(), seed=seed) == first
    assert simulate(scenario, Policy(), seed=seed + 1) != first


def stream(big: TaskRequest, *, small: int) -> Scenario:
    """Small tasks without end for a node that they keep full, and one task that wants all of it."""
    arrivals = [(n * 10_000, make_task(f"small-{n:04}", walltime_s=120)) for n in range(small)]
    return Scenario(make_snapshot(), (*arrivals, (95_000, big)), run_spread_permille=300)


def test_a_big_task_is_not_starved_by_a_stream_of_small_ones() -> None:
    big = make_task("big", cpu_millis=4000, walltime_s=120)
    scenario = stream(big, small=300)
    report = simulate(scenario, Policy(), seed=1)
    started = {r.task_id: r.started_ms for r in report.records}
    assert report.violations == []
    assert started[big.id] < 95_000 + 240_000
    # And it is the reservation that does it: without one it waits for the stream to end.
    starved = simulate(scenario, Policy(max_reservations=0), seed=1)
    assert {r.task_id: r.started_ms for r in starved.records}[big.id] > 1_000_000


def test_a_gang_is_not_starved_either() -> None:
    arrivals = [(n * 5_000, make_task(f"small-{n:04}", walltime_s=120)) for n in range(300)]
    gang = make_task("gang", gang_nodes=3, cpu_millis=3000, walltime_s=60)
    snapshot = make_snapshot(node_groups=(make_group("group", nodes=3),))
    report = simulate(Scenario(snapshot, (*arrivals, (60_000, gang)), run_spread_permille=300), Policy(), seed=2)
    started = {r.task_id: r.started_ms for r in report.records}
    assert report.violations == []
    assert started[gang.id] < 60_000 + 240_000


def test_short_work_still_slips_past_a_waiting_big_task() -> None:
    arrivals = (
        (0, make_task("long", cpu_millis=2000, walltime_s=600, expected_ms=600_000)),
        (1000, make_task("big", cpu_millis=4000, walltime_s=600)),
        (2000, make_task("short", walltime_s=60, expected_ms=50_000)),
    )
    report = simulate(Scenario(make_snapshot(), arrivals), Policy(), seed=0)
    assert [r.task_id for r in sorted(report.records, key=lambda r: r.started_ms)] == ["long", "short", "big"]
    assert report.makespan_ms == 660_000


def test_a_machine_with_two_sites_on_it_is_full_but_never_over() -> None:
    """Two cores, three sites, sixty one-core minutes: thirty minutes, if no core ever idles and none is given twice."""
    box = MachineId("box")
    names = ("cloud", "edge", "hpc")
    snapshot = make_snapshot(
        node_groups=tuple(make_group(n, n, cpu_millis=2000, machine_id=box) for n in names),
        pools=tuple(make_pool(n, n, site=n, core_hour_micros=k * 1000) for k, n in enumerate(names)),
        machines=(Machine(id=box, cpu_millis=2000, max_tasks=2),),
    )
    arrivals = tuple((0, make_task(f"t{n:02}")) for n in range(60))
    report = simulate(Scenario(snapshot, arrivals), Policy(), seed=0)
    assert report.violations == []
    assert report.makespan_ms == 30 * 60_000
    ends = sorted([(r.started_ms, 1) for r in report.records] + [(r.finished_ms, -1) for r in report.records])
    running = most = 0
    for _, change in ends:
        running += change
        most = max(most, running)
    assert most == 2


def test_work_is_never_left_waiting_while_a_place_for_it_is_free() -> None:
    """Without local first, a task stays only where waiting is the better deal or nothing is free."""
    for seed in range(5):
        scenario = random_scenario(seed, tasks=80)
        tasks = tuple(replace(task, queued_since_ms=at_ms) for at_ms, task in scenario.arrivals)
        snapshot = replace(scenario.snapshot, tasks=tasks)
        result = plan(snapshot, Policy(), 700_000)
        idle = {"pool_slots", "nodes_busy", "machine_busy", "reserved", "waits_for_pool"}
        for unplaced in result.unplaced:
            found = {reason.code.value for reason in unplaced.reasons}
            assert found & idle or found <= {"quota_running"} or all(r.permanent for r in unplaced.reasons)


def test_checks_notice_a_wrong_plan() -> None:
    """The checker itself is checked: each kind of damage to a good plan is found."""
    price = Price(core_hour_micros=3_600_000)
    snapshot = make_snapshot(
        tasks=tuple(make_task(f"t{n}") for n in range(6)), pools=(replace(make_pool("pool", "group"), price=price),)
    )
    good = plan(snapshot, Policy(), 10)
    assert len(good.placements) == 4
    assert violations(snapshot, good) == []
    first = good.placements[0]

    def damaged(**change: Any) -> SchedulingResult:
        return replace(good, placements=(replace(first, **change), *good.placements[1:]))

    extra = replace(first, task_id=good.unplaced[0].task_id)
    wrong = {
        "cpu: 5000 of 4000": SchedulingResult((*good.placements, extra), good.unplaced[1:]),
        "was decided 2 times": SchedulingResult((*good.placements, first), good.unplaced),
        "was not decided": replace(good, unplaced=()),
        "got the nodes ()": damaged(node_indexes=()),
        "there are no nodes": damaged(node_indexes=(1,)),
        "the version": damaged(task_version=9),
        "the hold": damaged(hold_micros=0),
        "the amounts": damaged(cpu_millis=1),
        "without a reason": replace(good, unplaced=tuple(replace(u, reasons=()) for u in good.unplaced)),
    }
    for sentence, result in wrong.items():
        assert any(sentence in found for found in violations(snapshot, result)), sentence
    poor = replace(snapshot, projects=tuple(replace(p, available_micros=1) for p in snapshot.projects))
    assert any("holds" in found for found in violations(poor, good))
    slots = replace(snapshot, pools=tuple(replace(p, max_running=3) for p in snapshot.pools))
    assert any("slots: 4 of 3" in found for found in violations(slots, good))


def test_a_day_of_waiting_is_shared_by_equal_projects() -> None:
    """Two projects, one flooding the queue first: while both wait, they get equal parts of the cores."""
    a, b = ProjectId("a"), ProjectId("b")
    flood = [(0, make_task(f"a{n:03}", project_id=a, run_id=RunId("ra"))) for n in range(120)]
    later = [(300_000, make_task(f"b{n:03}", project_id=b, run_id=RunId("rb"))) for n in range(40)]
    snapshot = make_snapshot(projects=(Project(id=a), Project(id=b)))
    report = simulate(Scenario(snapshot, (*flood, *later)), Policy(), seed=0)
    last_b = max(r.finished_ms for r in report.records if r.project_id == b)
    # 40 minutes of b on four cores it shares, after a's head start is paid back: well before a's 120 are done.
    during = [r for r in report.records if 300_000 <= r.started_ms < last_b]
    share_of_b = sum(r.project_id == b for r in during) / len(during)
    assert 0.5 <= share_of_b <= 1.0
    assert last_b < max(r.finished_ms for r in report.records)
    starts = sorted(r.started_ms for r in report.records)
    assert all(later - earlier <= 60_000 for earlier, later in pairwise(starts)), "no core idles meanwhile"
