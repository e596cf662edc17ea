"""Quotes: what a task, or many like it, would cost and take in each pool, as ranges.

The low end is the expected run, started at once; the high end the whole reserved time after the expected wait. Nothing
is set aside: a quote is an estimate shown before submit and scored afterwards. One plan answers for every objective: they
differ only in which of the pools' answers they take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fubini_scheduler.backfill import opening_of
from fubini_scheduler.capacity import Capacity
from fubini_scheduler.explain import in_order
from fubini_scheduler.locality import Locality
from fubini_scheduler.model import NodeGroupId, Objective, Policy, PoolId, Snapshot, TaskRequest
from fubini_scheduler.reasons import Reason
from fubini_scheduler.scoring import Judge, Option
from fubini_scheduler.shapes import Candidate, Shapes


@dataclass(frozen=True, slots=True)
class PoolQuote:
    """One pool's answer for `count` tasks. Money is for all of them, time until the last one ends.

    `feasible` is false when the pool cannot run them as written or is shut; `reason` says why, and figures are 0.
    """

    pool_id: PoolId
    feasible: bool
    reason: Reason | None
    node_group_id: NodeGroupId | None = None
    money_low_micros: int = 0
    money_high_micros: int = 0
    time_low_s: int = 0
    time_high_s: int = 0
    wait_s: int = 0
    bytes_to_move: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """The pools' answers for one request, cheapest feasible first, infeasible ones last.

    `choices`: where the first such task would go under each objective, whatever the request's own; empty when nowhere.
    """

    request: TaskRequest
    count: int
    pools: tuple[PoolQuote, ...]
    choices: tuple[tuple[Objective, PoolQuote], ...] = ()

    @property
    def feasible(self) -> bool:
        """Some pool can run it."""
        return any(pool.feasible for pool in self.pools)


def quote(
    requests: Sequence[tuple[TaskRequest, int]], snapshot: Snapshot, policy: Policy, now_ms: int
) -> tuple[Quote, ...]:
    """What each (request, count) would cost and take, pool by pool.

    The requests need not be in `snapshot.tasks`; those that are queued there are taken to be ahead in the waits only as
    far as they hold capacity already.
    """
    capacity = Capacity(snapshot, now_ms)
    locality = Locality(snapshot)
    shapes = Shapes(snapshot, policy, capacity)
    return tuple(
        _quote(request, max(1, count), policy, capacity, locality, shapes, now_ms) for request, count in requests
    )


def _quote(
    request: TaskRequest, count: int, policy: Policy, capacity: Capacity, locality: Locality, shapes: Shapes, now_ms: int
) -> Quote:  # fmt: skip
    shape = shapes.of(request)
    answers: dict[PoolId, PoolQuote] = {}
    options: dict[Option, PoolQuote] = {}
    for candidate in shape.candidates:
        option = _option(candidate, request, capacity, locality, now_ms)
        answer = options[option] = _answer(option, count)
        known = answers.get(answer.pool_id)
        if known is None or _order(answer) < _order(known):
            answers[answer.pool_id] = answer
    for reason in in_order(shape.reasons):
        if reason.pool_id is not None and reason.pool_id not in answers:
            answers[reason.pool_id] = PoolQuote(reason.pool_id, False, reason)
    choices = []
    for objective in Objective:
        judge = Judge(replace(request, objective=objective), policy, now_ms, shape.first_tier)
        best = judge.best(list(options))
        if best is not None:
            choices.append((objective, options[best]))
    return Quote(replace(request), count, tuple(sorted(answers.values(), key=_order)), tuple(choices))


def _order(answer: PoolQuote) -> tuple[bool, int, int, str]:
    return not answer.feasible, answer.money_low_micros, answer.time_high_s, answer.pool_id


def _option(
    candidate: Candidate, request: TaskRequest, capacity: Capacity, locality: Locality, now_ms: int
) -> Option:
    opening = opening_of(candidate, capacity, now_ms)
    wait_ms = 0 if opening is None else opening.at_ms - now_ms
    if candidate.queued:
        wait_ms += (candidate.pool.pool.wait_estimate_s or 0) * 1000
    staging = locality.staging(candidate.site_id, request.inputs)
    return Option(candidate, staging, room=wait_ms == 0, wait_ms=wait_ms)


def _answer(option: Option, count: int) -> PoolQuote:
    candidate, staging = option.candidate, option.staging
    waves = -(-count // candidate.parallel)
    return PoolQuote(
        pool_id=candidate.pool.pool.id,
        feasible=True,
        reason=None,
        node_group_id=candidate.group.group.id,
        money_low_micros=candidate.compute_micros * count + staging.egress_micros,
        money_high_micros=(candidate.hold_micros + staging.egress_micros) * count,
        time_low_s=-(-(option.stage_ms + waves * candidate.run_ms) // 1000),
        time_high_s=-(-(option.wait_ms + option.stage_ms) // 1000) + waves * candidate.reserve_s,
        wait_s=-(-option.wait_ms // 1000),
        bytes_to_move=staging.bytes_to_move,
    )
