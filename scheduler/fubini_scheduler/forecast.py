"""When a task that waits is expected to start: `plan()` again and again while what runs ends as expected.

A simulation of the present queue and nothing else: no task arrives, everything ends when its estimate says, and money
held beyond the expected price comes back then. How far such forecasts were off before is for the caller to know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fubini_scheduler.cycle import plan
from fubini_scheduler.model import Allocation, Placement, Policy, PoolId, Snapshot, TaskId
from fubini_scheduler.reasons import PERMANENT, Reason, ReasonCode
from fubini_scheduler.trial import ahead_of, placed_in, with_placements

MAX_PLANS = 40
_ENDS_A_STEP = 8  # between two plans at least that part of what runs has ended, so a long queue takes few plans
_BY_HAND = frozenset(
    {
        ReasonCode.PAUSED,
        ReasonCode.PROJECT_PAUSED,
        ReasonCode.PROJECT_UNKNOWN,
        ReasonCode.POOL_PAUSED,
        ReasonCode.NODES_CORDONED,
        ReasonCode.AGENT_AWAY,
    }
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`start_ms` is None when no start is in sight; `pool_id` where it would be, if that is known.

    `whole` is false when the bound on plans was met and the rest is the last plan's own estimate.
    """

    start_ms: int | None
    pool_id: PoolId | None
    plans: int
    whole: bool


def forecast(
    snapshot: Snapshot, policy: Policy, now_ms: int, task_id: TaskId, *, max_plans: int = MAX_PLANS
) -> Forecast:
    """Simulate the queue until the task is placed.

    Args:
        snapshot: the state of the world; `task_id` is one of its queued tasks.
        policy: the operator's choices.
        now_ms: when the simulation begins.
        task_id: whose start to find.
        max_plans: the bound; then the last plan's own estimate is taken.
    """
    at_ms, back = now_ms, dict[str, tuple[str, str, int]]()
    known = tuple(replace(a, expected_finish_ms=expected_ms(a, now_ms)) for a in snapshot.allocations)
    snapshot = replace(ahead_of(snapshot, task_id), allocations=known)
    guess: int | None = None
    for number in range(1, max_plans + 1):
        result = plan(snapshot, policy, at_ms)
        placement = placed_in(result, task_id)
        if placement is not None:
            return Forecast(placement.expected_start_ms, placement.pool_id, number, whole=True)
        unplaced = next((u for u in result.unplaced if u.task_id == task_id), None)
        if unplaced is None or needs_a_hand(unplaced.reasons):
            return Forecast(None, None, number, whole=True)
        guess = unplaced.expected_start_ms
        snapshot = with_placements(snapshot, result.placements, at_ms)
        back |= {f"placed-{p.task_id}": comes_back(p) for p in result.placements}
        if not snapshot.allocations:
            return Forecast(None, None, number, whole=True)
        at_ms = next_end_ms(snapshot, at_ms)
        snapshot = ended(snapshot, at_ms, back)
    return Forecast(guess, None, max_plans, whole=False)


def needs_a_hand(reasons: tuple[Reason, ...]) -> bool:
    """No reason among these goes away by waiting."""
    return all(r.code in PERMANENT or r.code in _BY_HAND for r in reasons)


def next_end_ms(snapshot: Snapshot, at_ms: int) -> int:
    """When to plan again: the next moment after `at_ms` at which something has ended; of much that runs, a part of it."""
    ends = sorted(held.expected_finish_ms for held in snapshot.allocations)
    return max(at_ms + 1, ends[(len(ends) - 1) // _ENDS_A_STEP])


def comes_back(placement: Placement) -> tuple[str, str, int]:
    """Project, run and what its hold is expected to leave over."""
    return placement.project_id, placement.run_id, max(0, placement.hold_micros - placement.price_micros)


def expected_ms(held: Allocation, at_ms: int) -> int:
    """Overdue work is expected to go on the longer, the longer it overran: as `plan()` takes it to."""
    over = at_ms - held.expected_finish_ms
    return held.expected_finish_ms if over < 0 else at_ms + max(1000, over // 2)


def ended(snapshot: Snapshot, at_ms: int, back: dict[str, tuple[str, str, int]]) -> Snapshot:
    """The snapshot without what has ended by `at_ms`, and with what their holds left over."""
    kept = tuple(a for a in snapshot.allocations if a.expected_finish_ms > at_ms)
    gone = {a.id for a in snapshot.allocations} - {a.id for a in kept}
    money: dict[str, int] = {}
    runs: dict[str, int] = {}
    for allocation_id in gone & back.keys():
        project_id, run_id, left = back.pop(allocation_id)
        money[project_id] = money.get(project_id, 0) + left
        runs[run_id] = runs.get(run_id, 0) + left
    return replace(
        snapshot,
        allocations=kept,
        projects=tuple(
            replace(p, available_micros=p.available_micros + money[p.id])
            if p.available_micros is not None and p.id in money
            else p
            for p in snapshot.projects
        ),
        tasks=tuple(
            replace(t, run_budget_left_micros=t.run_budget_left_micros + runs[t.run_id])
            if t.run_budget_left_micros is not None and t.run_id in runs
            else t
            for t in snapshot.tasks
        ),
    )
