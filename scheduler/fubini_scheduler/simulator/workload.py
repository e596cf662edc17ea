"""Seeded workloads: places of several kinds and a mix of tasks, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fubini_scheduler.model import (
    BlobKey,
    Machine,
    MachineId,
    NodeGroup,
    NodeGroupId,
    Objective,
    Operator,
    Pool,
    PoolId,
    PoolKind,
    Price,
    Priority,
    Project,
    ProjectId,
    Requirement,
    RunId,
    Site,
    SiteId,
    Snapshot,
    TaskId,
    TaskRequest,
)

GIB = 1 << 30
MIB = 1 << 20
GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Places, projects and replicas (`snapshot`, without tasks), and tasks by their arrival.

    `run_spread_permille`: real run times differ from the estimate by up to that much either way.
    """

    snapshot: Snapshot
    arrivals: tuple[tuple[int, TaskRequest], ...]
    run_spread_permille: int = 0


def random_scenario(
    seed: int, *, tasks: int = 60, projects: int = 3, budget_micros: int | None = None, span_ms: int = 600_000
) -> Scenario:
    """A scenario of three sites on two shared machines and one of its own, with all kinds of tasks.

    Args:
        seed: decides everything.
        tasks: how many arrive over `span_ms`.
        projects: how many share them.
        budget_micros: of each project; None for no limit.
        span_ms: when the last task arrives.
    """
    rng = random.Random(seed)  # noqa: S311 - a simulation
    places = _places(rng)
    owners = tuple(
        Project(
            id=ProjectId(f"project-{i}"),
            available_micros=budget_micros,
            share=rng.randint(1, 3),
            max_running=rng.choice((None, None, 6)),
        )
        for i in range(projects)
    )
    blobs = tuple((BlobKey(f"blob-{i}"), rng.choice((MIB, 200 * MIB, 4 * GIB))) for i in range(6))
    replicas = {key: frozenset(s.id for s in places.sites if rng.random() < 0.4) for key, _ in blobs}
    snapshot = Snapshot(
        sites=places.sites,
        machines=places.machines,
        node_groups=places.node_groups,
        pools=places.pools,
        projects=owners,
        replicas={key: sites for key, sites in replicas.items() if sites},
    )
    arrivals = tuple(
        (rng.randint(0, span_ms), _task(rng, number, owners, places.sites, blobs)) for number in range(tasks)
    )
    return Scenario(snapshot, arrivals, run_spread_permille=rng.choice((0, 300, 900)))


def _places(rng: random.Random) -> Snapshot:
    sites = tuple(Site(SiteId(f"site-{n}"), n, "north" if n != "cloud" else "east") for n in ("cloud", "edge", "hpc"))
    cores = rng.choice((2, 4, 8))
    machines = (
        Machine(id=MachineId("machine-a"), cpu_millis=cores * 1000, max_tasks=cores),
        Machine(id=MachineId("machine-b"), cpu_millis=16_000, memory_bytes=48 * GIB),
    )
    cloud, edge, hpc = (site.id for site in sites)

    def group(
        name: str, site_id: SiteId, nodes: int, cpu: int, memory: int, *, machine: int | None = None,
        gpus: int = 0, arch: str = "amd64", speed: int = 1000,
    ) -> NodeGroup:  # fmt: skip
        return NodeGroup(
            id=NodeGroupId(name),
            site_id=site_id,
            nodes=nodes,
            cpu_millis=cpu,
            memory_bytes=memory,
            disk_bytes=100 * GIB,
            devices=((GPU, gpus),) if gpus else (),
            accelerator="a100" if gpus else "",
            arch=arch,
            machine_id=None if machine is None else machines[machine].id,
            speed_permille=speed,
        )

    groups = (
        group("cloud-gpu", cloud, rng.randint(1, 3), 8000, 64 * GIB, gpus=4, speed=2000),
        group("cloud-cpu", cloud, 1, cores * 1000, 16 * GIB, machine=0),
        group("edge", edge, 1, 2000, 8 * GIB, machine=0, arch=rng.choice(("amd64", "arm64"))),
        group("hpc-a", hpc, rng.randint(2, 6), 4000, 16 * GIB),
        group("hpc-b", hpc, 2, 8000, 32 * GIB, machine=1),
    )

    def pool(name: str, site_id: SiteId, members: tuple[str, ...], **more: object) -> Pool:
        return Pool(
            id=PoolId(name), name=name, site_id=site_id, node_group_ids=tuple(NodeGroupId(m) for m in members), **more  # type: ignore[arg-type]
        )  # fmt: skip

    pools = (
        pool(
            "cloud", cloud, ("cloud-gpu", "cloud-cpu"), bandwidth_bytes_per_s=50 * MIB,
            price=Price(core_hour_micros=90_000, device_hour_micros=((GPU, 2_000_000),), start_micros=100, egress_gib_micros=50_000),
        ),
        pool("edge", edge, ("edge",), bandwidth_bytes_per_s=2 * MIB, max_running=rng.choice((None, 1, 2)), private_root=False),
        pool(
            "hpc-short", hpc, ("hpc-a", "hpc-b"), max_walltime_s=3600, max_running=rng.choice((None, 4)),
            price=Price(core_hour_micros=20_000, memory_gib_hour_micros=500), bandwidth_bytes_per_s=20 * MIB,
        ),
        pool("hpc-long", hpc, ("hpc-a",), price=Price(core_hour_micros=25_000), bandwidth_bytes_per_s=20 * MIB),
        pool(
            "hpc-queue", hpc, ("hpc-b",), kind=PoolKind.QUEUED, max_running=3, wait_estimate_s=rng.choice((0, 30, 300)),
            price=Price(core_hour_micros=5_000), bandwidth_bytes_per_s=20 * MIB,
        ),
    )  # fmt: skip
    return Snapshot(sites=sites, machines=machines, node_groups=groups, pools=pools)


def _task(
    rng: random.Random,
    number: int,
    owners: tuple[Project, ...],
    sites: tuple[Site, ...],
    blobs: tuple[tuple[BlobKey, int], ...],
) -> TaskRequest:
    owner = rng.choice(owners).id
    gpus = rng.choice((0, 0, 0, 0, 1, 2))
    gang = 1 if gpus else rng.choice((1, 1, 1, 1, 2))
    required: tuple[tuple[Requirement, ...], ...] = ()
    if rng.random() < 0.3:
        named = rng.choice(sites).name
        op = rng.choice((Operator.IN, Operator.NOT_IN))
        required = (
            (Requirement("fubini.dev/site", op, (named,)),),
            (Requirement("kubernetes.io/arch", Operator.IN, ("arm64",)),),
        )
    return TaskRequest(
        id=TaskId(f"task-{number:05}"),
        run_id=RunId(f"{owner}-run-{rng.randint(0, 2)}"),
        project_id=owner,
        version=rng.randint(0, 5),
        queued_since_ms=0,
        cpu_millis=rng.choice((500, 1000, 1000, 2000, 4000, 8000)) if not gpus else 2000,
        memory_bytes=rng.choice((0, GIB, 4 * GIB, 12 * GIB)),
        disk_bytes=rng.choice((0, GIB)),
        devices=((GPU, gpus),) if gpus else (),
        required=required,
        walltime_s=rng.choice((None, 120, 1800, 7200)),
        needs_private_root=rng.random() < 0.2,
        priority=rng.choice(tuple(Priority)),
        objective=rng.choice(tuple(Objective)),
        gang_nodes=gang,
        exclusive=rng.random() < 0.1,
        inputs=tuple(sorted(rng.sample(blobs, rng.choice((0, 0, 1, 2))))),
        expected_ms=rng.choice((None, 2_000, 30_000, 200_000)),
    )
