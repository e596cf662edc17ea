"""Explanation: why a task goes where it goes, and why the others stay.

For a task that stays: one reason per pool, and reasons of the task, run or project before them. For a placement: what
decided, and the places considered, best first.
"""

from __future__ import annotations

from fubini_scheduler.locality import NOTHING
from fubini_scheduler.model import Alternative, Objective, Policy, Why, WhyCode
from fubini_scheduler.reasons import RANK, Reason, ReasonCode
from fubini_scheduler.scoring import Judge, Option
from fubini_scheduler.shapes import Shape

_MONEY = (ReasonCode.BUDGET, ReasonCode.RUN_BUDGET)
_BY_OBJECTIVE = {
    Objective.FASTEST: WhyCode.FASTEST,
    Objective.CHEAPEST: WhyCode.CHEAPEST,
    Objective.BALANCED: WhyCode.BALANCED,
}


def in_order(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Reasons with the binding one first, and at most one per pool.

    What is wrong with all pools comes first. A pool that lacks only money comes after pools that could be paid for:
    it is those the task waits for.
    """
    by_pool: dict[str | None, Reason] = {}
    whole: list[Reason] = []
    for reason in reasons:
        if reason.pool_id is None:
            whole.append(reason)
            continue
        known = by_pool.get(reason.pool_id)
        if known is None or _interest(reason) < _interest(known):
            by_pool[reason.pool_id] = reason
    return tuple(whole + sorted(by_pool.values(), key=lambda r: (*_interest(r), r.pool_id or "")))


def _interest(reason: Reason) -> tuple[int, int]:
    # Money of one pool ranks after everything that time cures, and before what it does not.
    if reason.code in _MONEY:
        return RANK[ReasonCode.POOL_PAUSED], -1
    return RANK[reason.code], 0


def passed_over(judge: Judge, options: list[Option], chosen: Option | None) -> dict[int, Reason]:
    """For each option with room that was not chosen, why not; by position in `options`."""
    opened, _ = judge.open_to(options, None, 0)
    inside = {id(option) for option in opened}
    found: dict[int, Reason] = {}
    for position, option in enumerate(options):
        if option is chosen or not option.room:
            continue
        pool_id = option.candidate.pool.pool.id
        if id(option) in inside:
            found[position] = Reason(ReasonCode.SCORED_WORSE, pool_id, (("price_micros", option.price_micros),))
            continue
        rule = judge.local_first
        assert rule is not None
        sooner = [o.start_ms() for o in opened if o.candidate.tier < option.candidate.tier]
        wait_ms = min(sooner, default=None)
        cap = rule.burst_max_price_micros
        shut = wait_ms is not None and wait_ms <= rule.burst_wait_s * 1000
        if cap is not None and option.price_micros > cap and not shut:
            figures = (("price_micros", option.price_micros), ("limit_micros", cap))
            found[position] = Reason(ReasonCode.BURST_PRICE, pool_id, figures)
        else:
            waits = (("wait_s", -(-(wait_ms or 0) // 1000)), ("burst_wait_s", rule.burst_wait_s))
            found[position] = Reason(ReasonCode.LOCAL_FIRST, pool_id, waits)
    return found


def why_here(
    judge: Judge,
    shape: Shape,
    options: list[Option],
    busy: dict[int, Reason],
    chosen: Option,
    objective: Objective,
    policy: Policy,
    now_ms: int,
) -> Why:
    """What decided for `chosen`. `busy` has the reason of each option without room, by position."""
    notes = passed_over(judge, options, chosen) | busy
    ranked = sorted(enumerate(options), key=lambda pair: (pair[1] is not chosen, judge.key(pair[1])))
    alternatives = tuple(
        Alternative(
            pool_id=option.candidate.pool.pool.id,
            node_group_id=option.candidate.group.group.id,
            start_ms=now_ms + option.start_ms(),
            finish_ms=now_ms + option.finish_ms(),
            price_micros=option.price_micros,
            score=judge.score(option),
            bytes_to_move=option.staging.bytes_to_move,
            transfer_ms=option.transfer_ms,
            not_chosen=None if option is chosen else notes[position].code,
        )
        for position, option in ranked[: policy.alternatives_kept]
    )
    return Why(_code(judge, shape, options, chosen, objective), alternatives)


def _code(judge: Judge, shape: Shape, options: list[Option], chosen: Option, objective: Objective) -> WhyCode:
    if len({c.pool for c in shape.candidates}) == 1:
        return WhyCode.ONLY_FEASIBLE
    if any(option.staging is not NOTHING for option in options):
        weightless = [Option(o.candidate, NOTHING, room=o.room, wait_ms=o.wait_ms) for o in options]
        best = judge.best(weightless)
        if best is not None and best.candidate.site_id != chosen.candidate.site_id:
            return WhyCode.DATA_LOCAL
    if judge.local_first is not None:
        tiers = {c.tier for c in shape.candidates}
        if len(tiers) > 1:
            return WhyCode.LOCAL_FIRST if chosen.candidate.tier == min(tiers) else WhyCode.BURST
    return _BY_OBJECTIVE[objective]
