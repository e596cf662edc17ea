"""Shapes: tasks that ask for the same thing are filtered and priced once.

A *shape* is all that a task asks for except who, when and which bytes. Its *candidates* are the (pool, node group)
pairs that could ever run it, each with run time, price and hold; the other pools have their reason. Run, age, inputs
and money left differ within a shape and are looked at when a task's turn comes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from fubini_scheduler.capacity import Capacity, GroupState, MachineState, Picker, PoolState
from fubini_scheduler.filters import (
    group_blocks,
    labels_of,
    nodes_are_shut,
    pool_blocks,
    pool_is_shut,
    preference_points,
)
from fubini_scheduler.model import Policy, Pool, PoolKind, SiteId, Snapshot, TaskRequest
from fubini_scheduler.reasons import RANK, Reason, ReasonCode

_FIELDS = (
    "cpu_millis",
    "memory_bytes",
    "disk_bytes",
    "devices",
    "required",
    "preferred",
    "image",
    "room_beside_cpu_millis",
    "more_images",
    "needs_container_groups",
    "needs_run_disks",
    "needs_shared_disks",
    "needs_private_root",
    "only_pools",
    "bound_to",
    "walltime_s",
    "objective",
    "deadline_ms",
    "gang_nodes",
    "exclusive",
    "avoid_pools",
    "avoid_node_groups",
    "expected_ms",
    "expected_by_group_ms",
)
"""What two tasks must share to be of one shape; and the project, where some pool serves only some projects."""


class Candidate:
    """One place that could run a shape. Amounts are per node; money is for the whole gang."""

    __slots__ = (
        "bandwidth", "compute_micros", "cpu_millis", "cpu_total", "devices", "disk_bytes", "earliest_ms", "full", "group",
        "hold_micros", "key", "machine", "memory_bytes", "memory_total", "nodes", "parallel", "pickers", "points_micros",
        "pool", "queued", "reserve_s", "run_ms", "site_id", "tier", "wasted_devices",
    )  # fmt: skip

    def __init__(
        self, task: TaskRequest, pool: PoolState, group: GroupState, machine: MachineState | None, policy: Policy, *,
        tier: int, points: int,
    ) -> None:  # fmt: skip
        place, spec = pool.pool, group.group
        self.pool, self.group, self.machine = pool, group, machine
        self.site_id: SiteId = place.site_id
        self.key = (place.id, spec.id)
        self.tier = tier
        self.queued = place.kind is PoolKind.QUEUED
        self.bandwidth = place.bandwidth_bytes_per_s or policy.default_bandwidth_bytes_per_s
        self.points_micros = points * policy.preferred_point_micros
        self.nodes = task.gang_nodes
        if task.exclusive:
            self.cpu_millis, self.memory_bytes, self.devices = spec.cpu_millis, spec.memory_bytes, spec.devices
        else:
            self.cpu_millis, self.memory_bytes, self.devices = task.cpu_millis, task.memory_bytes, task.devices
        self.disk_bytes = task.disk_bytes
        self.cpu_total = self.cpu_millis * self.nodes
        self.memory_total = self.memory_bytes * self.nodes
        asked = dict(self.devices)
        self.wasted_devices = sum(count for name, count in spec.devices if name not in asked)
        run_ms = run_ms_of(task, spec.id, spec.speed_permille, policy)
        self.reserve_s = reserve_s_of(task, run_ms, place, policy)
        self.run_ms = min(run_ms, self.reserve_s * 1000)  # a pool's limit ends it, whatever the estimate says
        self.compute_micros = self._price(self.run_ms)
        self.hold_micros = max(self.compute_micros, self._price(self.reserve_s * 1000))
        need = group.vector(task.cpu_millis, task.memory_bytes, task.disk_bytes, task.devices, task.exclusive)
        self.pickers = (
            Picker(group, need, self.nodes, past_reservation=False),
            Picker(group, need, self.nodes, past_reservation=True),
        )
        self.parallel = max(1, self._parallel())
        self.full = False  # no room even where no reservation stands in the way; stays so for the cycle
        self.earliest_ms: int | None = None  # when it is expected to have room, once asked

    def _price(self, duration_ms: int) -> int:
        return self.pool.pool.price.compute_micros(
            cpu_millis=self.cpu_millis,
            memory_bytes=self.memory_bytes,
            devices=self.devices,
            duration_ms=duration_ms,
            nodes=self.nodes,
        )

    def _parallel(self) -> int:
        """How many such tasks the place runs at once when nothing else is there."""
        state = self.group
        need = self.pickers[0].need
        rows = self.pickers[0].rows
        on_a_node = int((state.capacity[rows] // need[rows]).min())
        fits = on_a_node * state.group.nodes if self.nodes == 1 else state.group.nodes // self.nodes * on_a_node
        if self.pool.pool.max_running is not None:
            fits = min(fits, self.pool.pool.max_running)
        if self.machine is not None:
            whole = self.machine.machine
            if self.cpu_total:
                fits = min(fits, whole.cpu_millis // self.cpu_total)
            if whole.max_tasks is not None:
                fits = min(fits, whole.max_tasks // self.nodes)
        return fits


class Shape:
    """The candidates of a shape and a reason for every pool that has none."""

    __slots__ = ("candidates", "first_tier", "full_reasons", "max_hold_micros", "reasons", "sample")

    def __init__(
        self, sample: TaskRequest, candidates: list[Candidate], reasons: list[Reason], first_tier: int
    ) -> None:
        self.sample = sample
        self.first_tier = first_tier  # the most local tier that could run it, were all its pools open
        self.candidates = candidates
        self.reasons = reasons
        self.max_hold_micros = max((c.hold_micros for c in candidates), default=0)
        self.full_reasons: tuple[tuple[Reason, ...], int | None] | None = None  # once every candidate is full


class Shapes:
    """Makes shapes for a snapshot, each once."""

    __slots__ = ("_capacity", "_key", "_known", "_labels", "_policy", "_pools", "_shut", "_sites", "_tiers")

    def __init__(self, snapshot: Snapshot, policy: Policy, capacity: Capacity) -> None:
        self._capacity = capacity
        self._policy = policy
        self._known: dict[tuple[Any, ...], Shape] = {}
        self._sites = {site.id: site for site in snapshot.sites}
        self._pools = sorted(snapshot.pools, key=lambda p: p.id)
        apart = any(pool.project_ids is not None for pool in self._pools)
        self._key: Callable[[TaskRequest], tuple[Any, ...]] = attrgetter(*_FIELDS, *(("project_id",) if apart else ()))
        self._shut = {pool.id: pool_is_shut(pool) for pool in self._pools}
        tiers = policy.local_first.site_tiers if policy.local_first is not None else ()
        self._tiers = {site_id: number for number, tier in enumerate(tiers) for site_id in tier}
        self._labels = {
            (pool.id, group_id): labels_of(pool, capacity.groups[group_id].group, self._sites.get(pool.site_id))
            for pool in self._pools
            for group_id in pool.node_group_ids
            if group_id in capacity.groups
        }

    def of(self, task: TaskRequest) -> Shape:
        """The shape of a task."""
        key = self._key(task)
        shape = self._known.get(key)
        if shape is None:
            shape = self._known[key] = self._make(task)
        return shape

    def _make(self, task: TaskRequest) -> Shape:
        candidates: list[Candidate] = []
        reasons: list[Reason] = []
        tiers: list[int] = []
        if not self._pools:
            reasons.append(Reason(ReasonCode.NO_POOLS))
        for pool in self._pools:
            found, why = self._candidates_in(task, pool)
            shut = self._shut[pool.id]
            tiers.extend(c.tier for c in found)
            if found and shut is None:
                candidates.extend(found)
            else:
                # A pool that is shut could still not run the task: then that is what to say.
                reasons.append(shut if found and shut is not None else why or Reason(ReasonCode.NO_NODES, pool.id))
        return self._without_avoided(task, candidates, reasons, min(tiers, default=0))

    def _candidates_in(self, task: TaskRequest, pool: Pool) -> tuple[list[Candidate], Reason | None]:
        why = pool_blocks(task, pool)
        if why is not None:
            return [], why
        found: list[Candidate] = []
        tier = self._tiers.get(pool.site_id, len(self._tiers) + 1)
        for group_id in sorted(set(pool.node_group_ids)):
            state = self._capacity.groups.get(group_id)
            if state is None or state.group.nodes < 1:
                continue
            labels = self._labels[pool.id, group_id]
            blocked = group_blocks(task, pool, state.group, labels)
            machine = self._capacity.machine_of(state.group)
            if blocked is None:
                points = preference_points(task, labels)
                candidate = Candidate(
                    task, self._capacity.pools[pool.id], state, machine, self._policy, tier=tier, points=points
                )
                blocked = _machine_blocks(candidate) or nodes_are_shut(task, pool, state.group)
                if blocked is None:
                    found.append(candidate)
            if blocked is not None and (why is None or RANK[blocked.code] < RANK[why.code]):
                why = blocked
        return found, why

    def _without_avoided(
        self, task: TaskRequest, candidates: list[Candidate], reasons: list[Reason], first_tier: int
    ) -> Shape:
        """Leave out places where infrastructure failed the task, unless there is no other."""
        avoided = [
            c for c in candidates if c.pool.pool.id in task.avoid_pools or c.group.group.id in task.avoid_node_groups
        ]
        if avoided and len(avoided) < len(candidates):
            kept = [c for c in candidates if c not in avoided]
            left = {c.pool.pool.id for c in kept}
            gone = sorted({c.pool.pool.id for c in avoided} - left)
            reasons = reasons + [Reason(ReasonCode.AVOIDED, pool_id) for pool_id in gone]
            candidates = kept
        candidates.sort(key=lambda c: (c.tier, c.key))
        return Shape(task, candidates, reasons, first_tier)


def _machine_blocks(candidate: Candidate) -> Reason | None:
    if candidate.machine is None:
        return None
    whole = MachineState(candidate.machine.machine)
    short = whole.short_of(candidate.cpu_total, candidate.memory_total, candidate.nodes, past_reservation=False)
    if short is None:
        return None
    return Reason(ReasonCode.MACHINE_TOO_SMALL, candidate.pool.pool.id, (("busy", short),))


def run_ms_of(task: TaskRequest, group_id: str, speed_permille: int, policy: Policy) -> int:
    """Expected run time there: measured on that hardware, else the estimate scaled by speed, else half the walltime."""
    for known, measured_ms in task.expected_by_group_ms:
        if known == group_id:
            return max(1, measured_ms)
    expected_ms = task.expected_ms
    if expected_ms is None:
        expected_ms = policy.default_run_s * 1000
        if task.walltime_s is not None:
            expected_ms = min(expected_ms, task.walltime_s * 500)
    expected_ms = max(1, expected_ms * 1000 // max(1, speed_permille))
    return expected_ms if task.walltime_s is None else max(1, min(expected_ms, task.walltime_s * 1000))


def reserve_s_of(task: TaskRequest, run_ms: int, pool: Pool, policy: Policy) -> int:
    """Time to reserve and hold for: the walltime, else twice the expected run, else the policy's default."""
    if task.walltime_s is not None:
        return max(1, task.walltime_s)
    known = task.expected_ms is not None or bool(task.expected_by_group_ms)
    reserve_s = -(-2 * run_ms // 1000) if known else policy.default_reserve_s
    return max(1, reserve_s if pool.max_walltime_s is None else min(reserve_s, pool.max_walltime_s))
