"""What-if: the state of the world with some changes, and the smallest changes that would start a task now.

`trial()` gives a changed snapshot and leaves its argument as it is. `smallest()` asks the reasons a plan gives for what
would answer each of them (money that is missing, the most that a node has free, a pool to resume, ...), plans again with
that, and goes on until the task is placed: so every proposal was seen to start the task, in `plan()` itself. Fewer
changes are smaller than more; of equal number, one that only concerns the task is smaller than one of a run, a pool, a
project or everybody (`RANK`). The search is bounded by a number of plans.

A sum of money is raised by what the reasons say is missing, which no smaller sum would cure, because whoever spends more of
it comes before the task; an amount asked for is lowered to the most that is free. What is found is then made smaller as
long as it still starts the task: one notch less of any amount does not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from fubini_scheduler.capacity import CPU, DISK, MEMORY, Capacity
from fubini_scheduler.cycle import plan
from fubini_scheduler.filters import POOL, SITE, group_blocks, labels_of
from fubini_scheduler.locality import Locality
from fubini_scheduler.model import (
    Allocation,
    Objective,
    Operator,
    Placement,
    Policy,
    Pool,
    Priority,
    Quota,
    Requirement,
    SchedulingResult,
    Snapshot,
    TaskId,
    TaskRequest,
)
from fubini_scheduler.quota import LIMITS, with_limit
from fubini_scheduler.reasons import Reason, ReasonCode

MAX_PLANS = 60
EXTRA_PLANS = 60  # beyond the search's bound, to make what was found smaller
EXACT_STEPS = 8  # so often a sum grows by exactly what is missing; after that by twice as much each time


class ChangeKind(StrEnum):
    """What may be changed; from what concerns the task alone to what concerns everybody."""

    OBJECTIVE = "objective"  # word: the objective
    PRIORITY = "priority"  # word: the class
    FORGIVE = "forgive"  # places where infrastructure failed it are tried again
    WALLTIME = "walltime"  # amount: seconds
    CPU = "cpu"  # amount: milli-cores a node
    MEMORY = "memory"  # amount: bytes a node
    DISK = "disk"  # amount: bytes a node
    DEVICES = "devices"  # word: the kind of device; amount: how many a node, at least one
    PLACE = "place"  # target: the pool to run in, whatever its selector says
    RUN_LIMIT = "run_limit"  # amount: micros more
    BUDGET = "budget"  # amount: micros more
    RESUME_POOL = "resume_pool"  # target: the pool
    UNCORDON = "uncordon"  # target: the pool all of whose nodes take work again
    QUOTA_RUNNING = "quota_running"  # amount: the new limit
    QUOTA_CPU = "quota_cpu"  # amount: the new limit, milli-cores
    QUOTA = "quota"  # target: the member ("": the project); word: of what (`quota.LIMITS`); amount: the new limit
    RESUME_PROJECT = "resume_project"
    RESUME_ALL = "resume_all"


RANK: dict[ChangeKind, int] = {kind: rank for rank, kind in enumerate(ChangeKind)}
_SUMS = (ChangeKind.RUN_LIMIT, ChangeKind.BUDGET)
_QUOTAS = (ChangeKind.QUOTA_RUNNING, ChangeKind.QUOTA_CPU, ChangeKind.QUOTA)
_LOWERED = (ChangeKind.WALLTIME, ChangeKind.CPU, ChangeKind.MEMORY, ChangeKind.DISK, ChangeKind.DEVICES)


@dataclass(frozen=True, slots=True)
class Change:
    """One change; what `amount`, `target` and `word` mean is said at its kind."""

    kind: ChangeKind
    amount: int = 0
    target: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """Changes that together start the task now, and the placement the plan then made of it."""

    changes: tuple[Change, ...]
    placement: Placement


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest options, best first, all with the same number of changes. `plans`: how many were made.

    `complete` is false when the bound on plans was met first: then there may be more, or smaller ones.
    """

    options: tuple[Option, ...]
    plans: int
    complete: bool
    starts_now: bool = False


def trial(snapshot: Snapshot, task_id: TaskId, changes: Sequence[Change]) -> Snapshot:
    """The snapshot as it would be with `changes` made, those of a task to `task_id` alone."""
    task = next(t for t in snapshot.tasks if t.id == task_id)
    for change in changes:
        snapshot, task = _changed(snapshot, task, change)
    return replace(snapshot, tasks=tuple(task if t.id == task_id else t for t in snapshot.tasks))


def _changed(snapshot: Snapshot, task: TaskRequest, change: Change) -> tuple[Snapshot, TaskRequest]:
    kinds = ChangeKind
    match change.kind:
        case kinds.OBJECTIVE:
            task = replace(task, objective=Objective(change.word))
        case kinds.PRIORITY:
            task = replace(task, priority=Priority(change.word))
        case kinds.FORGIVE:
            task = replace(task, avoid_pools=(), avoid_node_groups=())
        case kinds.WALLTIME:
            task = replace(task, walltime_s=change.amount)
        case kinds.CPU:
            task = replace(task, cpu_millis=change.amount)
        case kinds.MEMORY:
            task = replace(task, memory_bytes=change.amount)
        case kinds.DISK:
            task = replace(task, disk_bytes=change.amount)
        case kinds.DEVICES:
            counts = tuple((name, change.amount if name == change.word else count) for name, count in task.devices)
            task = replace(task, devices=counts)
        case kinds.PLACE:
            task = replace(task, required=_only(snapshot, change.target))
        case kinds.RUN_LIMIT:
            run_id = task.run_id
            tasks = tuple(
                replace(t, run_budget_left_micros=t.run_budget_left_micros + change.amount)
                if t.run_id == run_id and t.run_budget_left_micros is not None
                else t
                for t in snapshot.tasks
            )
            snapshot = replace(snapshot, tasks=tasks)
            if task.run_budget_left_micros is not None:
                task = replace(task, run_budget_left_micros=task.run_budget_left_micros + change.amount)
        case kinds.RESUME_POOL:
            pools = tuple(replace(p, paused=None) if p.id == change.target else p for p in snapshot.pools)
            snapshot = replace(snapshot, pools=pools)
        case kinds.UNCORDON:
            ids = next(p.node_group_ids for p in snapshot.pools if p.id == change.target)
            groups = tuple(replace(g, unavailable_nodes=()) if g.id in ids else g for g in snapshot.node_groups)
            snapshot = replace(snapshot, node_groups=groups)
        case kinds.RESUME_ALL:
            snapshot = replace(snapshot, paused=None)
        case kinds.QUOTA:
            quotas = tuple(
                with_limit(q, change.word, change.amount) if _is_meant(q, task, change) else q for q in snapshot.quotas
            )
            snapshot = replace(snapshot, quotas=quotas)
        case kinds.BUDGET | kinds.QUOTA_RUNNING | kinds.QUOTA_CPU | kinds.RESUME_PROJECT:
            snapshot = _project_changed(snapshot, task, change)
    return snapshot, task


def _is_meant(quota: Quota, task: TaskRequest, change: Change) -> bool:
    return quota.project_id == task.project_id and quota.member == change.target


def _project_changed(snapshot: Snapshot, task: TaskRequest, change: Change) -> Snapshot:
    projects = []
    for project in snapshot.projects:
        if project.id == task.project_id:
            if change.kind is ChangeKind.BUDGET and project.available_micros is not None:
                project = replace(project, available_micros=project.available_micros + change.amount)
            elif change.kind is ChangeKind.QUOTA_RUNNING:
                project = replace(project, max_running=change.amount)
            elif change.kind is ChangeKind.QUOTA_CPU:
                project = replace(project, max_cpu_millis=change.amount)
            elif change.kind is ChangeKind.RESUME_PROJECT:
                project = replace(project, paused=None)
        projects.append(project)
    return replace(snapshot, projects=tuple(projects))


def _only(snapshot: Snapshot, pool_id: str) -> tuple[tuple[Requirement, ...], ...]:
    """Conditions that one pool alone meets: names of pools are unique within a site."""
    pool = next(p for p in snapshot.pools if p.id == pool_id)
    site = next((s.name for s in snapshot.sites if s.id == pool.site_id), pool.site_id)
    return ((Requirement(SITE, Operator.IN, (site,)), Requirement(POOL, Operator.IN, (pool.name,))),)


def placed_in(result: SchedulingResult, task_id: TaskId) -> Placement | None:
    """The task's placement, if the plan made one."""
    return next((p for p in result.placements if p.task_id == task_id), None)


def with_placements(snapshot: Snapshot, placements: Sequence[Placement], now_ms: int) -> Snapshot:
    """The snapshot once these placements are made: their tasks are gone from the queue and hold what they take."""
    gone = {p.task_id for p in placements}
    exclusive = {t.id for t in snapshot.tasks if t.id in gone and t.exclusive}
    held: dict[str, int] = {}
    run_held: dict[str, int] = {}
    for placement in placements:
        held[placement.project_id] = held.get(placement.project_id, 0) + placement.hold_micros
        run_held[placement.run_id] = run_held.get(placement.run_id, 0) + placement.hold_micros
    return replace(
        snapshot,
        tasks=tuple(
            replace(t, run_budget_left_micros=t.run_budget_left_micros - run_held[t.run_id])
            if t.run_budget_left_micros is not None and t.run_id in run_held
            else t
            for t in snapshot.tasks
            if t.id not in gone
        ),
        projects=tuple(
            replace(p, available_micros=p.available_micros - held[p.id])
            if p.available_micros is not None and p.id in held
            else p
            for p in snapshot.projects
        ),
        allocations=snapshot.allocations
        + tuple(
            Allocation(
                id=f"placed-{p.task_id}",
                task_id=p.task_id,
                project_id=p.project_id,
                pool_id=p.pool_id,
                node_group_id=p.node_group_id,
                node_indexes=p.node_indexes,
                cpu_millis=p.cpu_millis,
                memory_bytes=p.memory_bytes,
                disk_bytes=p.disk_bytes,
                devices=p.devices,
                nodes=p.nodes,
                exclusive=p.task_id in exclusive,
                started_ms=now_ms,
                expected_finish_ms=p.expected_finish_ms,
            )
            for p in placements
        ),
    )


def ahead_of(snapshot: Snapshot, task_id: TaskId) -> Snapshot:
    """The snapshot without the tasks that never have their turn before the task: its project's younger ones of its class."""
    mine = next(t for t in snapshot.tasks if t.id == task_id)
    place = (mine.queued_since_ms, mine.id)
    tasks = tuple(
        t
        for t in snapshot.tasks
        if t.project_id != mine.project_id or t.priority is not mine.priority or (t.queued_since_ms, t.id) <= place
    )
    return replace(snapshot, tasks=tasks)


# --- the search -----------------------------------------------------------------------------------------------------


def smallest(
    snapshot: Snapshot, policy: Policy, now_ms: int, task_id: TaskId, *, most: int = 4, max_plans: int = MAX_PLANS
) -> Found:
    """The smallest changes that would start a queued task now; none when it would start as things are.

    Args:
        snapshot: the state of the world; `task_id` is one of its queued tasks.
        policy: the operator's choices.
        now_ms: the time of the decision.
        task_id: whom to start.
        most: how many options to look for.
        max_plans: the bound of the search.
    """
    return _Search(snapshot, policy, now_ms, task_id, most, max_plans).run()


class _State:
    """Changes under trial: by what they change, and how often each sum grew."""

    __slots__ = ("changes", "steps")

    def __init__(self, changes: dict[str, Change], steps: dict[str, int]) -> None:
        self.changes = changes
        self.steps = steps

    @property
    def cost(self) -> tuple[int, int, int]:
        kinds = [change.kind for change in self.changes.values()]
        # Of equal changes the one that asks for less of a change comes first: less money, more of the memory asked for.
        size = sum(-c.amount if c.kind in _LOWERED else c.amount for c in self.changes.values())
        return len(kinds), sum(RANK[kind] for kind in kinds), size

    @property
    def mark(self) -> frozenset[Change]:
        return frozenset(self.changes.values())

    @property
    def in_order(self) -> tuple[Change, ...]:
        return tuple(sorted(self.changes.values(), key=lambda c: (RANK[c.kind], c.target, c.amount, c.word)))


class _Search:
    """Best first over states; single use."""

    def __init__(
        self, snapshot: Snapshot, policy: Policy, now_ms: int, task_id: TaskId, most: int, max_plans: int
    ) -> None:
        self._whole = snapshot
        self._snapshot = ahead_of(snapshot, task_id)
        self._policy = policy
        self._now_ms = now_ms
        self._task_id = task_id
        self._most = most
        self._max_plans = max_plans
        self._plans = 0

    def run(self) -> Found:
        start = _State({}, {})
        heap: list[tuple[tuple[int, int, int], int, _State]] = [(start.cost, 0, start)]
        seen = {start.mark}
        found: list[Option] = []
        number = 0
        while heap:
            cost, _, state = heapq.heappop(heap)
            if found and (cost[0] > len(found[0].changes) or len(found) >= self._most):
                return Found(tuple(found), self._plans, complete=True)
            if any(
                {c.kind for c in option.changes} == {c.kind for c in state.changes.values()}
                and {c.target for c in option.changes} == {c.target for c in state.changes.values()}
                for option in found
            ):
                continue  # more of the same
            if self._plans >= self._max_plans:
                return Found(tuple(found), self._plans, complete=False)
            tried, result = self._try(state.in_order)
            placement = placed_in(result, self._task_id)
            if placement is not None:
                if not state.changes:
                    return Found((), self._plans, complete=True, starts_now=True)
                option = self._confirmed(self._tightened(state, placement))
                if option is not None:
                    found.append(option)
                continue
            for change in self._answers(tried, result):
                grown = _grown(state, change)
                if grown is not None and grown.mark not in seen:
                    seen.add(grown.mark)
                    number += 1
                    heapq.heappush(heap, (grown.cost, number, grown))
        return Found(tuple(found), self._plans, complete=True)

    def _try(self, changes: Sequence[Change]) -> tuple[Snapshot, SchedulingResult]:
        self._plans += 1
        tried = trial(self._snapshot, self._task_id, changes)
        return tried, plan(tried, self._policy, self._now_ms)

    def _confirmed(self, option: Option) -> Option | None:
        """The option as the whole queue's plan has it: younger tasks make waits look longer there."""
        if len(self._whole.tasks) == len(self._snapshot.tasks):
            return option
        self._plans += 1
        result = plan(trial(self._whole, self._task_id, option.changes), self._policy, self._now_ms)
        placement = placed_in(result, self._task_id)
        return None if placement is None else replace(option, placement=placement)

    def _tightened(self, state: _State, placement: Placement) -> Option:
        """The option with each amount as small a change as it can be: a notch less is tried, and if that does, halving.

        Amounts come from the reasons of a plan in which other changes were not made yet, and a sum may have grown in
        doubling steps, so they may be more than is needed.
        """
        for key, change in state.changes.items():
            none = self._unchanged(change)
            if none is None:
                continue
            step = -1 if change.amount > none else 1  # towards no change
            works, fails = change.amount, none
            middle = works + step
            while middle != fails and self._plans < self._max_plans + EXTRA_PLANS:
                changes = {**state.changes, key: replace(change, amount=middle)}
                better = placed_in(self._try(_State(changes, {}).in_order)[1], self._task_id)
                if better is None:
                    fails = middle
                else:
                    works, placement = middle, better
                if abs(works - fails) <= 1:
                    break
                middle = (works + fails) // 2
            state.changes[key] = replace(change, amount=works)
        return Option(state.in_order, placement)

    def _unchanged(self, change: Change) -> int | None:
        """The amount that stands for no change of this kind; None where there is none."""
        task = next(t for t in self._snapshot.tasks if t.id == self._task_id)
        match change.kind:
            case ChangeKind.RUN_LIMIT | ChangeKind.BUDGET:
                return 0
            case ChangeKind.CPU:
                return task.cpu_millis
            case ChangeKind.MEMORY:
                return task.memory_bytes
            case ChangeKind.DISK:
                return task.disk_bytes
            case ChangeKind.WALLTIME:
                return task.walltime_s
            case ChangeKind.DEVICES:
                return dict(task.devices)[change.word]
            case ChangeKind.QUOTA:
                quota = next(q for q in self._snapshot.quotas if _is_meant(q, task, change))
                return getattr(quota, LIMITS[change.word])  # type: ignore[no-any-return]
        return None

    # --- what would answer a reason -----------------------------------------------------------------------------

    def _answers(self, tried: Snapshot, result: SchedulingResult) -> Iterator[Change]:
        """What each reason of the task asks for, under the state of the world it was given in."""
        reasons = next((u.reasons for u in result.unplaced if u.task_id == self._task_id), ())
        task = next(t for t in tried.tasks if t.id == self._task_id)
        least: dict[ChangeKind, int] = {}
        for reason in reasons:
            if reason.code in (ReasonCode.BUDGET, ReasonCode.RUN_BUDGET):
                kind = ChangeKind.BUDGET if reason.code is ReasonCode.BUDGET else ChangeKind.RUN_LIMIT
                missing = int(reason.figures["missing_micros"])
                least[kind] = min(missing, least.get(kind, missing))
            else:
                yield from self._answer(reason, task, tried, result)
        for kind, missing in least.items():
            yield Change(kind, amount=missing)

    def _answer(self, reason: Reason, task: TaskRequest, tried: Snapshot, result: SchedulingResult) -> Iterator[Change]:
        code, kinds, figures, pool_id = ReasonCode, ChangeKind, reason.figures, str(reason.pool_id or "")
        match reason.code:
            case code.PAUSED:
                yield Change(kinds.RESUME_ALL)
            case code.PROJECT_PAUSED:
                yield Change(kinds.RESUME_PROJECT)
            case code.POOL_PAUSED:
                yield Change(kinds.RESUME_POOL, target=pool_id)
            case code.NODES_CORDONED:
                yield Change(kinds.UNCORDON, target=pool_id)
            case code.QUOTA_RUNNING:
                yield Change(kinds.QUOTA_RUNNING, amount=int(figures["running"]) + 1)
            case code.QUOTA_CPU:
                yield Change(kinds.QUOTA_CPU, amount=int(figures["used"]) + int(figures["needed"]))
            case code.QUOTA:
                # Of stored bytes nothing more is needed, but one must be free.
                least = int(figures["used"]) + max(1, int(figures["needed"]))
                target, word = str(figures["member"]), str(figures["resource"])
                yield Change(kinds.QUOTA, amount=least, target=target, word=word)
            case code.WALLTIME:
                yield from self._shorter(task, int(figures["limit"]))
            case code.CPU_TOO_LARGE:
                yield Change(kinds.CPU, amount=int(figures["limit"]))
            case code.NO_ROOM_BESIDE:
                if (amount := int(figures["limit"]) - task.room_beside_cpu_millis) > 0:
                    yield Change(kinds.CPU, amount=amount)
            case code.MEMORY_TOO_LARGE:
                yield Change(kinds.MEMORY, amount=int(figures["limit"]))
            case code.DISK_TOO_LARGE:
                yield Change(kinds.DISK, amount=int(figures["limit"]))
            case code.DEVICES:
                if (limit := int(figures["limit"])) > 0:  # with none at all it would be another task
                    yield Change(kinds.DEVICES, amount=limit, word=str(figures["device"]))
            case code.NODES_BUSY | code.MACHINE_BUSY:
                yield from self._less(task, pool_id, tried, result)
                yield from self._sooner(task)
            case code.POOL_SLOTS | code.CYCLE_LIMIT:
                yield from self._sooner(task)
            case code.RESERVED:
                yield from self._sooner(task)
                yield from self._before_reservation(task, pool_id, tried, result)
            case code.WAITS_FOR_POOL:
                yield from (Change(kinds.OBJECTIVE, word=o.value) for o in Objective if o is not task.objective)
            case code.LOCAL_FIRST | code.BURST_PRICE | code.SCORED_WORSE | code.SELECTOR:
                yield Change(kinds.PLACE, target=pool_id)
            case code.AVOIDED:
                yield Change(kinds.FORGIVE)

    @staticmethod
    def _shorter(task: TaskRequest, limit_s: int) -> Iterator[Change]:
        """A shorter walltime, unless it is known to run longer than that."""
        times = [ms for _, ms in task.expected_by_group_ms] or [ms for ms in (task.expected_ms,) if ms is not None]
        shorter = limit_s > 0 and (task.walltime_s is None or limit_s < task.walltime_s)
        if shorter and (not times or min(times) <= limit_s * 1000):
            yield Change(ChangeKind.WALLTIME, amount=limit_s)

    @staticmethod
    def _sooner(task: TaskRequest) -> Iterator[Change]:
        """A more urgent class, for it may be its equals of this very cycle that took the room."""
        urgent = list(Priority)
        yield from (Change(ChangeKind.PRIORITY, word=p.value) for p in reversed(urgent[: urgent.index(task.priority)]))

    def _before_reservation(
        self, task: TaskRequest, pool_id: str, tried: Snapshot, result: SchedulingResult
    ) -> Iterator[Change]:
        pool = next(p for p in tried.pools if p.id == pool_id)
        after = with_placements(tried, result.placements, self._now_ms)
        staging = Locality(after).staging(pool.site_id, task.inputs)
        bandwidth = pool.bandwidth_bytes_per_s or self._policy.default_bandwidth_bytes_per_s
        ready_ms = self._now_ms + staging.duration_ms(bandwidth) + pool.start_overhead_ms
        for reservation in result.reservations:
            if reservation.pool_id == pool_id or reservation.node_group_id in pool.node_group_ids:
                yield from self._shorter(task, (reservation.start_ms - ready_ms) // 1000)

    def _less(self, task: TaskRequest, pool_id: str, tried: Snapshot, result: SchedulingResult) -> Iterator[Change]:
        """For each of cores, memory, disk and devices: the most that a node has left of it where everything else fits."""
        if task.exclusive:
            return
        pool = next(p for p in tried.pools if p.id == pool_id)
        capacity = Capacity(with_placements(tried, result.placements, self._now_ms), self._now_ms)
        rows = ((CPU, ChangeKind.CPU, task.cpu_millis), (MEMORY, ChangeKind.MEMORY, task.memory_bytes),
                (DISK, ChangeKind.DISK, task.disk_bytes))  # fmt: skip
        best: dict[tuple[ChangeKind, str], int] = {}
        for group_id in pool.node_group_ids:
            state = capacity.groups.get(group_id)
            of_group = [
                (state.device_rows[name], ChangeKind.DEVICES, name, asked)
                for name, asked in task.devices
                if state is not None and name in state.device_rows
            ]
            for row, kind, word, asked in (*((row, kind, "", asked) for row, kind, asked in rows), *of_group):
                left = _most_left(task, pool, group_id, capacity, tried, row)
                if 0 < left < asked:
                    best[kind, word] = max(left, best.get((kind, word), 0))
        yield from (Change(kind, amount=amount, word=word) for (kind, word), amount in best.items())


def _most_left(task: TaskRequest, pool: Pool, group_id: str, capacity: Capacity, tried: Snapshot, row: int) -> int:
    """The most of one resource that the task could ask for in a node group now; 0 where something else is short."""
    state = capacity.groups.get(group_id)  # type: ignore[call-overload]
    if state is None or state.group.nodes < task.gang_nodes:
        return 0
    site = next((s for s in tried.sites if s.id == pool.site_id), None)
    if group_blocks(task, pool, state.group, labels_of(pool, state.group, site)) is not None:
        return 0
    need = state.vector(task.cpu_millis, task.memory_bytes, task.disk_bytes, task.devices, False)
    others = [i for i in range(len(need)) if i != row]
    fits = (state.free[others] >= need[others, None]).all(axis=0)
    free = np.sort(state.free[row][fits])[::-1]
    if len(free) < task.gang_nodes:
        return 0
    left = int(free[task.gang_nodes - 1])
    whole = {CPU: state.group.whole_cpu_millis, MEMORY: state.group.whole_memory_bytes}.get(row)
    if whole is not None:
        left = min(left, whole)
    machine = capacity.machine_of(state.group)
    if machine is not None:
        if machine.tasks < task.gang_nodes:
            return 0
        cpu, memory = machine.cpu // task.gang_nodes, machine.memory // task.gang_nodes
        if (row != CPU and cpu < task.cpu_millis) or (row != MEMORY and memory < task.memory_bytes):
            return 0
        left = min(left, cpu) if row == CPU else min(left, memory) if row == MEMORY else left
    return left


def _key(change: Change) -> str:
    """What of two changes only one can be made: two pools may both be resumed, two amounts of memory not both asked for."""
    if change.kind is ChangeKind.QUOTA:
        return f"{change.kind}:{change.target}:{change.word}"
    if change.kind is ChangeKind.DEVICES:
        return f"{change.kind}:{change.word}"
    return (
        f"{change.kind}:{change.target}"
        if change.kind in (ChangeKind.RESUME_POOL, ChangeKind.UNCORDON)
        else change.kind.value
    )


def _grown(state: _State, change: Change) -> _State | None:
    """The state with one more change, or with more of one it has; None when that is no step forward."""
    key = _key(change)
    known = state.changes.get(key)
    steps = dict(state.steps)
    if known is not None:
        if change.kind in _SUMS:
            number = steps[key] = steps.get(key, 1) + 1
            growth = change.amount if number <= EXACT_STEPS else max(change.amount, known.amount)
            change = replace(change, amount=known.amount + growth)
        elif change.kind in _QUOTAS:
            if change.amount <= known.amount:
                return None
            number = steps[key] = steps.get(key, 1) + 1
            if number > EXACT_STEPS:  # what is too much is found by halving
                change = replace(change, amount=max(change.amount, 2 * known.amount))
        elif change.kind in _LOWERED:
            if change.amount >= known.amount:
                return None
        else:
            return None
    elif change.kind in _SUMS:
        steps[key] = 1
    return _State({**state.changes, key: change}, steps)
