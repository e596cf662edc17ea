"""Feeding engines: new runs, people's signals, due timers and what became of tasks.

Everything an engine must hear of is a row that says it has not been heard yet, so nothing is lost by a crash: the rows
are marked in the transaction that records the engine's step. One poisoned run never stops the loop: it is rolled back
alone, and quarantined (ended as Error) after three failures.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F

from fubini.common import clock
from fubini.dispatch.history import history_note
from fubini.runs.codec import outcome_of
from fubini.runs.engine import (
    Event,
    LeafDone,
    LeafOutcome,
    LeafRunning,
    LockGranted,
    NodeId,
    OutcomeKind,
    Signal,
    SignalKind,
    Start,
    Tick,
)
from fubini.runs.locks import run_locks_release
from fubini.runs.models import LockClaim, Run, RunSignal, RunTimer, Task
from fubini.runs.registry import engine_of
from fubini.runs.signals import signal_event
from fubini.runs.transitions import RUN_ENDED, TASK_LIVE, run_move, tasks_move

log = logging.getLogger(__name__)
RUNS_A_PASS = 100
EVENTS_A_PASS = 2000
QUARANTINE_AFTER = 3
LOOPBACK = "127.0.0.1"  # where a daemon is reached: whoever may ask for it runs on its machine


@dataclass(slots=True)
class _Inbox:
    """What one run's engine has not heard yet."""

    signals: list[RunSignal] = field(default_factory=list)
    timers: list[RunTimer] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    grants: list[LockClaim] = field(default_factory=list)
    is_new: bool = False


def engines_pump() -> int:
    """One pass over everything unheard; how many events were fed. Call again while it is not 0."""
    at_ms = clock.now_ms()
    boxes: dict[str, _Inbox] = defaultdict(_Inbox)
    for run_id in (
        Run.objects.filter(state="pending", engine_version=0)
        .order_by("created_at_ms")
        .values_list("pk", flat=True)[:RUNS_A_PASS]
    ):
        boxes[run_id].is_new = True
    for signal in RunSignal.objects.filter(handled_at_ms=None).order_by("id")[:EVENTS_A_PASS]:
        boxes[signal.run_id].signals.append(signal)
    for timer in RunTimer.objects.filter(at_ms__lte=at_ms).order_by("at_ms", "id")[:EVENTS_A_PASS]:
        boxes[timer.run_id].timers.append(timer)
    unheard = Task.objects.filter(engine_seen=False).only(
        "id", "run_id", "project_id", "node_id", "generation", "template", "state", "outcome", "version", "fence"
    )
    for task in unheard.order_by("finished_at_ms", "id")[:EVENTS_A_PASS]:
        boxes[task.run_id].tasks.append(task)
    for claim in LockClaim.objects.filter(heard=False).order_by("id")[:EVENTS_A_PASS]:
        boxes[claim.run_id].grants.append(claim)
    return sum(_feed_one(run_id, box) for run_id, box in boxes.items())


def _feed_one(run_id: str, box: _Inbox) -> int:
    shell = None
    try:
        with transaction.atomic():
            run = Run.objects.select_for_update(of=("self",)).select_related("project").get(pk=run_id)
            shell = engine_of(run.engine)
            events = _events_of(run, box)
            if events:
                refused = shell.feed(run, events, at_ms=clock.now_ms())
                _note_refusals(box, events, refused)
            _mark_heard(box)
            history_note([t for t in box.tasks if t.state == "succeeded"])
        if run.state in RUN_ENDED:
            shell.forget(run_id)
        return len(events)
    except Exception:
        log.exception(
            "run %s: its engine could not take %d new facts",
            run_id,
            len(box.tasks) + len(box.signals) + len(box.timers),
        )
        if shell is not None:
            shell.forget(run_id)
        _count_failure(run_id, box)
        return 0


def _events_of(run: Run, box: _Inbox) -> list[Event]:
    """The inbox as events, each with its time, in the order they happened as far as rows can tell."""
    now = clock.now_ms()
    events: list[Event] = []
    if box.is_new and run.engine_version == 0:
        events.append(Start(now))
    events += [signal_event(SignalKind(signal.kind), signal.payload, now) for signal in box.signals]
    for task in box.tasks:
        node = NodeId(task.node_id)
        if task.state == "running":
            events.append(LeafRunning(now, node, task.generation, address=LOOPBACK))
        elif task.state in ("succeeded", "failed"):
            outcome = (
                outcome_of(task.outcome)
                if task.outcome
                else LeafOutcome(kind=OutcomeKind.PLATFORM, error="no outcome was kept")
            )
            events.append(LeafDone(now, node, task.generation, outcome))
        elif task.state == "cancelled":
            events.append(LeafDone(now, node, task.generation, LeafOutcome(kind=OutcomeKind.CANCELLED)))
    wishes = {claim.claim: claim for claim in box.grants}
    events += [LockGranted(now, NodeId(claim.node_id), claim.generation) for claim in wishes.values()]
    events += [Tick(now, timer.key) for timer in box.timers]
    return events


def _note_refusals(box: _Inbox, events: Sequence[Event], refused: Mapping[int, str]) -> None:
    """Signals the engine could not carry out keep why."""
    at = next((n for n, event in enumerate(events) if isinstance(event, Signal)), 0)
    for n, row in enumerate(box.signals):
        if at + n in refused:
            RunSignal.objects.filter(pk=row.pk).update(refused=refused[at + n][:2000])


def _mark_heard(box: _Inbox) -> None:
    at_ms = clock.now_ms()
    if box.signals:
        RunSignal.objects.filter(pk__in=[s.pk for s in box.signals]).update(handled_at_ms=at_ms)
    if box.timers:
        # Only the very ticks that were fed: the engine may have set the same key anew.
        for timer in box.timers:
            RunTimer.objects.filter(pk=timer.pk, at_ms=timer.at_ms).delete()
    if box.grants:
        LockClaim.objects.filter(pk__in=[c.pk for c in box.grants]).update(heard=True)
    by_state: dict[str, list[str]] = defaultdict(list)
    for task in box.tasks:
        by_state[task.state].append(task.pk)
    for state, ids in by_state.items():
        # A task that moved on since it was read (running -> succeeded) stays unheard.
        for start in range(0, len(ids), 500):
            Task.objects.filter(pk__in=ids[start : start + 500], state=state).update(engine_seen=True)


def _count_failure(run_id: str, box: _Inbox) -> None:
    """Three failures and the run ends as Error, its tasks cancelled, so that the loop can go on."""
    with transaction.atomic():
        Run.objects.filter(pk=run_id).update(engine_failures=F("engine_failures") + 1)
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.engine_failures < QUARANTINE_AFTER:
            return
        at_ms = clock.now_ms()
        run.phase, run.finished_at_ms = "Error", at_ms
        run.message = "Fubini could not advance this run and set it aside; its log names the fault. Resubmit it, or report it with the run's id."
        if run.state not in RUN_ENDED:
            run_move(
                run,
                "error",
                at_ms=at_ms,
                fields=["phase", "message", "finished_at_ms"],
                data=lambda _: {"quarantined": True},
            )
        tasks_move(list(Task.objects.filter(run=run, state__in=TASK_LIVE)), "cancelled", at_ms=at_ms)
        Task.objects.filter(run=run).update(engine_seen=True)
        run_locks_release(run=run, at_ms=at_ms)
        run.engine_failures = 0
        run.save(update_fields=["engine_failures"])
        _mark_heard(box)
