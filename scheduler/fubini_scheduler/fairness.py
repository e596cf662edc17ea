"""Fair share: who has had least, by dominant resource over decayed use.

A project's share is the largest of its parts of all cores, memory and devices, each summed over time with a half life,
divided by the project's weight. Live allocations count with their whole expected run, as do this cycle's placements, so
that a project cannot fill a cycle on old merit. Shares are integers, parts per 10^9 of the capacity for one second.

Source: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011 (the dominant share); decay as multifactor priority does it.
"""

from __future__ import annotations

import math

from fubini_scheduler.model import NodeGroup, Project, Snapshot, Usage

_SCALE = 1_000_000_000
_FIXED = 1 << 30
BYTES_PER_MIB = 1 << 20

Amounts = tuple[int, int, int]
"""milli-core seconds, MiB seconds, device seconds"""


def decayed(usage: Usage, *, now_ms: int, half_life_s: int) -> Usage:
    """The same use as it counts at `now_ms`; a time before `as_of_ms` changes nothing."""
    elapsed_ms = now_ms - usage.as_of_ms
    if elapsed_ms <= 0 or half_life_s <= 0:
        return usage
    halvings, rest_ms = divmod(elapsed_ms, half_life_s * 1000)
    factor = round(_FIXED * math.exp2(-rest_ms / (half_life_s * 1000)))
    shift = 30 + halvings
    return Usage(
        cpu_milli_s=(usage.cpu_milli_s * factor) >> shift,
        memory_mib_s=(usage.memory_mib_s * factor) >> shift,
        device_s=(usage.device_s * factor) >> shift,
        as_of_ms=now_ms,
    )


def add_usage(usage: Usage, amounts: Amounts, *, now_ms: int, half_life_s: int) -> Usage:
    """`usage` decayed to `now_ms` with `amounts` on top; what a caller stores when an attempt ends."""
    base = decayed(usage, now_ms=now_ms, half_life_s=half_life_s)
    return Usage(
        cpu_milli_s=base.cpu_milli_s + amounts[0],
        memory_mib_s=base.memory_mib_s + amounts[1],
        device_s=base.device_s + amounts[2],
        as_of_ms=max(now_ms, usage.as_of_ms),
    )


def amounts_of(
    *, cpu_millis: int, memory_bytes: int, devices: tuple[tuple[str, int], ...], nodes: int, duration_ms: int
) -> Amounts:
    """Use of holding the given amounts on each of `nodes` nodes for `duration_ms`."""
    return (
        cpu_millis * nodes * duration_ms // 1000,
        memory_bytes // BYTES_PER_MIB * nodes * duration_ms // 1000,
        sum(count for _, count in devices) * nodes * duration_ms // 1000,
    )


class Shares:
    """Each project's share as the cycle goes on. Mutable."""

    __slots__ = ("_capacity", "_used", "_weights")

    def __init__(self, snapshot: Snapshot, *, now_ms: int, half_life_s: int) -> None:
        self._capacity = _capacity(snapshot.node_groups)
        self._weights: dict[str, int] = {project.id: max(1, project.share) for project in snapshot.projects}
        self._used: dict[str, list[int]] = {}
        for project in snapshot.projects:
            self._used[project.id] = _start(project, now_ms, half_life_s)
        for held in snapshot.allocations:
            self.add(
                held.project_id,
                amounts_of(
                    cpu_millis=held.cpu_millis,
                    memory_bytes=held.memory_bytes,
                    devices=held.devices,
                    nodes=held.nodes,
                    duration_ms=max(0, max(now_ms, held.expected_finish_ms) - held.started_ms),
                ),
            )

    def add(self, project_id: str, amounts: Amounts) -> None:
        """Count `amounts` more for a project."""
        used = self._used.setdefault(project_id, [0, 0, 0])
        for kind, amount in enumerate(amounts):
            used[kind] += amount

    def of(self, project_id: str) -> int:
        """The project's share; the smallest goes first."""
        used = self._used.get(project_id)
        if used is None:
            return 0
        weight = self._weights.get(project_id, 1)
        return max(used[kind] * _SCALE // (self._capacity[kind] * weight) for kind in range(3))


def _start(project: Project, now_ms: int, half_life_s: int) -> list[int]:
    usage = decayed(project.usage, now_ms=now_ms, half_life_s=half_life_s)
    return [usage.cpu_milli_s, usage.memory_mib_s, usage.device_s]


def _capacity(groups: tuple[NodeGroup, ...]) -> Amounts:
    cpu = memory = devices = 0
    for group in groups:
        cpu += group.nodes * group.cpu_millis
        memory += group.nodes * (group.memory_bytes // BYTES_PER_MIB)
        devices += group.nodes * sum(count for _, count in group.devices)
    return max(1, cpu), max(1, memory), max(1, devices)
