"""The state of the world one cycle plans on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fubini_scheduler.model.ids import BlobKey, NodeGroupId, PoolId, ProjectId, SiteId, TaskId
from fubini_scheduler.model.pool import Machine, NodeGroup, Pool, Site
from fubini_scheduler.model.project import Project, Quota
from fubini_scheduler.model.task import TaskRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Capacity that a live attempt holds (leased up to finishing). The only source of what is used anywhere.

    Amounts are per node. Without `node_indexes` (queued pools) it counts against pool, machine and node group, but
    against no node in particular.
    """

    id: str  # the attempt's
    task_id: TaskId
    project_id: ProjectId
    pool_id: PoolId
    node_group_id: NodeGroupId
    node_indexes: tuple[int, ...]
    cpu_millis: int
    started_ms: int
    expected_finish_ms: int
    memory_bytes: int = 0
    disk_bytes: int = 0
    devices: tuple[tuple[str, int], ...] = ()
    nodes: int = 1
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes on their way to a site."""

    site_id: SiteId
    key: BlobKey
    bytes_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is queued, what there is, and what is taken. The order inside the tuples never matters.

    `replicas` says which sites hold which blobs (`STORE` for the platform's own store). A blob not named is taken to
    be in the store. `paused` is the reason when all new work is stopped.
    """

    tasks: tuple[TaskRequest, ...] = ()
    sites: tuple[Site, ...] = ()
    machines: tuple[Machine, ...] = ()
    node_groups: tuple[NodeGroup, ...] = ()
    pools: tuple[Pool, ...] = ()
    projects: tuple[Project, ...] = ()
    quotas: tuple[Quota, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    replicas: Mapping[BlobKey, frozenset[SiteId]] = field(default_factory=dict)
    transfers: tuple[Transfer, ...] = ()
    paused: str | None = None
