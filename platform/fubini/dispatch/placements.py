"""Where a run's steps went and why there: by template and place, with what else was considered when they were placed.

What was considered is what the attempts keep; which other pools could not run such a step is asked of the scheduler as
things are now, for the newest steps' requests: of what there is, not of what is free. Figures are of the newest attempts, `ATTEMPTS_MAX` at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fubini.common import clock
from fubini.common.saying import Said
from fubini.datasets.selectors import claims_of_data
from fubini.dispatch.inputs import Inputs
from fubini.dispatch.snapshot import Offer, offer_now, request_of
from fubini.dispatch.why import placement_named
from fubini.ledger.accounting import books
from fubini.runs.codec import spec_of
from fubini.runs.models import Attempt, Run, Task
from fubini.sites.models import Pool
from fubini_scheduler import model as core
from fubini_scheduler.quote import quote as core_quote

ATTEMPTS_MAX: Final = 1_000
ROWS_MAX: Final = 50
ASKED_MAX: Final = 12  # rows for which the scheduler is asked about other pools


@dataclass(frozen=True, slots=True)
class ConsideredView:
    """A place that could run the step when it was placed; times count from then. `not_chosen` is "" for the one chosen."""

    pool: str
    site: str
    start_in_ms: int
    finish_in_ms: int
    price_micros: int
    bytes_to_move: int
    transfer_ms: int
    not_chosen: str


@dataclass(frozen=True, slots=True)
class RefusedView:
    """A pool that cannot run such a step as things are now: the reason's code, sentence and figures."""

    pool: str
    site: str
    code: str
    sentence: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlacementRow:
    """Attempts of one template in one pool that were placed there for one reason; `considered` is of the newest."""

    template: str
    pool: str
    site: str
    why: str
    sentence: str
    attempts: int
    bytes_to_move: int
    expected_run_ms: int | None
    real_run_ms: int | None  # the mean of those that ended
    example: str  # the newest one's node
    considered: list[ConsideredView]
    refused: list[RefusedView]


@dataclass(frozen=True, slots=True)
class RunPlacement:
    """The whole answer; `truncated`: the run has more attempts than were looked at."""

    rows: list[PlacementRow]
    attempts: int
    truncated: bool


def run_placement(run: Run) -> RunPlacement:
    """Where and why, newest first."""
    found = list(
        Attempt.objects.filter(run_id=run.pk)
        .select_related("placement_document", "site", "pool", "task")
        .defer("task__outcome")
        .order_by("-id")[: ATTEMPTS_MAX + 1]
    )
    truncated, found = len(found) > ATTEMPTS_MAX, found[:ATTEMPTS_MAX]
    groups: dict[tuple[str, str, str], list[Attempt]] = defaultdict(list)
    for attempt in found:
        groups[attempt.task.template, attempt.pool_id, str(attempt.placement.get("why", ""))].append(attempt)
    chosen = list(groups.values())[:ROWS_MAX]
    if not chosen:
        return RunPlacement([], 0, truncated)
    offer = offer_now()
    refused = _refused(run, [some[0].task for some in chosen[:ASKED_MAX]], offer)
    rows = [_row(some, offer.pools, refused.get(some[0].task_id, [])) for some in chosen]
    return RunPlacement(rows, len(found), truncated)


def _row(some: Sequence[Attempt], pools: dict[str, Pool], refused: list[RefusedView]) -> PlacementRow:
    first = some[0]
    placement = placement_named(first.placement, pools)
    ran = [a.finished_at_ms - a.started_at_ms for a in some if a.finished_at_ms and a.started_at_ms]
    # The plan was made some milliseconds before the lease was granted.
    base_ms = min([first.leased_at_ms, *(c["start_ms"] for c in placement["considered"])])
    considered = [
        ConsideredView(
            pool=c["pool"],
            site=c["site"],
            start_in_ms=c["start_ms"] - base_ms,
            finish_in_ms=c["finish_ms"] - base_ms,
            price_micros=c["price_micros"],
            bytes_to_move=c["bytes_to_move"],
            transfer_ms=c.get("transfer_ms", 0),
            not_chosen=c["not_chosen"] or "",
        )
        for c in placement["considered"]
    ]
    seen = {(c.site, c.pool) for c in considered}
    return PlacementRow(
        template=first.task.template,
        pool=first.pool.name,
        site=first.site.name,
        why=str(placement.get("why", "")),
        sentence=placement["sentence"],
        attempts=len(some),
        bytes_to_move=sum(int(a.placement.get("bytes_to_move", 0)) for a in some),
        expected_run_ms=placement.get("run_ms"),
        real_run_ms=sum(ran) // len(ran) if ran else None,
        example=first.task.node_id,
        considered=considered,
        refused=[r for r in refused if (r.site, r.pool) not in seen],
    )


def _refused(run: Run, tasks: Sequence[Task], offer: Offer) -> dict[str, list[RefusedView]]:
    """By task: the pools that could not run it, whatever is free there and however long it takes."""
    pools = offer.pools
    claims = {task.pk: {v.claim for v in spec_of(task.spec).volumes if v.claim} & offer.shared_disks for task in tasks}
    data = claims_of_data(run.project_id, set().union(*claims.values()))
    requests = [(request_of(task, run, {}, Inputs(shared=claims[task.pk] - data)), 1) for task in tasks]
    answers = core_quote(requests, offer.snapshot, core.Policy(), clock.now_ms())
    return {
        task.pk: [
            RefusedView(
                pools[p.pool_id].name,
                pools[p.pool_id].site.name,
                p.reason.code.value,
                Said(p.reason.template, p.reason.shown(books().currency)),
                dict(p.reason.figures),
            )
            for p in answer.pools
            if p.reason is not None and p.pool_id in pools
        ]
        for task, answer in zip(tasks, answers, strict=True)
    }
