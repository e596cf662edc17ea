"""What is free: nodes of node groups, slots of pools, caps of machines, as a cycle takes from them.

Each node group is one state however many pools use it, and each machine one state however many node groups stand on it,
so nothing is counted twice. Within a cycle free amounts only shrink, and the rest of the core relies on it: a place that
has no room for a shape stays without.

A *reservation* adds to each counter it touches a second figure, `spare`: what is still free at the reservation's start
once its task is in. Work that ends before that start may use all that is free; longer work only what is in both.
Source: EASY backfill (Lifka, "The ANL/IBM SP scheduling system", JSSPP 1995), with one reservation per counter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fubini_scheduler.model import Allocation, Machine, NodeGroup, Pool, Snapshot

Ints = NDArray[np.int64]

CPU, MEMORY, DISK, PLACES = 0, 1, 2, 3
_FIRST_DEVICE = 4
_UNLIMITED = 1 << 60
_PLACES_PER_NODE = 1 << 20  # every task takes one, an exclusive task all: that is what keeps others off its nodes
ROW_NAMES = ("cpu", "memory", "disk", "the whole node")


class GroupState:
    """Free amounts per node, rows by resource: cpu, memory, disk, places, then each device kind."""

    __slots__ = ("capacity", "device_rows", "floating", "free", "group", "spare", "spare_from_ms", "version")

    def __init__(self, group: NodeGroup) -> None:
        self.group = group
        self.device_rows = {name: _FIRST_DEVICE + i for i, (name, _) in enumerate(group.devices)}
        self.capacity: Ints = np.array(
            [group.cpu_millis, group.memory_bytes, group.disk_bytes or _UNLIMITED, _PLACES_PER_NODE]
            + [count for _, count in group.devices],
            dtype=np.int64,
        )
        self.free: Ints = np.repeat(self.capacity[:, None], group.nodes, axis=1)
        for index in group.unavailable_nodes:
            if 0 <= index < group.nodes:
                self.free[:, index] = -_UNLIMITED
        self.floating: Ints | None = None  # held in the group, on nodes that only the site knows
        self.spare: Ints | None = None
        self.spare_from_ms = 0
        self.version = 0

    def vector(
        self, cpu_millis: int, memory_bytes: int, disk_bytes: int, devices: tuple[tuple[str, int], ...], exclusive: bool
    ) -> Ints:
        """The amounts on one node as a column; device kinds the group does not have are left out."""
        if exclusive:
            return self.capacity
        need = np.zeros(len(self.capacity), dtype=np.int64)
        need[CPU], need[MEMORY], need[DISK], need[PLACES] = cpu_millis, memory_bytes, disk_bytes, 1
        for name, count in devices:
            row = self.device_rows.get(name)
            if row is not None:
                need[row] = count
        return need

    def take(self, indexes: tuple[int, ...], need: Ints, *, past_reservation: bool) -> None:
        """Take `need` on each node; also from `spare` when it is still held at the reservation's start."""
        for index in indexes:
            self.free[:, index] -= need
            if past_reservation and self.spare is not None:
                self.spare[:, index] -= need
        self.version += 1

    def row_name(self, row: int) -> str:
        """The resource of a row, for people."""
        if row < _FIRST_DEVICE:
            return ROW_NAMES[row]
        return self.group.devices[row - _FIRST_DEVICE][0]


class MachineState:
    """What a machine's caps leave; None where it has no such cap."""

    __slots__ = ("cpu", "machine", "memory", "spare", "spare_from_ms", "tasks")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.cpu = machine.cpu_millis - machine.used_elsewhere_cpu_millis
        self.memory = _UNLIMITED if machine.memory_bytes is None else machine.memory_bytes
        self.tasks = _UNLIMITED if machine.max_tasks is None else machine.max_tasks
        self.spare: tuple[int, int, int] | None = None
        self.spare_from_ms = 0

    def short_of(self, cpu_millis: int, memory_bytes: int, nodes: int, *, past_reservation: bool) -> str | None:
        """What is short for one more task, or None when it fits. Amounts are over all its nodes."""
        cpu, memory, tasks = self.cpu, self.memory, self.tasks
        if past_reservation and self.spare is not None:
            cpu, memory, tasks = min(cpu, self.spare[0]), min(memory, self.spare[1]), min(tasks, self.spare[2])
        if cpu < cpu_millis:
            return "cpu"
        if memory < memory_bytes:
            return "memory"
        return "running tasks" if tasks < nodes else None

    def take(self, cpu_millis: int, memory_bytes: int, nodes: int, *, past_reservation: bool) -> None:
        """Take one task's amounts over all its nodes."""
        self.cpu -= cpu_millis
        self.memory -= memory_bytes
        self.tasks -= nodes
        if past_reservation and self.spare is not None:
            self.spare = self.spare[0] - cpu_millis, self.spare[1] - memory_bytes, self.spare[2] - nodes


class PoolState:
    """A pool's slots and the wait that this cycle's undecided tasks add to it."""

    __slots__ = ("backlog_ms", "ours", "pool", "slots", "spare_from_ms", "spare_slots")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.ours = 0
        self.slots = _UNLIMITED if pool.max_running is None else pool.max_running - pool.running_elsewhere
        self.backlog_ms = 0
        self.spare_slots: int | None = None
        self.spare_from_ms = 0

    def has_slot(self, *, past_reservation: bool) -> bool:
        """One more of our attempts may be in the pool."""
        if past_reservation and self.spare_slots is not None and self.spare_slots < 1:
            return False
        return self.slots > 0

    def take(self, *, past_reservation: bool) -> None:
        """One more of our attempts is in the pool."""
        self.ours += 1
        self.slots -= 1
        if past_reservation and self.spare_slots is not None:
            self.spare_slots -= 1


@dataclass(frozen=True, slots=True)
class Release:
    """Capacity that comes back at `at_ms` (an expectation)."""

    at_ms: int
    id: str
    pool: PoolState | None
    group: GroupState | None
    machine: MachineState | None
    indexes: tuple[int, ...]
    need: Ints | None
    cpu_millis: int  # over all nodes
    memory_bytes: int  # over all nodes
    nodes: int


class Capacity:
    """All counters of a snapshot. Mutable within a cycle."""

    __slots__ = ("_sorted", "groups", "machines", "pools", "releases")

    def __init__(self, snapshot: Snapshot, now_ms: int) -> None:
        self.groups = {group.id: GroupState(group) for group in snapshot.node_groups}
        self.machines = {machine.id: MachineState(machine) for machine in snapshot.machines}
        self.pools = {pool.id: PoolState(pool) for pool in snapshot.pools}
        self.releases: list[Release] = []
        self._sorted = True
        for held in sorted(snapshot.allocations, key=lambda a: a.id):
            self._hold(held, now_ms)

    def machine_of(self, group: NodeGroup) -> MachineState | None:
        """The shared machine under a node group, if it has one with caps."""
        return None if group.machine_id is None else self.machines.get(group.machine_id)

    def releases_in_order(self) -> list[Release]:
        """Everything taken, by when it is expected back."""
        if not self._sorted:
            self.releases.sort(key=lambda r: (r.at_ms, r.id))
            self._sorted = True
        return self.releases

    def add_release(self, release: Release) -> None:
        """Note when something taken comes back."""
        self.releases.append(release)
        self._sorted = False

    def _hold(self, held: Allocation, now_ms: int) -> None:
        pool = self.pools.get(held.pool_id)
        state = self.groups.get(held.node_group_id)
        machine = None if state is None else self.machine_of(state.group)
        if pool is not None:
            pool.take(past_reservation=False)
        need: Ints | None = None
        indexes: tuple[int, ...] = ()
        cpu, memory = held.cpu_millis * held.nodes, held.memory_bytes * held.nodes
        if state is not None:
            need = state.vector(held.cpu_millis, held.memory_bytes, held.disk_bytes, held.devices, held.exclusive)
            # The group may have shrunk since; what stands on nodes that are gone takes nothing.
            indexes = tuple(index for index in held.node_indexes if 0 <= index < state.group.nodes)
            state.take(indexes, need, past_reservation=False)
            if not held.node_indexes:
                state.floating = need * held.nodes if state.floating is None else state.floating + need * held.nodes
            if held.exclusive:
                cpu = max(cpu, state.group.cpu_millis * held.nodes)
                memory = max(memory, state.group.memory_bytes * held.nodes)
        if machine is not None:
            machine.take(cpu, memory, held.nodes, past_reservation=False)
        at_ms = held.expected_finish_ms
        if at_ms <= now_ms:
            # Overdue: the longer it overran, the longer it is expected to go on.
            at_ms = now_ms + max(1000, (now_ms - at_ms) // 2)
        self.add_release(Release(at_ms, held.id, pool, state, machine, indexes, need, cpu, memory, held.nodes))


class Picker:
    """Chooses nodes of one group for equal tasks, tightest fit first, without a look at all nodes for each task."""

    __slots__ = (
        "_counts",
        "_left",
        "_order",
        "_position",
        "_total",
        "_version",
        "gang_nodes",
        "need",
        "past_reservation",
        "rows",
        "state",
    )

    def __init__(self, state: GroupState, need: Ints, gang_nodes: int, *, past_reservation: bool) -> None:
        self.state = state
        self.need = need
        self.rows = np.flatnonzero(need)
        self.gang_nodes = gang_nodes
        self.past_reservation = past_reservation
        self._version = -1
        self._counts: list[int] = []
        self._order: list[int] = []
        self._position = 0
        self._left = 0
        self._total = 0

    def _refresh(self) -> None:
        state = self.state
        free = state.free
        if self.past_reservation and state.spare is not None:
            free = np.minimum(free, state.spare)
        column = self.need[self.rows, None]
        counts = np.maximum((free[self.rows] // column).min(axis=0), 0)
        order = np.lexsort((np.arange(len(counts)), counts))
        order = order[counts[order] > 0]
        self._order = [int(i) for i in order]
        self._counts = [int(counts[i]) for i in order]
        self._position = 0
        self._left = self._counts[0] if self._counts else 0
        self._total = _UNLIMITED
        if state.floating is not None:
            whole = np.maximum(state.free, 0).sum(axis=1) - state.floating
            self._total = int((whole[self.rows] // (self.need[self.rows] * self.gang_nodes)).min())
        self._version = state.version

    def peek(self) -> tuple[int, ...] | None:
        """The nodes the next task would get, or None."""
        if self._version != self.state.version:
            self._refresh()
        if self._total < 1:
            return None
        if self.gang_nodes > 1:
            return tuple(self._order[: self.gang_nodes]) if len(self._order) >= self.gang_nodes else None
        if self._left < 1:
            self._position += 1
            if self._position >= len(self._order):
                return None
            self._left = self._counts[self._position]
        return (self._order[self._position],)

    def take(self, indexes: tuple[int, ...], *, past_reservation: bool) -> None:
        """Take what `peek` gave."""
        state = self.state
        current = self._version == state.version
        state.take(indexes, self.need, past_reservation=past_reservation)
        if current and self.gang_nodes == 1:
            self._left -= 1
            self._total -= 1
            self._version = state.version

    def short_row(self) -> int:
        """The resource that is short on most nodes; for reasons."""
        short = (self.state.free[self.rows] < self.need[self.rows, None]).sum(axis=1)
        return int(self.rows[int(short.argmax())])
