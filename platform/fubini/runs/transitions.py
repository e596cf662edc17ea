"""The legal moves of run, task, attempt and lease, and the moves themselves.

Nobody else writes `state`. Moves are batches in the caller's transaction (see `events.moves`): checked against the
table, written by compare-and-set, recorded as events. Reports may coalesce (a fast step's agent reports only the end),
so an attempt may skip states forward, never back. Terminal is terminal; only a run's `retry` reopens, raising its generation.

An attempt begins and ends together with its lease and its hold: its event says in `lease` and `hold` what became of them.
They have events of their own only for what they do alone (a lease taken up or run out, a hold extended). A released lease
says nothing that its attempt does not: its row goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from fubini.common import bell
from fubini.events.moves import Entity, legal_moves, rows_create, rows_move
from fubini.runs.documents import documents_keep, stored_names
from fubini.runs.models import Attempt, Lease, Run, Task

RUN = Entity(
    "run",
    legal_moves(
        "pending -> running succeeded failed error ; running -> succeeded failed error ;"
        " failed -> running ; error -> running ; succeeded -> running"
    ),
    lambda r: (r.project_id, r.pk, r.generation),
)
TASK = Entity(
    "task",
    legal_moves(
        "blocked -> queued cancelled ; queued -> blocked placed succeeded failed cancelled ;"
        " placed -> queued running succeeded failed cancelled ; running -> queued succeeded failed cancelled"
    ),
    lambda t: (t.project_id, t.run_id, t.generation),
)
_ENDS = "succeeded failed cancelled preempted lost"
ATTEMPT = Entity(
    "attempt",
    legal_moves(
        f"leased -> staging submitted running finishing {_ENDS} ; staging -> submitted running finishing {_ENDS} ;"
        f" submitted -> running finishing {_ENDS} ; running -> finishing {_ENDS} ; finishing -> {_ENDS}"
    ),
    lambda a: (a.project_id, a.run_id, a.number),
)
LEASE = Entity(
    "lease",
    legal_moves("granted -> held released expired revoked ; held -> released expired revoked ; expired -> held released"),
    lambda x: (None, x.run_id, x.fence),
)

TASK_LIVE = ("blocked", "queued", "placed", "running")
TASK_ENDED = frozenset({"succeeded", "failed", "cancelled"})
ATTEMPT_LIVE = ("leased", "staging", "submitted", "running", "finishing")
ATTEMPT_ENDED = frozenset(_ENDS.split())
RUN_ENDED = frozenset({"succeeded", "failed", "error"})
Data = Callable[[Any], dict[str, Any]]


def _none(_: Any) -> dict[str, Any]:
    return {}


def tasks_create(tasks: Sequence[Task], *, at_ms: int) -> None:
    """Open tasks; a (run, node, generation) that exists already is an IntegrityError for the whole batch."""
    documents_keep(tasks)
    rows_create(TASK, tasks, at_ms=at_ms, data=lambda t: {"node_id": t.node_id, "template": t.template})
    _wake_dispatch()


def tasks_move(
    tasks: Sequence[Task], to: str, *, at_ms: int, fields: Sequence[str] = (), actor: str = "", data: Data = _none
) -> None:
    """Move tasks; `version` rises with every move so that a plan made before it is stale."""
    for task in tasks:
        task.version += 1
        if to in TASK_ENDED:
            task.finished_at_ms = at_ms
            task.engine_seen = False
        elif to == "running":
            task.engine_seen = False
    extra = ["version", "engine_seen", *(["finished_at_ms"] if to in TASK_ENDED else [])]
    rows_move(TASK, tasks, to, at_ms=at_ms, fields=[*extra, *fields], actor=actor, data=data)
    _wake_dispatch()


def attempts_create(
    attempts: Sequence[Attempt], leases: Sequence[Lease], *, held_micros: Mapping[str, int], at_ms: int
) -> None:
    """Lease attempts to agents, under holds that were placed (`held_micros` by attempt), and wake those agents on commit."""
    documents_keep(attempts)
    expires = {lease.pk: lease.expires_at_ms for lease in leases}
    rows_create(
        ATTEMPT,
        attempts,
        at_ms=at_ms,
        data=lambda a: {
            "task_id": a.task_id,
            "site_id": a.site_id,
            "pool_id": a.pool_id,
            "agent_id": a.agent_id,
            "lease": "granted",
            "expires_at_ms": expires[a.pk],
            "hold": "placed",
            "held_micros": held_micros[a.pk],
        },
    )
    rows_create(LEASE, leases, at_ms=at_ms, told=True)
    agents = {a.agent_id for a in attempts}
    transaction.on_commit(lambda: agents_wake(agents))


def attempts_move(
    attempts: Sequence[Attempt], to: str, *, at_ms: int, fields: Sequence[str] = (), data: Data = _none
) -> None:
    if to in ATTEMPT_ENDED:
        for attempt in attempts:
            attempt.ended_at_ms = at_ms
        fields = ["ended_at_ms", *fields]
    documents_keep(attempts)
    rows_move(ATTEMPT, attempts, to, at_ms=at_ms, fields=stored_names(fields), data=data)


def leases_move(leases: Sequence[Lease], to: str, *, at_ms: int, fields: Sequence[str] = ()) -> None:
    """Move leases whose attempts go on."""
    if to != "held":
        for lease in leases:
            lease.ended_at_ms = at_ms
        fields = ["ended_at_ms", *fields]
    rows_move(LEASE, leases, to, at_ms=at_ms, fields=fields)


def leases_release(attempt_ids: Sequence[str]) -> set[str]:
    """Let go of the leases of attempts that end, which their events say; whose were still there."""
    there = Lease.objects.filter(pk__in=attempt_ids)
    released = set(there.values_list("pk", flat=True))
    there.delete()
    return released


def run_move(run: Run, to: str, *, at_ms: int, fields: Sequence[str] = (), actor: str = "", data: Data = _none) -> None:
    rows_move(RUN, [run], to, at_ms=at_ms, fields=fields, actor=actor, data=data)


def agents_wake(agent_ids: set[str]) -> None:
    """Ring the bell web's long polls listen to; a lost ring costs the agent one poll."""
    for agent_id in agent_ids:
        bell.ring("agents", agent_id)


def _wake_dispatch() -> None:
    transaction.on_commit(lambda: bell.ring("dispatch"))
