"""What a cycle decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fubini_scheduler.model.ids import BlobKey, NodeGroupId, PoolId, ProjectId, RunId, SiteId, TaskId
from fubini_scheduler.reasons import Reason, ReasonCode


class WhyCode(StrEnum):
    """What decided for a place."""

    ONLY_FEASIBLE = "only_feasible"  # nowhere else can run it
    DATA_LOCAL = "data_local"  # without the bytes to move, another place would have won
    LOCAL_FIRST = "local_first"
    BURST = "burst"  # a more local place exists but would start it too late
    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A place considered, the chosen one included. `not_chosen` is None for the chosen one."""

    pool_id: PoolId
    node_group_id: NodeGroupId
    start_ms: int
    finish_ms: int
    price_micros: int  # at the expected run time, egress included
    score: int  # lower is better
    bytes_to_move: int
    transfer_ms: int  # until those bytes are there, behind what is on its way to that site already
    not_chosen: ReasonCode | None


@dataclass(frozen=True, slots=True)
class Why:
    """Why a task goes where it goes; `alternatives` best first."""

    code: WhyCode
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """One decision, whole: a gang is one placement with several node indexes.

    `node_indexes` is empty for queued pools. `cpu_millis`, `memory_bytes` and `devices` are what is taken on each node
    (for exclusive tasks the whole node), and `nodes` on how many. `walltime_s` is the time reserved and held for; it
    is the task's own limit only when `walltime_given`.
    """

    task_id: TaskId
    task_version: int
    run_id: RunId
    project_id: ProjectId
    site_id: SiteId
    pool_id: PoolId
    node_group_id: NodeGroupId
    node_indexes: tuple[int, ...]
    nodes: int
    cpu_millis: int
    memory_bytes: int
    disk_bytes: int
    devices: tuple[tuple[str, int], ...]
    expected_start_ms: int
    expected_finish_ms: int
    run_ms: int
    walltime_s: int
    walltime_given: bool
    price_micros: int
    hold_micros: int
    bytes_to_move: int
    why: Why


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A task that stays, with at least one reason; the binding one first.

    A task that no pool takes has a reason for every pool. `expected_start_ms` is None when no start is in sight.
    """

    task_id: TaskId
    reasons: tuple[Reason, ...]
    expected_start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Capacity set aside for a task that does not fit now; later tasks may use it only if they end before `start_ms`."""

    task_id: TaskId
    pool_id: PoolId
    node_group_id: NodeGroupId
    node_indexes: tuple[int, ...]
    start_ms: int


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """Bytes to send ahead of a task; none are planned yet."""

    site_id: SiteId
    key: BlobKey
    size_bytes: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Preemption:
    """A running task to take back for another; none are planned yet."""

    task_id: TaskId
    for_task_id: TaskId


@dataclass(frozen=True, slots=True)
class SchedulingResult:
    """A cycle's decisions. Placements are in the order they were decided, which is the order to apply them in."""

    placements: tuple[Placement, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    transfers: tuple[TransferPlan, ...] = ()
    preemptions: tuple[Preemption, ...] = ()
