"""The simulated platform: queues, places, links and money, driven by the same `plan()` as the real one.

What is simulated: arrivals; staging over one link per site, first come first served; run times off their estimates by a
seeded factor, cut at the reserved time; a site's own queue (first come first served over its nodes, after a seeded
delay) for queued pools; holds, settlement and decayed use. A plan is made at every moment something happened, and at
ticks while tasks wait.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace

from fubini_scheduler.cycle import plan
from fubini_scheduler.fairness import add_usage, amounts_of
from fubini_scheduler.model import (
    Allocation,
    BlobKey,
    NodeGroup,
    Placement,
    Policy,
    Pool,
    PoolKind,
    Project,
    Reason,
    SiteId,
    Snapshot,
    TaskId,
    TaskRequest,
    Transfer,
)
from fubini_scheduler.simulator.checks import violations
from fubini_scheduler.simulator.events import EventHeap
from fubini_scheduler.simulator.sink import Record, Report
from fubini_scheduler.simulator.workload import Scenario

_IDLE_TICKS = 4  # so many ticks without a decision or a running task: nothing will change any more


@dataclass(frozen=True, slots=True)
class _Moving:
    """Bytes on a link, from `begins_ms` to `ends_ms`."""

    size_bytes: int
    begins_ms: int
    ends_ms: int

    def bytes_left(self, now_ms: int) -> int:
        if now_ms <= self.begins_ms:
            return self.size_bytes
        return self.size_bytes * max(0, self.ends_ms - now_ms) // max(1, self.ends_ms - self.begins_ms)


@dataclass(slots=True)
class _Live:
    task: TaskRequest
    placement: Placement
    allocation: Allocation
    factor_permille: int


def simulate(
    scenario: Scenario, policy: Policy, *, seed: int, until_ms: int = 10**12, tick_ms: int = 30_000, check: bool = True
) -> Report:
    """Run a scenario to its end, or to `until_ms`.

    Args:
        scenario: places, projects and arrivals.
        policy: what `plan()` is told.
        seed: of run times and site queues; equal seeds give equal reports.
        until_ms: simulated time to stop at.
        tick_ms: how often to plan while tasks wait and nothing else happens.
        check: collect the violations of every plan in the report.
    """
    return _World(scenario, policy, seed, tick_ms, check).run(until_ms)


class _World:
    def __init__(self, scenario: Scenario, policy: Policy, seed: int, tick_ms: int, check: bool) -> None:
        self._scenario = scenario
        self._policy = policy
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._tick_ms = tick_ms
        self._check = check
        self._heap = EventHeap()
        self._report = Report()
        self._queue: dict[TaskId, TaskRequest] = {}
        self._live: dict[TaskId, _Live] = {}
        self._projects: dict[str, Project] = {project.id: project for project in scenario.snapshot.projects}
        self._run_left: dict[str, int | None] = {}
        self._replicas: dict[BlobKey, set[SiteId]] = {k: set(v) for k, v in scenario.snapshot.replicas.items()}
        self._moving: dict[tuple[SiteId, BlobKey], _Moving] = {}
        self._link_free_ms: dict[SiteId, int] = {}
        self._groups: dict[str, NodeGroup] = {group.id: group for group in scenario.snapshot.node_groups}
        self._pools: dict[str, Pool] = {pool.id: pool for pool in scenario.snapshot.pools}
        self._site_queues: dict[str, deque[_Live]] = {}
        self._site_free: dict[str, list[dict[str, int]]] = {}
        self._site_taken: dict[TaskId, list[int]] = {}
        self._reasons: dict[TaskId, tuple[Reason, ...]] = {}
        self._arrivals_left = len(scenario.arrivals)
        self._tick_set = False
        self._idle_ticks = 0

    def run(self, until_ms: int) -> Report:
        for at_ms, task in self._scenario.arrivals:
            self._heap.at(at_ms, lambda t=task, a=at_ms: self._arrive(t, a))  # type: ignore[misc]
        while self._heap.step(until_ms):
            if self._queue:
                self._cycle()
        self._report.left = {task_id: self._reasons.get(task_id, ()) for task_id in self._queue}
        self._report.ended_ms = self._heap.now_ms
        return self._report

    def _arrive(self, task: TaskRequest, at_ms: int) -> None:
        self._arrivals_left -= 1
        self._idle_ticks = 0
        self._run_left.setdefault(task.run_id, task.run_budget_left_micros)
        self._queue[task.id] = replace(task, queued_since_ms=at_ms)

    # --- planning -----------------------------------------------------------------------------------------------

    def _snapshot(self) -> Snapshot:
        now_ms = self._heap.now_ms
        return replace(
            self._scenario.snapshot,
            tasks=tuple(replace(t, run_budget_left_micros=self._run_left[t.run_id]) for t in self._queue.values()),
            projects=tuple(self._projects.values()),
            allocations=tuple(live.allocation for live in self._live.values()),
            replicas={key: frozenset(sites) for key, sites in self._replicas.items()},
            transfers=tuple(
                Transfer(site_id, key, moving.bytes_left(now_ms)) for (site_id, key), moving in self._moving.items()
            ),
        )

    def _cycle(self) -> None:
        snapshot = self._snapshot()
        result = plan(snapshot, self._policy, self._heap.now_ms)
        self._report.cycles += 1
        if self._check:
            self._report.violations += violations(snapshot, result)
        for placement in result.placements:
            self._apply(placement)
        for unplaced in result.unplaced:
            self._reasons[unplaced.task_id] = unplaced.reasons
        if result.placements:
            self._idle_ticks = 0
        waits_for_something = bool(self._live) or self._arrivals_left or self._idle_ticks < _IDLE_TICKS
        if self._queue and waits_for_something and not self._tick_set:
            self._tick_set = True
            self._heap.at(self._heap.now_ms + self._tick_ms, self._tick)

    def _tick(self) -> None:
        self._tick_set = False
        self._idle_ticks += 1

    def _apply(self, placement: Placement) -> None:
        now_ms = self._heap.now_ms
        task = self._queue.pop(placement.task_id)
        self._hold(task, -placement.hold_micros)
        spread = self._scenario.run_spread_permille
        factor = self._random.randint(1000 - spread, 1000 + spread) if spread else 1000
        allocation = Allocation(
            id=f"attempt-{task.id}",
            task_id=task.id,
            project_id=task.project_id,
            pool_id=placement.pool_id,
            node_group_id=placement.node_group_id,
            node_indexes=placement.node_indexes,
            cpu_millis=placement.cpu_millis,
            memory_bytes=placement.memory_bytes,
            disk_bytes=placement.disk_bytes,
            devices=placement.devices,
            nodes=placement.nodes,
            exclusive=task.exclusive,
            started_ms=now_ms,
            expected_finish_ms=placement.expected_finish_ms,
        )
        live = self._live[task.id] = _Live(task, placement, allocation, factor)
        staged_ms = self._stage(task, placement) + self._pools[placement.pool_id].start_overhead_ms
        if self._pools[placement.pool_id].kind is PoolKind.OWNED:
            self._start(live, staged_ms)
        else:
            delay_ms = (self._pools[placement.pool_id].wait_estimate_s or 0) * 1000
            self._heap.at(max(staged_ms, now_ms + delay_ms), lambda: self._enter_site_queue(live))

    def _hold(self, task: TaskRequest, micros: int) -> None:
        project = self._projects[task.project_id]
        if project.available_micros is not None:
            left = project.available_micros + micros
            self._projects[project.id] = replace(project, available_micros=left)
            if left < 0:
                self._report.violations.append(f"project {project.id} is {-left} micros overdrawn")
        run_left = self._run_left[task.run_id]
        if run_left is not None:
            self._run_left[task.run_id] = run_left + micros

    # --- bytes --------------------------------------------------------------------------------------------------

    def _stage(self, task: TaskRequest, placement: Placement) -> int:
        """Send what is missing; the time when all of it is there."""
        now_ms, site_id = self._heap.now_ms, placement.site_id
        bandwidth = self._pools[placement.pool_id].bandwidth_bytes_per_s or self._policy.default_bandwidth_bytes_per_s
        ready_ms = now_ms
        for key, size in task.inputs:
            if site_id in self._replicas.get(key, ()):
                continue
            moving = self._moving.get((site_id, key))
            if moving is None:
                begins_ms = max(now_ms, self._link_free_ms.get(site_id, 0))
                moving = _Moving(size, begins_ms, begins_ms + -(-size * 1000 // bandwidth))
                self._moving[site_id, key] = moving
                self._link_free_ms[site_id] = moving.ends_ms
                self._heap.at(moving.ends_ms, lambda k=key: self._landed(site_id, k))  # type: ignore[misc]
            ready_ms = max(ready_ms, moving.ends_ms)
        return ready_ms

    def _landed(self, site_id: SiteId, key: BlobKey) -> None:
        del self._moving[site_id, key]
        self._replicas.setdefault(key, set()).add(site_id)

    # --- running ------------------------------------------------------------------------------------------------

    def _start(self, live: _Live, at_ms: int) -> None:
        run_ms = max(1, live.placement.run_ms * live.factor_permille // 1000)
        run_ms = min(run_ms, live.placement.walltime_s * 1000)
        self._heap.at(at_ms + run_ms, lambda: self._finish(live, at_ms))

    def _finish(self, live: _Live, started_ms: int) -> None:
        task, placement, now_ms = live.task, live.placement, self._heap.now_ms
        del self._live[task.id]
        duration_ms = now_ms - started_ms
        pool = self._pools[placement.pool_id]
        cost = pool.price.compute_micros(
            cpu_millis=placement.cpu_millis,
            memory_bytes=placement.memory_bytes,
            devices=placement.devices,
            duration_ms=duration_ms,
            nodes=placement.nodes,
        )
        # Egress is the difference between the placement's price and its compute part.
        expected = pool.price.compute_micros(
            cpu_millis=placement.cpu_millis,
            memory_bytes=placement.memory_bytes,
            devices=placement.devices,
            duration_ms=placement.run_ms,
            nodes=placement.nodes,
        )
        cost += placement.price_micros - expected
        if cost > placement.hold_micros:
            self._report.violations.append(f"{task.id} cost {cost}, held {placement.hold_micros}")
        self._hold(task, placement.hold_micros - cost)
        project = self._projects[task.project_id]
        amounts = amounts_of(
            cpu_millis=placement.cpu_millis,
            memory_bytes=placement.memory_bytes,
            devices=placement.devices,
            nodes=placement.nodes,
            duration_ms=duration_ms,
        )
        half_life_s = self._policy.fair_share_half_life_s
        usage = add_usage(project.usage, amounts, now_ms=now_ms, half_life_s=half_life_s)
        self._projects[project.id] = replace(project, usage=usage)
        self._report.records.append(
            Record(
                task_id=task.id,
                project_id=task.project_id,
                pool_id=placement.pool_id,
                site_id=placement.site_id,
                queued_ms=task.queued_since_ms,
                placed_ms=live.allocation.started_ms,
                started_ms=started_ms,
                finished_ms=now_ms,
                cost_micros=cost,
                bytes_moved=placement.bytes_to_move,
                why=placement.why.code,
            )
        )
        if pool.kind is PoolKind.QUEUED:
            self._leave_site(live)

    # --- a site's own queue -------------------------------------------------------------------------------------

    def _enter_site_queue(self, live: _Live) -> None:
        group_id = live.placement.node_group_id
        self._site_queues.setdefault(group_id, deque()).append(live)
        self._serve_site(group_id)

    def _serve_site(self, group_id: str) -> None:
        queue = self._site_queues.get(group_id)
        while queue:
            nodes = self._site_nodes(queue[0])
            if nodes is None:
                return
            live = queue.popleft()
            for index in nodes:
                for name, amount in _amounts(live.placement).items():
                    self._site_free[group_id][index][name] -= amount
            live.allocation = replace(live.allocation, started_ms=self._heap.now_ms)
            self._site_taken[live.task.id] = nodes
            self._start(live, self._heap.now_ms)

    def _site_nodes(self, live: _Live) -> list[int] | None:
        group = self._groups[live.placement.node_group_id]
        free = self._site_free.setdefault(group.id, [_size(group) for _ in range(group.nodes)])
        needed = _amounts(live.placement)
        fits = [i for i, node in enumerate(free) if all(node.get(k, 0) >= v for k, v in needed.items())]
        return fits[: live.placement.nodes] if len(fits) >= live.placement.nodes else None

    def _leave_site(self, live: _Live) -> None:
        group_id = live.placement.node_group_id
        for index in self._site_taken.pop(live.task.id):
            for name, amount in _amounts(live.placement).items():
                self._site_free[group_id][index][name] += amount
        self._serve_site(group_id)


def _amounts(placement: Placement) -> dict[str, int]:
    return {"cpu": placement.cpu_millis, "memory": placement.memory_bytes, **dict(placement.devices)}


def _size(group: NodeGroup) -> dict[str, int]:
    return {"cpu": group.cpu_millis, "memory": group.memory_bytes, **dict(group.devices)}
