"""One checker for all fault scenarios: what must be true of the rows once everything is at rest.

    FUBINI_HOME=... python -m tests.support.invariants RUN_ID...

Prints a JSON list of violations, each {"invariant", "detail"}; the numbers are those of the fault matrix.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any


def check(run_ids: list[str]) -> list[dict[str, str]]:
    """Every violation found over these runs and the whole ledger."""
    from fubini.events.models import Event
    from fubini.ledger.models import Account, Hold, LedgerTransaction
    from fubini.ledger.services import ledger_check
    from fubini.runs.models import Attempt, Lease, Run, RunNode, Task
    from fubini.runs.results import attempt_cost_micros
    from fubini.runs.transitions import ATTEMPT_ENDED, RUN_ENDED, TASK_ENDED
    from tests.support.replay import TOPICS, states_replayed

    bad: list[dict[str, str]] = []

    def violated(invariant: str, detail: str) -> None:
        bad.append({"invariant": invariant, "detail": detail})

    runs = list(Run.objects.filter(pk__in=run_ids))
    tasks = list(Task.objects.filter(run_id__in=run_ids))
    attempts = list(Attempt.objects.filter(run_id__in=run_ids).select_related("task"))
    holds = {h.pk: h for h in Hold.objects.filter(run_id__in=run_ids)}
    by_task: dict[str, list[Any]] = defaultdict(list)
    for attempt in attempts:
        by_task[attempt.task_id].append(attempt)

    # I1 no task lost
    for run_id in set(run_ids) - {r.pk for r in runs}:
        violated("I1", f"run {run_id} is gone")
    for run in runs:
        if run.state not in RUN_ENDED:
            violated("I1", f"run {run.name} is {run.state}")
        if run.held_micros:
            violated("I5", f"run {run.name} still counts {run.held_micros} micros as held")
    for task in tasks:
        if task.state not in TASK_ENDED:
            violated("I1", f"task {task.pk} ({task.template}) is {task.state}")
        if not task.engine_seen:
            violated("I1", f"task {task.pk} ended but its engine was not told")
    # I2 one winner, I10 no write by an old fence
    for task in tasks:
        mine = by_task[task.pk]
        winners = [a for a in mine if a.state == "succeeded"]
        if len(winners) > 1:
            violated("I2", f"task {task.pk} has {len(winners)} accepted results")
        if task.state == "succeeded" and (not winners or winners[0].fence != task.fence):
            violated("I10", f"task {task.pk} succeeded, but not by its newest fence {task.fence}")
        if len({a.fence for a in mine}) != len(mine):
            violated("I10", f"task {task.pk} gave a fence twice")
        live = [a for a in mine if a.state not in ATTEMPT_ENDED]
        if live:
            violated("I1", f"attempt {live[0].pk} is still {live[0].state}")
    # I5 exact money, I6 settled once and by the time used
    books = ledger_check()
    if books["imbalance_micros"]:
        violated("I5", f"the ledger is out by {books}")
    for account in Account.objects.filter(kind__in=["budget", "held"], balance_micros__lt=0):
        violated("I5", f"account {account.owner} {account.kind} is {account.balance_micros}")
    settled = Counter(
        booking.attempt_id
        for booking in LedgerTransaction.objects.filter(of_run__ref__in=run_ids, kind__in=["settle", "release"])
    )
    for attempt in attempts:
        hold = holds.get(attempt.pk)
        if hold is None:
            violated("I5", f"attempt {attempt.pk} ran without a hold")
            continue
        if hold.state == "placed" or settled[attempt.pk] != 1:
            violated("I6", f"attempt {attempt.pk} was settled {settled[attempt.pk]} times; its hold is {hold.state}")
        used_ms = max(0, (attempt.finished_at_ms or 0) - (attempt.started_at_ms or 0))
        most = attempt_cost_micros(attempt, used_ms + 1000)
        if hold.settled_micros > most:
            violated(
                "I6", f"attempt {attempt.pk} paid {hold.settled_micros}, {most} would be its interval and a second"
            )
        if attempt.state in ("lost", "preempted") and hold.settled_micros:
            violated("I6", f"attempt {attempt.pk} was {attempt.state} and its project paid {hold.settled_micros}")
    for lease_id in Lease.objects.filter(run_id__in=run_ids).values_list("pk", flat=True):
        violated("I1", f"the lease of attempt {lease_id} is still there")
    # I9 terminal stays, replay equals the tables
    ended = {
        "task": TASK_ENDED,
        "attempt": ATTEMPT_ENDED,
        "hold": {"settled", "released"},
        "lease": {"released", "revoked"},
    }

    def mismatch(event: Any, before: str) -> None:
        violated(
            "I9",
            f"{event.topic} {event.entity_id}: event {event.pk} leaves {event.from_state}, replay is at {before or 'nothing'}",
        )
        if before in ended[event.topic] and event.to_state != before:
            violated("I9", f"{event.topic} {event.entity_id} left {before}")

    told = Event.objects.of_runs(run_ids)
    replayed = states_replayed(told.of_topics(TOPICS).order_by("id").iterator(), mismatch)
    for event in told.of_topics(["node"]).order_by("id").iterator():
        replayed["node", f"{event.run_id}/{event.entity_id}"] = event.to_state
    tables = {
        "task": {t.pk: t.state for t in tasks},
        "attempt": {a.pk: a.state for a in attempts},
        "lease": dict(Lease.objects.filter(run_id__in=run_ids).values_list("pk", "state")),
        "hold": {pk: h.state for pk, h in holds.items()},
        "node": {
            f"{run_id}/{node_id[-80:]}": phase
            for run_id, node_id, phase in RunNode.objects.filter(run_id__in=run_ids).values_list(
                "run_id", "node_id", "phase"
            )
        },
    }
    for topic, rows in tables.items():
        for pk, state in rows.items():
            if replayed.get((topic, pk)) != state:
                violated("I9", f"{topic} {pk} is {state}; its events end at {replayed.get((topic, pk))}")
    return bad


def outboxes(home: Path) -> list[dict[str, str]]:
    """I3: no agent keeps a report that was never answered."""
    bad = []
    for path in home.glob("agents/*/journal*.sqlite3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            names = {row[0] for row in db.execute("select name from sqlite_master where type='table'")}
            for table in names & {"outbox"}:
                (left,) = db.execute(f"select count(*) from {table}").fetchone()
                if left:
                    bad.append({"invariant": "I3", "detail": f"{path.parent.name} keeps {left} unanswered reports"})
    return bad


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    django.setup()
    found = check(sys.argv[1:]) + outboxes(Path(os.environ["FUBINI_HOME"]))
    print(json.dumps(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
