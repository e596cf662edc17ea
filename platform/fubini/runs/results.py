"""Accepting what became of an attempt: who wins, who pays, what the task becomes. One transaction a batch.

A result is accepted by one compare-and-set on (attempt, fence, state). The cause decides everything after it:
user, oom and walltime end the task and are charged; node, site, data, image, lost and preempted put it back in the queue
(another attempt, another fence) and cost the project nothing, until the infrastructure limit ends it as a platform error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from fubini.common.options import option
from fubini.datasets.services import (
    ArtifactDraft,
    TransferDraft,
    TransferEnd,
    artifacts_record,
    transfers_finish,
    transfers_plan,
)
from fubini.ledger.services import Settled, Settlement, holds_settle
from fubini.runs.codec import to_json
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.models import Attempt, Run, Task
from fubini.runs.transitions import attempts_move, leases_release, tasks_move

CHARGED = frozenset({"user", "oom", "walltime"})
HOUR_MS = 3_600_000
GIB = 1 << 30


@dataclass(slots=True)
class AttemptEnd:
    """How one attempt ended. `attempt` is locked and has its `task`; `state` is terminal.

    `outcome` is what the engine will see if this end is also the task's; `artifacts` maps names to entry lists.
    """

    attempt: Attempt
    state: str
    cause: str = ""
    message: str = ""
    outcome: LeafOutcome | None = None
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    wall_ms: int = 0
    downloaded_bytes: int | None = None
    uploaded_bytes: int = 0


def artifact_key(task: Task, name: str) -> str:
    """The logical key of an output artifact; unique by generation, never reused."""
    return f"{task.run_id}/{task.node_id}/{task.generation}/{name}"


def attempt_cost_micros(attempt: Attempt, wall_ms: int) -> int:
    """The price of `wall_ms` on this attempt's allocation under the rates it was placed with, rounded up."""
    rates = attempt.rates
    per_hour = (
        rates.get("core_hour_micros", 0) * attempt.cpu_millis * GIB
        + rates.get("memory_gib_hour_micros", 0) * attempt.memory_bytes * 1000
    )
    scaled = per_hour * wall_ms
    total = -(-scaled // (1000 * GIB * HOUR_MS))
    devices = rates.get("device_hour_micros") or {}
    total += -(-sum(devices.get(name, 0) * count for name, count in attempt.devices.items()) * wall_ms // HOUR_MS)
    return int(total + rates.get("start_micros", 0))


def attempts_end(ends: Sequence[AttemptEnd], *, at_ms: int) -> None:
    """End live attempts and all that hangs on them: lease, hold, task, run counters.

    Raises:
        StaleRow: an attempt or task moved since it was read; roll back and read again.
    """
    if not ends:
        return
    _artifacts_keep(ends, at_ms)
    by_state: dict[str, list[Attempt]] = defaultdict(list)
    for end in ends:
        attempt = end.attempt
        attempt.cause, attempt.message = end.cause, end.message[:4000]
        by_state[end.state].append(attempt)
    fields = [
        "cause",
        "message",
        "last_sequence",
        "started_at_ms",
        "finished_at_ms",
        "exit_code",
        "cpu_ms",
        "peak_memory_bytes",
        "environment",
        "unknown_since_ms",
    ]
    released = leases_release([e.attempt.pk for e in ends])
    settled = _settle(ends, at_ms)
    for state, attempts in by_state.items():
        attempts_move(
            attempts,
            state,
            at_ms=at_ms,
            fields=fields,
            data=lambda a: _attempt_data(a, a.pk in released, settled.get(a.pk)),
        )
    _transfers_end(ends, at_ms)
    _tasks_follow(ends, at_ms)


def _artifacts_keep(ends: Sequence[AttemptEnd], at_ms: int) -> None:
    """Record what final ends left behind. An end whose artifacts are not all here is the site's fault, not a result."""
    drafts: list[ArtifactDraft] = []
    owners: list[AttemptEnd] = []
    for end in ends:
        task = end.attempt.task
        if task.state not in ("placed", "running") or task.fence != end.attempt.fence or end.outcome is None:
            continue
        for name, entries in end.artifacts.items():
            owners.append(end)
            drafts.append(
                ArtifactDraft(
                    project_id=task.project_id,
                    run_id=task.run_id,
                    node_id=task.node_id,
                    generation=task.generation,
                    name=name,
                    attempt_id=end.attempt.pk,
                    entries=entries,
                    key=artifact_key(task, name),
                )
            )
    if not drafts:
        return
    for end, recorded in zip(owners, artifacts_record(drafts, at_ms=at_ms), strict=True):
        if recorded.error:
            end.state, end.cause, end.outcome = "failed", "data", None
            end.message = f"artifact {recorded.key.rsplit('/', 1)[-1]}: {recorded.error}"


def _transfers_end(ends: Sequence[AttemptEnd], at_ms: int) -> None:
    """Close the rows of bytes that were to come in; note those that went out."""
    arrived = [
        TransferEnd(
            attempt_id=e.attempt.pk,
            direction="in",
            state="verified" if e.outcome is not None else "dropped",
            size_bytes=e.downloaded_bytes,
            error="" if e.outcome is not None else (e.cause or e.state),
        )
        for e in ends
        if e.attempt.placement.get("bytes_to_move")
    ]
    left = [e for e in ends if e.outcome is not None and e.uploaded_bytes]
    transfers_plan(
        [
            TransferDraft(
                project_id=e.attempt.project_id,
                run_id=e.attempt.run_id,
                attempt_id=e.attempt.pk,
                site_id=e.attempt.site_id,
                direction="out",
                files=sum(len(entries) for entries in e.artifacts.values()),
                size_bytes=e.uploaded_bytes,
            )
            for e in left
        ],
        at_ms=at_ms,
        state="moving",
    )
    if arrived or left:
        transfers_finish([*arrived, *(TransferEnd(e.attempt.pk, "out") for e in left)], at_ms=at_ms)


def _attempt_data(attempt: Attempt, released: bool, settled: Settled | None) -> dict[str, Any]:
    """What the event of an end says: how it ended, and what became of the lease and the hold with it."""
    data: dict[str, Any] = {}
    for key in ("cause", "exit_code", "cpu_ms", "peak_memory_bytes"):
        value = getattr(attempt, key)
        if value not in (None, ""):
            data[key] = value
    if released:
        data["lease"] = "released"
    if settled is not None:
        data |= {"hold": settled.state, "settled_micros": settled.charged_micros}
    return data


def _settle(ends: Sequence[AttemptEnd], at_ms: int) -> dict[str, Settled]:
    """End the attempts' holds; what was booked, by attempt."""
    settlements = []
    for end in ends:
        attempt = end.attempt
        # An agent cannot charge more time than passed on the server since it was given the lease.
        wall_ms = max(0, min(end.wall_ms, at_ms - attempt.leased_at_ms))
        cost = attempt_cost_micros(attempt, wall_ms) if wall_ms else 0
        cause = end.cause or ("lost" if end.state == "lost" else "preempted" if end.state == "preempted" else "")
        outcome = end.state if end.state in ("succeeded", "cancelled") else "failed"
        settlements.append(Settlement(attempt.pk, cost, cause, outcome, attempt.task.template, attempt.pool_id))
    by_run: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    booked = {settled.attempt_id: settled for settled in holds_settle(settlements, at_ms=at_ms)}
    for settled in booked.values():
        by_run[settled.run_id][0] += settled.held_micros
        by_run[settled.run_id][1] += settled.charged_micros
    for run_id, (held, charged) in by_run.items():
        Run.objects.filter(pk=run_id).update(
            held_micros=F("held_micros") - held, settled_micros=F("settled_micros") + charged
        )
    return booked


def _tasks_follow(ends: Sequence[AttemptEnd], at_ms: int) -> None:
    limit = option("MAX_INFRA_ATTEMPTS")
    succeeded: list[Task] = []
    failed: list[Task] = []
    again: list[Task] = []
    for end in ends:
        task = end.attempt.task
        if task.state not in ("placed", "running") or task.fence != end.attempt.fence:
            continue  # cancelled, or already given to a newer attempt
        if end.state == "succeeded" or (end.state == "failed" and end.cause in CHARGED):
            assert end.outcome is not None
            task.outcome = to_json(end.outcome)
            (succeeded if end.state == "succeeded" else failed).append(task)
            continue
        if end.state == "preempted":
            task.preemptions += 1
        else:
            task.infra_failures += 1
            if end.attempt.node_group_id not in task.avoid:
                task.avoid = [*task.avoid, end.attempt.node_group_id][-8:]
        if task.infra_failures >= limit:
            task.outcome = to_json(
                LeafOutcome(
                    kind=OutcomeKind.PLATFORM,
                    error=f"gave up after {task.infra_failures} attempts that ended by no fault of the step; the last: "
                    + (end.message or end.cause or end.state),
                )
            )
            failed.append(task)
        else:
            again.append(task)
    tasks_move(succeeded, "succeeded", at_ms=at_ms, fields=["outcome"])
    tasks_move(failed, "failed", at_ms=at_ms, fields=["outcome", "infra_failures", "avoid"])
    for task in again:
        task.queued_at_ms = at_ms
    tasks_move(
        again,
        "queued",
        at_ms=at_ms,
        fields=["infra_failures", "preemptions", "avoid", "queued_at_ms"],
        data=lambda t: {"infra_failures": t.infra_failures, "preemptions": t.preemptions},
    )
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for task in succeeded:
        counts[task.run_id][0] += 1
    for task in failed:
        counts[task.run_id][1] += 1
    for run_id, (done, bad) in counts.items():
        Run.objects.filter(pk=run_id).update(
            steps_done=F("steps_done") + done + bad, steps_failed=F("steps_failed") + bad
        )
