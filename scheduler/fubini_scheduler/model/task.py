"""What a task asks of the scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fubini_scheduler.model.ids import BlobKey, NodeGroupId, PoolId, ProjectId, RunId, TaskId


class Priority(StrEnum):
    """Priority classes, most urgent first."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    OPPORTUNISTIC = "opportunistic"


class Objective(StrEnum):
    """What the submitter would rather save."""

    FASTEST = "fastest"
    CHEAPEST = "cheapest"
    BALANCED = "balanced"


class Operator(StrEnum):
    """How a requirement compares a label; an absent label satisfies `NOT_IN` and `DOES_NOT_EXIST`."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label of a pool's node group.

    Keys the core fills in itself: ``kubernetes.io/arch``, ``fubini.dev/accelerator``, ``fubini.dev/site``,
    ``fubini.dev/pool``, ``fubini.dev/region`` (site and pool by name); all others come from `Pool.labels`.
    """

    key: str
    op: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preferred:
    """A soft condition: all requirements together are worth `weight` points (1-100)."""

    weight: int
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """One queued task. Amounts are per node; a gang takes `gang_nodes` distinct nodes of one node group, or none.

    Tasks that agree in everything but id, run, inputs and age are evaluated once, so callers do well to share equal
    tuples instead of building them anew.
    """

    id: TaskId
    run_id: RunId
    project_id: ProjectId
    version: int  # the row's version; comes back in the placement so that a stale decision can be dropped
    queued_since_ms: int
    submitted_by: str = ""
    template: str = ""
    cpu_millis: int = 1000
    memory_bytes: int = 0
    disk_bytes: int = 0
    devices: tuple[tuple[str, int], ...] = ()  # vendor's resource name -> count
    required: tuple[tuple[Requirement, ...], ...] = ()  # OR of ANDs; empty = anywhere
    preferred: tuple[Preferred, ...] = ()
    image: str = ""
    room_beside_cpu_millis: int = 0  # it serves others of its run on the same node: they must fit there, too
    more_images: tuple[str, ...] = ()  # of a task with several commands: all must be known to the pool
    needs_container_groups: bool = False  # several commands at once in one root
    needs_run_disks: bool = False  # directories that outlive the task, for others of its run
    needs_shared_disks: tuple[str, ...] = ()  # folders of a site, by name
    needs_private_root: bool = False
    only_pools: tuple[PoolId, ...] | None = None  # bound there by what its run left; None = free
    bound_to: str = ""  # the place it is bound to, for people
    walltime_s: int | None = None
    priority: Priority = Priority.NORMAL
    objective: Objective = Objective.BALANCED
    deadline_ms: int | None = None  # soft: places that meet it come before places that do not
    gang_nodes: int = 1
    exclusive: bool = False  # takes whole nodes
    inputs: tuple[tuple[BlobKey, int], ...] = ()  # what it reads -> bytes
    avoid_pools: tuple[PoolId, ...] = ()  # infrastructure failed it there: last choice, not forbidden
    avoid_node_groups: tuple[NodeGroupId, ...] = ()
    run_budget_left_micros: int | None = None  # of its run: limit - settled - held; None = no limit
    expected_ms: int | None = None  # predicted run time on hardware of speed 1000; None = unknown
    expected_by_group_ms: tuple[tuple[NodeGroupId, int], ...] = ()  # measured there: taken as it is
