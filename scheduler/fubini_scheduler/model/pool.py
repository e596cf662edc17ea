"""Places: sites, machines, node groups, pools and their prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from fubini_scheduler.model.ids import MachineId, NodeGroupId, PoolId, ProjectId, SiteId

MS_PER_HOUR = 3_600_000
BYTES_PER_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Site:
    """One administrative domain; `name` and `region` are what manifests select by."""

    id: SiteId
    name: str
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A physical machine that several node groups, even of different sites, may stand on.

    Its caps hold over all of them together. `max_tasks` caps running tasks whatever they ask for, so that asking for
    half a core does not put twice as many processes on the machine as it has cores.
    """

    id: MachineId
    cpu_millis: int
    memory_bytes: int | None = None  # None: not capped
    max_tasks: int | None = None
    used_elsewhere_cpu_millis: int = 0  # taken by things that are not in `Snapshot.allocations`


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Identical machines; the owner of capacity, counted once however many pools share it. Amounts are per node."""

    id: NodeGroupId
    site_id: SiteId
    nodes: int
    cpu_millis: int
    memory_bytes: int
    # Of a node as it is, where the amounts above count what is leased ahead; None = as above.
    whole_cpu_millis: int | None = None
    whole_memory_bytes: int | None = None
    whole_devices: tuple[tuple[str, int], ...] | None = None
    serving_cpu_millis: int = 0  # what living daemons hold on its machine
    disk_bytes: int = 0  # 0: not known, so not limited
    devices: tuple[tuple[str, int], ...] = ()
    arch: str = "amd64"
    accelerator: str = ""
    simulated: bool = False  # the accelerator class is declared, not real
    machine_id: MachineId | None = None
    speed_permille: int = 1000  # of the hardware that `TaskRequest.expected_ms` speaks of
    unavailable_nodes: tuple[int, ...] = ()  # cordoned: nothing new goes there
    unavailable_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A pool's rates, integer micros."""

    core_hour_micros: int = 0
    memory_gib_hour_micros: int = 0
    device_hour_micros: tuple[tuple[str, int], ...] = ()
    start_micros: int = 0
    egress_gib_micros: int = 0  # for bytes that leave the pool's site

    def compute_micros(
        self,
        *,
        cpu_millis: int,
        memory_bytes: int,
        devices: tuple[tuple[str, int], ...],
        duration_ms: int,
        nodes: int = 1,
    ) -> int:
        """Price of holding the given amounts on each of `nodes` nodes for `duration_ms`; each part rounds up."""
        part = _ceil_div(self.core_hour_micros * cpu_millis * duration_ms * nodes, 1000 * MS_PER_HOUR)
        part += _ceil_div(self.memory_gib_hour_micros * memory_bytes * duration_ms * nodes, BYTES_PER_GIB * MS_PER_HOUR)
        rates = dict(self.device_hour_micros)
        for name, count in devices:
            part += _ceil_div(rates.get(name, 0) * count * duration_ms * nodes, MS_PER_HOUR)
        return self.start_micros + part

    def egress_micros(self, bytes_moved: int) -> int:
        """Price of moving `bytes_moved` out of this pool's site."""
        return _ceil_div(self.egress_gib_micros * bytes_moved, BYTES_PER_GIB)


def _ceil_div(amount: int, by: int) -> int:
    return -(-amount // by)


class PoolKind(StrEnum):
    """OWNED: we fill its slots, so a task is placed only when it can start. QUEUED: the site queues what we submit."""

    OWNED = "owned"
    QUEUED = "queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A submit target over node groups of its site.

    Placements into a queued pool carry no node indexes: the site chooses the nodes, and the core checks that the task
    would fit an empty node, the slot limit and the machine's caps.
    """

    id: PoolId
    name: str
    site_id: SiteId
    node_group_ids: tuple[NodeGroupId, ...]
    kind: PoolKind = PoolKind.OWNED
    max_running: int | None = None  # slot limit over all our attempts in the pool, waiting at the site or running
    running_elsewhere: int = 0  # slots taken by things that are not in `Snapshot.allocations`
    max_walltime_s: int | None = None
    # Queued pools: others' entries waiting at the site, and how long the site says a new one waits. None: it does not say;
    # then only our own entries are counted, so its waits are lower bounds. Owned pools' waits are computed.
    depth: int | None = None
    wait_estimate_s: int | None = None
    images: frozenset[str] | None = None  # image names it can run; None = any
    private_root: bool = True  # can give a step its own root, so absolute output paths work
    container_groups: bool = True  # can run several commands of one task at once
    run_disks: bool = True  # can keep directories of a run between its tasks
    shared_disks: frozenset[str] = frozenset()  # folders of the site that every one of its agents can show
    paused: str | None = None  # the reason, when new work is stopped
    reachable: bool = True  # an agent that serves it has synced lately
    price: Price = field(default_factory=Price)
    labels: tuple[tuple[str, str], ...] = ()
    bandwidth_bytes_per_s: int | None = None  # into its site; None = the policy's default
    start_overhead_ms: int = 0  # image set-up, process start
    project_ids: frozenset[ProjectId] | None = None  # who may use it; None = everybody
