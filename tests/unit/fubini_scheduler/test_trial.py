"""trial(), smallest() and forecast(): what is proposed really starts the task in plan(), and nothing smaller does."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from fubini_scheduler import forecast, plan, smallest, trial
from fubini_scheduler.model import (
    Objective,
    Policy,
    Pool,
    PoolKind,
    Price,
    Priority,
    Project,
    ProjectId,
    Quota,
    RunId,
    Snapshot,
    TaskId,
)
from fubini_scheduler.simulator import random_scenario, violations
from fubini_scheduler.trial import Change, ChangeKind, Option, placed_in, with_placements
from tests.unit.fubini_scheduler.builders import (
    GIB,
    NOW_MS,
    make_allocation,
    make_group,
    make_pool,
    make_snapshot,
    make_task,
    make_tasks,
    near_first,
    need,
    two_sites,
)

TASK = TaskId("task")
LAB = ProjectId("lab")
KIND = ChangeKind


def starts(snapshot: Snapshot, changes: tuple[Change, ...], task: TaskId = TASK, policy: Policy | None = None) -> bool:
    return placed_in(plan(trial(snapshot, task, changes), policy or Policy(), NOW_MS), task) is not None


def first(snapshot: Snapshot, task: TaskId = TASK, policy: Policy | None = None) -> Option:
    """The smallest option, which was checked to start the task."""
    found = smallest(snapshot, policy or Policy(), NOW_MS, task)
    assert found.complete
    option = found.options[0]
    assert starts(snapshot, option.changes, task, policy)
    return option


def priced(**more: Any) -> Pool:
    return make_pool("pool", "group", core_hour_micros=3_600_000, **more)


def test_a_change_leaves_the_snapshot_it_was_tried_on_as_it_was() -> None:
    snapshot = make_snapshot(tasks=(make_task(),), paused="chillers")
    assert trial(snapshot, TASK, (Change(KIND.RESUME_ALL),)).paused is None
    assert snapshot.paused == "chillers"


def test_a_task_that_would_start_as_it_is_needs_no_change() -> None:
    found = smallest(make_snapshot(tasks=(make_task(),)), Policy(), NOW_MS, TASK)
    assert (found.options, found.plans, found.complete, found.starts_now) == ((), 1, True, True)


@pytest.mark.parametrize(
    ("task", "more", "want"),
    [
        pytest.param({}, {"paused": "p"}, Change(KIND.RESUME_ALL), id="a pause of everything"),
        pytest.param({}, {"projects": (Project(id=LAB, paused="p"),)}, Change(KIND.RESUME_PROJECT), id="a project's pause"),
        pytest.param({}, {"pools": (make_pool("pool", "group", paused="p"),)}, Change(KIND.RESUME_POOL, target="pool"), id="a pool's"),
        pytest.param(
            {"walltime_s": 100}, {"pools": (priced(),), "projects": (Project(id=LAB, available_micros=70_000),)},
            Change(KIND.BUDGET, amount=30_000), id="the missing budget to the micro",
        ),
        pytest.param(
            {"walltime_s": 100, "run_budget_left_micros": 99_999}, {"pools": (priced(),)},
            Change(KIND.RUN_LIMIT, amount=1), id="a run's limit",
        ),
        pytest.param({"memory_bytes": 20 * GIB}, {}, Change(KIND.MEMORY, amount=16 * GIB), id="less memory than a node has"),
        pytest.param({"cpu_millis": 9000}, {}, Change(KIND.CPU, amount=4000), id="fewer cores than a node has"),
        pytest.param(
            {"cpu_millis": 4000}, {"allocations": (make_allocation("a", "pool", "group", cpu_millis=1500),)},
            Change(KIND.CPU, amount=2500), id="as many cores as are free",
        ),
        pytest.param(
            {"devices": (("gpu", 8),)}, {"node_groups": (make_group("group", devices=(("gpu", 4),)),)},
            Change(KIND.DEVICES, amount=4, word="gpu"), id="as many devices as a node has",
        ),
        pytest.param(
            {"devices": (("gpu", 4),)},
            {
                "node_groups": (make_group("group", devices=(("gpu", 4),)),),
                "allocations": (make_allocation("a", "pool", "group", devices=(("gpu", 3),)),),
            },
            Change(KIND.DEVICES, amount=1, word="gpu"), id="as many devices as are free",
        ),
        pytest.param(
            {"walltime_s": 7200}, {"pools": (make_pool("pool", "group", max_walltime_s=3600),)},
            Change(KIND.WALLTIME, amount=3600), id="a walltime the pool allows",
        ),
        pytest.param(
            {"required": ((need("fubini.dev/site", "In", "moon"),),)}, {}, Change(KIND.PLACE, target="pool"), id="another place",
        ),
        pytest.param(
            {}, {"projects": (Project(id=LAB, max_running=1),), "allocations": (make_allocation("a", "pool", "group"),)},
            Change(KIND.QUOTA_RUNNING, amount=2), id="one more at once",
        ),
        pytest.param(
            {"submitted_by": "user:ada"}, {"quotas": (Quota(project_id=LAB, member="user:ada", max_cpu_millis=500),)},
            Change(KIND.QUOTA, amount=1000, target="user:ada", word="cores"), id="a member's cores",
        ),
        pytest.param(
            {}, {"quotas": (Quota(project_id=LAB, max_runs=2, runs_beyond={RunId("run"): 5}),)},
            Change(KIND.QUOTA, amount=5, word="runs"), id="as many runs as are before it, and it",
        ),
        pytest.param(
            {}, {"quotas": (Quota(project_id=LAB, max_storage_bytes=10, used_storage_bytes=70),)},
            Change(KIND.QUOTA, amount=71, word="storage"), id="one stored byte that is free",
        ),
        pytest.param(
            {"walltime_s": 100}, {"pools": (priced(),), "quotas": (Quota(project_id=LAB, max_micros=70_000, used_micros=1),)},
            Change(KIND.QUOTA, amount=100_001, word="money"), id="the money of the month to the micro",
        ),
    ],
)  # fmt: skip
def test_the_reason_that_binds_has_its_smallest_answer(
    task: dict[str, Any], more: dict[str, Any], want: Change
) -> None:
    assert first(make_snapshot(tasks=(make_task(**task),), **more)).changes == (want,)


def test_two_things_in_the_way_take_two_changes() -> None:
    project = Project(id=LAB, available_micros=0, paused="p")
    snapshot = make_snapshot(tasks=(make_task(walltime_s=100),), pools=(priced(),), projects=(project,))
    option = first(snapshot)
    assert {c.kind for c in option.changes} == {KIND.BUDGET, KIND.RESUME_PROJECT}
    assert all(not starts(snapshot, (change,)) for change in option.changes)


def test_money_for_the_last_of_equal_tasks_is_money_for_all_before_it() -> None:
    tasks = make_tasks(4, walltime_s=100)
    snapshot = make_snapshot(tasks=tasks, pools=(priced(),), projects=(Project(id=LAB, available_micros=150_000),))
    option = first(snapshot, TaskId("task-0003"))
    assert option.changes == (Change(KIND.BUDGET, amount=250_000),)


def test_behind_very_many_equal_tasks_the_sum_is_found_by_halving() -> None:
    tasks = make_tasks(60, walltime_s=100)
    group = make_group("group", cpu_millis=64_000, memory_bytes=256 * GIB)
    snapshot = make_snapshot(
        tasks=tasks, node_groups=(group,), pools=(priced(),), projects=(Project(id=LAB, available_micros=0),)
    )
    option = first(snapshot, TaskId("task-0049"))
    assert option.changes == (Change(KIND.BUDGET, amount=5_000_000),)
    assert not starts(snapshot, (Change(KIND.BUDGET, amount=4_999_999),), TaskId("task-0049"))


def test_a_quota_of_cores_is_raised_for_all_before_it_and_for_whom_it_binds() -> None:
    tasks = make_tasks(30, submitted_by="user:ada")
    group = make_group("group", cpu_millis=64_000, memory_bytes=256 * GIB)
    quotas = (
        Quota(project_id=LAB, max_cpu_millis=2000),
        Quota(project_id=LAB, member="user:ada", max_cpu_millis=1000),
        Quota(project_id=LAB, member="user:bob", max_cpu_millis=0),
    )
    snapshot = make_snapshot(tasks=tasks, node_groups=(group,), quotas=quotas)
    option = first(snapshot, TaskId("task-0024"))
    assert option.changes == (
        Change(KIND.QUOTA, amount=25_000, word="cores"),
        Change(KIND.QUOTA, amount=25_000, target="user:ada", word="cores"),
    )


def test_a_step_that_rather_waits_starts_at_once_under_another_objective() -> None:
    snapshot = two_sites(
        tasks=(make_task(objective=Objective.CHEAPEST),),
        allocations=(make_allocation("a", "near", "near", ends_in_s=900),),
    )
    option = first(snapshot)
    assert option.changes[0].kind is KIND.OBJECTIVE
    assert option.placement.pool_id == "far"


def test_a_short_walltime_slips_in_before_a_reservation() -> None:
    big = make_task("big", cpu_millis=4000, queued_since_ms=NOW_MS - 5000)
    small = make_task(walltime_s=3600, expected_ms=None)
    snapshot = make_snapshot(tasks=(big, small), allocations=(make_allocation("a", "pool", "group", ends_in_s=600),))
    found = smallest(snapshot, Policy(), NOW_MS, TASK)
    assert (Change(KIND.WALLTIME, amount=600),) in [option.changes for option in found.options]
    assert not starts(snapshot, (Change(KIND.WALLTIME, amount=601),))


def test_what_nothing_can_start_gets_no_proposal() -> None:
    snapshot = make_snapshot(
        tasks=(make_task(image="none"),), pools=(make_pool("pool", "group", images=frozenset({"a"})),)
    )
    found = smallest(snapshot, Policy(), NOW_MS, TASK)
    assert (found.options, found.complete, found.starts_now) == ((), True, False)


def test_a_task_for_devices_is_not_told_to_go_without() -> None:
    found = smallest(make_snapshot(tasks=(make_task(devices=(("gpu", 1),)),)), Policy(), NOW_MS, TASK)
    assert (found.options, found.complete) == ((), True)


def test_the_search_is_bounded() -> None:
    tasks = make_tasks(4, walltime_s=100)
    snapshot = make_snapshot(tasks=tasks, pools=(priced(),), projects=(Project(id=LAB, available_micros=0),))
    found = smallest(snapshot, Policy(), NOW_MS, TaskId("task-0003"), max_plans=3)
    assert (found.options, found.plans, found.complete) == ((), 3, False)


# --- property: nothing smaller starts it ----------------------------------------------------------------------------


def disturbed(seed: int) -> tuple[Snapshot, Policy]:
    """A moment in the middle of a random workload in which several things may be in the way."""
    rng = random.Random(seed)
    scenario = random_scenario(seed, tasks=rng.randint(6, 24), budget_micros=rng.choice((None, 0, 2_000, 60_000)))
    tasks = tuple(
        replace(t, queued_since_ms=NOW_MS - 1000 - at, run_budget_left_micros=rng.choice((None, None, 500, 10**6)))
        for at, t in scenario.arrivals
    )
    limits = {t.run_id: t.run_budget_left_micros for t in tasks}
    tasks = tuple(replace(t, run_budget_left_micros=limits[t.run_id], inputs=()) for t in tasks)
    pools = tuple(replace(p, paused=rng.choice((None, None, "p"))) for p in scenario.snapshot.pools)
    projects = tuple(replace(p, paused=rng.choice((None, None, None, "p"))) for p in scenario.snapshot.projects)
    snapshot = replace(
        scenario.snapshot, tasks=tasks, pools=pools, projects=projects, paused=rng.choice((None,) * 4 + ("p",))
    )
    return with_placements(snapshot, plan(snapshot, Policy(), NOW_MS).placements, NOW_MS), Policy()


def smaller_than(change: Change, snapshot: Snapshot, task: TaskId) -> list[Change]:
    """Some changes of the same kind that ask for less."""
    asked = next(t for t in snapshot.tasks if t.id == task)
    have = {
        KIND.CPU: asked.cpu_millis, KIND.MEMORY: asked.memory_bytes, KIND.DISK: asked.disk_bytes,
        KIND.WALLTIME: asked.walltime_s or 10**6,
    }  # fmt: skip
    if change.kind in (KIND.BUDGET, KIND.RUN_LIMIT):
        amounts = {change.amount - 1, change.amount // 2, 1}
        return [replace(change, amount=a) for a in amounts if 0 < a < change.amount]
    if change.kind is KIND.DEVICES:
        have[KIND.DEVICES] = dict(asked.devices)[change.word]
    if change.kind in have:
        top = have[change.kind]
        return [
            replace(change, amount=a)
            for a in {change.amount + 1, (change.amount + top) // 2}
            if change.amount < a < top
        ]
    return []


@pytest.mark.parametrize("seed", range(60))
def test_every_option_starts_its_task_and_nothing_smaller_does(seed: int) -> None:
    snapshot, policy = disturbed(seed)
    waiting = sorted(u.task_id for u in plan(snapshot, policy, NOW_MS).unplaced)
    for task in waiting[:4]:
        found = smallest(snapshot, policy, NOW_MS, task, max_plans=40)
        for option in found.options:
            after = trial(snapshot, task, option.changes)
            result = plan(after, policy, NOW_MS)
            assert placed_in(result, task) == option.placement
            assert violations(after, result) == []
            for left_out in option.changes if len(option.changes) > 1 else ():
                fewer = tuple(c for c in option.changes if c is not left_out)
                assert not starts(snapshot, fewer, task, policy), (option.changes, left_out)
            for position, change in enumerate(option.changes):
                for less in smaller_than(change, snapshot, task):
                    changes = (*option.changes[:position], less, *option.changes[position + 1 :])
                    assert not starts(snapshot, changes, task, policy), (option.changes, less)


# --- forecast -------------------------------------------------------------------------------------------------------


def test_a_start_is_expected_when_what_is_in_the_way_ends() -> None:
    held = make_allocation("a", "pool", "group", ends_in_s=90, cpu_millis=4000)
    found = forecast(make_snapshot(tasks=(make_task(),), allocations=(held,)), Policy(), NOW_MS, TASK)
    assert (found.start_ms, found.pool_id, found.whole) == (NOW_MS + 90_000, "pool", True)


def test_those_before_it_run_first() -> None:
    tasks = make_tasks(9)  # four at a time, a minute each
    found = forecast(make_snapshot(tasks=tasks), Policy(), NOW_MS, TaskId("task-0008"))
    assert found.start_ms == NOW_MS + 120_000


def test_money_that_holds_leave_over_lets_the_next_one_start() -> None:
    tasks = make_tasks(2, walltime_s=600)
    snapshot = make_snapshot(tasks=tasks, pools=(priced(),), projects=(Project(id=LAB, available_micros=700_000),))
    found = forecast(snapshot, Policy(), NOW_MS, TaskId("task-0001"))
    assert found.start_ms == NOW_MS + 60_000


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"paused": "p"}, id="a pause"),
        pytest.param({"pools": (make_pool("pool", "group", reachable=False),)}, id="an agent that is away"),
        pytest.param({"node_groups": (make_group("group", cpu_millis=500),)}, id="too small a node"),
    ],
)
def test_where_waiting_does_not_help_no_start_is_in_sight(more: dict[str, Any]) -> None:
    found = forecast(make_snapshot(tasks=(make_task(),), **more), Policy(), NOW_MS, TASK)
    assert (found.start_ms, found.plans) == (None, 1)


def test_behind_a_very_long_queue_the_last_plans_estimate_is_taken() -> None:
    tasks = make_tasks(400, expected_ms=60_000)
    found = forecast(make_snapshot(tasks=tasks), Policy(), NOW_MS, TaskId("task-0399"), max_plans=5)
    assert not found.whole
    assert found.start_ms is not None and found.start_ms > NOW_MS + 60_000 * 50


def test_a_pool_that_queues_itself_adds_its_own_wait() -> None:
    pool = make_pool("pool", "group", kind=PoolKind.QUEUED, wait_estimate_s=120, max_running=1, price=Price())
    held = make_allocation("a", "pool", "group", ends_in_s=30)
    found = forecast(
        make_snapshot(tasks=(make_task(priority=Priority.NORMAL),), pools=(pool,), allocations=(held,)),
        Policy(),
        NOW_MS,
        TASK,
    )
    assert found.start_ms == NOW_MS + 150_000


def test_local_first_is_simulated_too() -> None:
    held = make_allocation("a", "near", "near", ends_in_s=40)
    snapshot = two_sites(tasks=(make_task(),), allocations=(held,))
    found = forecast(snapshot, near_first(60), NOW_MS, TASK)
    assert (found.start_ms, found.pool_id) == (NOW_MS + 40_000, "near")
