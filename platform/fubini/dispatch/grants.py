"""Applying a plan: each placement becomes a hold, an attempt with a fence, and a lease of one agent.

Independent placements share a transaction. A decision whose task moved since the snapshot is dropped and counted,
never forced; one whose hold does not fit parks its task with the missing figure. If rows move under a batch it is
applied again one by one, each under its own savepoint.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from fubini.common.bulk import StaleRow, rows_update
from fubini.common.ids import new_id
from fubini.common.options import option
from fubini.datasets.services import TransferDraft, transfers_plan
from fubini.dispatch.quotas import quota_table
from fubini.dispatch.snapshot import World
from fubini.ledger.services import HoldRequest, available_by_project, holds_place
from fubini.runs.codec import to_json
from fubini.runs.documents import WHY, documents_keep
from fubini.runs.engine import LeafOutcome, OutcomeKind
from fubini.runs.limits import RunLimits
from fubini.runs.models import Attempt, Lease, Run, RunPlace, Task
from fubini.runs.transitions import attempts_create, tasks_move
from fubini.sites.models import Agent, NodeGroup, Pause, Pool, Price
from fubini_scheduler import model as core
from fubini_scheduler.reasons import WAITING_FOR

log = logging.getLogger(__name__)
BATCH = 200


@dataclass(slots=True)
class Granted:
    """What became of a plan's placements."""

    leased: int = 0
    stale: int = 0
    parked: int = 0


def placements_apply(world: World, placements: Sequence[core.Placement], *, at_ms: int) -> Granted:
    """Apply placements in the plan's order."""
    total = Granted()
    for start in range(0, len(placements), BATCH):
        batch = placements[start : start + BATCH]
        try:
            with transaction.atomic():
                _apply(world, batch, at_ms, total)
        except (StaleRow, IntegrityError):
            log.info("a batch of %d placements met moving rows; applying one by one", len(batch))
            for placement in batch:
                try:
                    with transaction.atomic():
                        _apply(world, [placement], at_ms, total)
                except (StaleRow, IntegrityError):
                    total.stale += 1
    return total


def _apply(world: World, placements: Sequence[core.Placement], at_ms: int, total: Granted) -> None:
    counted = Granted()
    tasks = {
        t.pk: t
        for t in Task.objects.select_for_update()
        .filter(pk__in=[p.task_id for p in placements], state="queued")
        .defer("spec", "outcome")
    }
    shut = _shut(placements)
    fresh = [p for p in placements if p.task_id in tasks and tasks[p.task_id].version == p.task_version and not shut(p)]
    counted.stale += len(placements) - len(fresh)
    runs = {
        r.pk: r
        for r in Run.objects.select_for_update(of=("self",)).filter(pk__in={p.run_id for p in fresh}).order_by("pk")
    }
    limits = RunLimits(runs)
    quotas = quota_table({p.project_id for p in fresh}, lock=True)
    within: list[core.Placement] = []
    loads: dict[str, int] = defaultdict(int)
    places = _places(world, fresh)
    agents: dict[str, Agent] = {}
    for placement in fresh:
        agent = _agent_of(world, placement, loads, places)
        if agent is None or not _daemon_fits(world, placement):
            counted.stale += 1  # planned before it was known where its run is, or that another daemon goes there
            continue
        run = runs[placement.run_id]
        left = limits.left_micros(run.pk)
        if left is not None and placement.hold_micros > left:
            _park(tasks[placement.task_id], "run_budget", placement, left, at_ms)
            counted.parked += 1
            continue
        task = tasks[placement.task_id]
        sizes = (placement.cpu_millis * placement.nodes, sum(n for _, n in placement.devices) * placement.nodes)
        owner = (placement.project_id, task.submitted_by)
        over = quotas.bars(*owner, placement.run_id, *sizes) or quotas.short_of(*owner, placement.hold_micros)
        if over is not None:
            _wait(task, [{**over.figures, "code": over.code.value, "pool_id": None, "sentence": over.sentence}], at_ms)
            counted.parked += 1
            continue
        quotas.take(*owner, *sizes, placement.hold_micros)
        limits.add(run.pk, placement.hold_micros)
        run.held_micros += placement.hold_micros
        within.append(placement)
        agents[placement.task_id] = agent
        loads[agent.pk] += 1
        if placement.task_id in world.beside_run:
            places.setdefault(placement.run_id, agent)
    ids = {p.task_id: new_id() for p in within}
    granted = set(
        holds_place(
            [HoldRequest(ids[p.task_id], p.project_id, p.run_id, p.site_id, p.pool_id, p.hold_micros) for p in within],
            at_ms=at_ms,
        )
    )
    attempts: list[Attempt] = []
    leases: list[Lease] = []
    moved: list[Task] = []
    bound: dict[str, RunPlace] = {}
    lease_ms = option("LEASE_S") * 1000
    for placement in within:
        task, attempt_id = tasks[placement.task_id], ids[placement.task_id]
        if attempt_id not in granted:
            runs[placement.run_id].held_micros -= placement.hold_micros
            _park(task, "budget", placement, None, at_ms)
            counted.parked += 1
            continue
        agent = agents[placement.task_id]
        if placement.task_id in world.beside_run:
            bound[task.run_id] = RunPlace(run_id=task.run_id, agent_id=agent.pk, site_id=placement.site_id)
        task.fence += 1
        task.waiting_for, task.why, task.why_since_ms = [], [], None
        moved.append(task)
        attempt = Attempt(
            id=attempt_id,
            task=task,
            run_id=task.run_id,
            project_id=task.project_id,
            number=task.fence,
            fence=task.fence,
            site_id=placement.site_id,
            agent=agent,
            pool_id=placement.pool_id,
            node_group_id=placement.node_group_id,
            node_index=placement.node_indexes[0] if placement.node_indexes else 0,
            cpu_millis=placement.cpu_millis,
            memory_bytes=placement.memory_bytes,
            devices=dict(placement.devices),
            walltime_s=placement.walltime_s,
            leased_at_ms=at_ms,
        )
        attempt.rates = rates_of(world.prices.get(placement.pool_id))
        daemon = {"daemon": True} if placement.task_id in world.daemons else {}
        attempt.placement = placement_json(placement) | daemon
        attempts.append(attempt)
        leases.append(
            Lease(
                id=attempt_id,
                run_id=task.run_id,
                agent_id=agent.pk,
                fence=task.fence,
                granted_at_ms=at_ms,
                expires_at_ms=at_ms + lease_ms,
            )
        )
    rows_update([r for r in runs.values() if r.pk in {t.run_id for t in moved}], ["held_micros"])
    tasks_move(moved, "placed", at_ms=at_ms, fields=["fence", "waiting_for", WHY, "why_since_ms"])
    held = {ids[p.task_id]: p.hold_micros for p in within}
    attempts_create(attempts, leases, held_micros=held, at_ms=at_ms)
    RunPlace.objects.bulk_create(bound.values(), ignore_conflicts=True)
    transfers_plan(_transfers(world, attempts), at_ms=at_ms)
    total.leased += len(attempts)
    total.stale += counted.stale
    total.parked += counted.parked


def _shut(placements: Sequence[core.Placement]) -> Callable[[core.Placement], bool]:
    """Which placements go where no new lease may go any more: the pauses and cordons as they stand in this transaction.

    The rows are locked, so a pause or cordon either is seen here or waits until these leases are granted.
    """
    everything = Pause.objects.exclude(reason="").exists()
    pools = set(
        Pool.objects.select_for_update().filter(pk__in={p.pool_id for p in placements}).order_by("pk")
        .exclude(paused_reason="").values_list("pk", flat=True)
    )  # fmt: skip
    rows = NodeGroup.objects.select_for_update().filter(pk__in={p.node_group_id for p in placements}).order_by("pk")
    cordons = dict(rows.values_list("pk", "cordons"))

    def shut(placement: core.Placement) -> bool:
        found = cordons.get(placement.node_group_id) or {}
        return everything or placement.pool_id in pools or any(str(i) in found for i in placement.node_indexes)

    return shut


def _places(world: World, placements: Sequence[core.Placement]) -> dict[str, Agent | None]:
    """The agents that runs are bound to, by run; None where that agent takes no leases now."""
    wanted = {p.run_id for p in placements if p.task_id in world.beside_run}
    if not wanted:
        return {}
    usable = {agent.pk: agent for agents in world.agents.values() for agent in agents}
    return {p.run_id: usable.get(p.agent_id) for p in RunPlace.objects.filter(run_id__in=wanted)}


def _daemon_fits(world: World, placement: core.Placement) -> bool:
    """At most one daemon a cycle goes to a machine: the next is planned with what the first one holds in view."""
    if placement.task_id not in world.daemons:
        return True
    machine = world.machines.get(placement.node_group_id, placement.node_group_id)
    if machine in world.daemons_placed:
        return False
    world.daemons_placed.add(machine)
    return True


def _agent_of(
    world: World, placement: core.Placement, loads: dict[str, int], places: dict[str, Agent | None]
) -> Agent | None:
    """Who gets the lease: the least loaded agent of the pool, or the one that its run is bound to."""
    serving = world.agents[placement.pool_id]
    if placement.task_id in world.beside_run and placement.run_id in places:
        agent = places[placement.run_id]
        return agent if agent is not None and agent in serving else None
    return min(serving, key=lambda a: (loads[a.pk], a.pk))


def _transfers(world: World, attempts: Sequence[Attempt]) -> list[TransferDraft]:
    """The bytes each attempt's site lacks, as rows to watch."""
    moving = {a.task_id: a for a in attempts if a.placement.get("bytes_to_move")}
    if not moving:
        return []
    drafts = []
    for request in world.snapshot.tasks:
        attempt = moving.get(request.id)
        if attempt is None:
            continue
        lacking = [
            size
            for key, size in request.inputs
            if core.SiteId(attempt.site_id) not in world.snapshot.replicas.get(key, frozenset())
        ]
        drafts.append(
            TransferDraft(
                project_id=attempt.project_id,
                run_id=attempt.run_id,
                attempt_id=attempt.pk,
                site_id=attempt.site_id,
                direction="in",
                files=len(lacking),
                size_bytes=sum(lacking),
            )
        )
    return drafts


def rates_of(price: Price | None) -> dict[str, Any]:
    """The price version an attempt is charged by, copied so that a later version does not change it."""
    if price is None:
        return {}
    return {
        "version": price.version,
        "core_hour_micros": price.core_hour_micros,
        "memory_gib_hour_micros": price.memory_gib_hour_micros,
        "device_hour_micros": price.device_hour_micros,
        "start_micros": price.start_micros,
    }


def placement_json(placement: core.Placement) -> dict[str, Any]:
    """Why here: kept with the attempt for people and for scoring predictions."""
    return {
        "why": placement.why.code.value,
        "run_ms": placement.run_ms,
        "price_micros": placement.price_micros,
        "hold_micros": placement.hold_micros,
        "bytes_to_move": placement.bytes_to_move,
        "walltime_given": placement.walltime_given,
        "node_indexes": list(placement.node_indexes),
        "nodes": placement.nodes,
        "disk_bytes": placement.disk_bytes,
        "considered": [
            {
                "pool_id": a.pool_id,
                "start_ms": a.start_ms,
                "finish_ms": a.finish_ms,
                "price_micros": a.price_micros,
                "bytes_to_move": a.bytes_to_move,
                "transfer_ms": a.transfer_ms,
                "not_chosen": a.not_chosen.value if a.not_chosen else None,
            }
            for a in placement.why.alternatives[:4]
        ],
    }


def _park(task: Task, code: str, placement: core.Placement, left: int | None, at_ms: int) -> None:
    """The hold did not fit: the task waits, and says what is missing."""
    if left is None:
        left = available_by_project({placement.project_id}).get(placement.project_id, 0)
    missing = max(0, placement.hold_micros - left)
    figures = {"missing_micros": missing, "hold_micros": placement.hold_micros, "available_micros": left}
    _wait(task, [{"code": code, "pool_id": None, **figures}], at_ms)


def _wait(task: Task, why: list[dict[str, Any]], at_ms: int) -> None:
    task.waiting_for = [why[0]["code"]]
    task.why = why
    task.why_since_ms = task.why_since_ms or at_ms
    documents_keep([task])
    task.save(update_fields=["waiting_for", WHY, "why_since_ms"])


def unreadable_refuse(problems: dict[str, list[str]], *, at_ms: int) -> None:
    """End queued tasks whose inputs do not exist: no agent could run them. Empties `problems`."""
    if not problems:
        return
    with transaction.atomic():
        tasks = list(Task.objects.select_for_update().filter(pk__in=problems, state="queued"))
        for task in tasks:
            error = "; ".join(problems[task.pk])[:2000]
            task.outcome = to_json(LeafOutcome(kind=OutcomeKind.INPUT_ERROR, error=error))
        tasks_move(tasks, "failed", at_ms=at_ms, fields=["outcome"], data=lambda _: {"cause": "input"})
        for task in tasks:
            Run.objects.filter(pk=task.run_id).update(
                steps_done=F("steps_done") + 1, steps_failed=F("steps_failed") + 1
            )
    problems.clear()


@dataclass(slots=True)
class WhyMemory:
    """What was last written for each waiting task, and when: changes of substance are written at once, others rarely."""

    written: dict[str, tuple[tuple[object, ...], int]]


# Which of these binds changes with every step that starts or ends; to whoever waits they all say "no room yet".
NO_ROOM = frozenset(
    {
        "waits_for_pool",
        "pool_slots",
        "nodes_busy",
        "machine_busy",
        "daemons_busy",
        "reserved",
        "local_first",
        "burst_price",
        "scored_worse",
        "cycle_limit",
    }
)
REFRESH_MS = 10_000
REFRESH_A_CYCLE = 50


def reasons_write(memory: WhyMemory, unplaced: Sequence[core.Unplaced], *, at_ms: int) -> int:
    """Store why tasks stay: at once when the binding reason changed in substance, else every now and then."""
    changed: list[core.Unplaced] = []
    refreshed = 0
    for item in unplaced:
        first = item.reasons[0]
        code = "no_room" if first.code.value in NO_ROOM else first.code.value
        mark = (code, first.figures.get("missing_micros"), first.figures.get("reason"))
        before, written_ms = memory.written.get(item.task_id, (None, 0))
        if before == mark:
            if at_ms - written_ms < REFRESH_MS or refreshed >= REFRESH_A_CYCLE:
                continue
            refreshed += 1
        memory.written[item.task_id] = (mark, at_ms)
        changed.append(item)
    current = {item.task_id for item in unplaced}
    for task_id in [t for t in memory.written if t not in current]:
        del memory.written[task_id]
    for start in range(0, len(changed), 500):
        part = {item.task_id: item for item in changed[start : start + 500]}
        with transaction.atomic():
            rows = list(Task.objects.select_for_update().filter(pk__in=part, state="queued").defer("spec", "outcome"))
            for task in rows:
                item = part[core.TaskId(task.pk)]
                first = item.reasons[0]
                task.why = [
                    {**r.figures, "code": r.code.value, "pool_id": r.pool_id, "sentence": r.sentence}
                    for r in item.reasons[:8]
                ]
                task.waiting_for = [WAITING_FOR[first.code]] if first.code in WAITING_FOR else []
                task.why_since_ms = task.why_since_ms or at_ms
            documents_keep(rows)
            rows_update(rows, [WHY, "waiting_for", "why_since_ms"])
    return len(changed)
