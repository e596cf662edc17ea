"""The database as the core's `Snapshot`: what is queued, what there is, what is taken.

Reads only, in two statements: what there is with what waits and runs, then what the projects and runs of those may use.
Requests are cached by task version, because a queue of thousands is read every cycle.
"""

from __future__ import annotations

import fnmatch
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q, QuerySet

from fubini.common import clock
from fubini.common.options import option
from fubini.common.together import together
from fubini.datasets.selectors import replica_sites
from fubini.dispatch.estate import Estate, estate_from, estate_parts
from fubini.dispatch.history import history_from, history_rows
from fubini.dispatch.inputs import Inputs, inputs_of
from fubini.dispatch.models import RunTime, Usage
from fubini.dispatch.policy import policy_of
from fubini.dispatch.quotas import quota_parts, quotas_from
from fubini.ledger.selectors import available_rows, availables_from
from fubini.projects.models import Project
from fubini.runs.codec import spec_of
from fubini.runs.engine import Requirement, TaskSpec
from fubini.runs.limits import RunLimits, limit_rows
from fubini.runs.models import Attempt, Run, RunPlace, Task
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import Agent, NodeGroup, Pause, Pool, Price
from fubini.sites.selectors import link_bytes_per_s, prices_in_force, shared_disks_of
from fubini_scheduler import model as core

QUEUE_LIMIT = 10_000
ROOM_BESIDE_CPU_MILLIS = 1000  # a daemon's node must have room for a step of the usual size that asks it
STAGING = ("leased", "staging")  # an attempt in these may still be bringing its inputs in


@dataclass(slots=True)
class World:
    """A snapshot and the rows behind it that applying decisions needs."""

    snapshot: core.Snapshot
    pools: dict[str, Pool]
    prices: dict[str, Price]
    agents: dict[str, list[Agent]]  # pool id -> agents that may take its leases, least loaded first
    now_ms: int
    policy: core.Policy
    prefetching: bool = False
    beside_run: frozenset[str] = frozenset()
    daemons: frozenset[str] = frozenset()  # queued tasks that serve others
    machines: dict[str, str] = field(default_factory=dict)  # node group -> the machine it stands on
    daemons_placed: set[str] = field(default_factory=set)  # machines that were given a daemon in this cycle


@dataclass(slots=True)
class RequestCache:
    """Requests by task id, valid while the row's version stands.

    `unreadable`: queued tasks whose inputs do not exist, with what is missing; they are never planned.
    """

    requests: dict[str, tuple[int, core.TaskRequest]] = field(default_factory=dict)
    unreadable: dict[str, list[str]] = field(default_factory=dict)
    moving: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # by attempt: the blobs its task reads, digest -> bytes
    beside_run: set[str] = field(default_factory=set)  # task ids that must run where others of their run do


@dataclass(slots=True)
class Offer:
    """What there is, as a snapshot of it, whatever of it is taken: what a step could ever run on. Prices are left out."""

    snapshot: core.Snapshot
    pools: dict[str, Pool]
    shared_disks: frozenset[str]  # those some agent there shows


def offer_now() -> Offer:
    """The pools with all that decides what can run there, daemons included; one query."""
    now_ms = clock.now_ms()
    daemons = Attempt.objects.filter(state__in=ATTEMPT_LIVE, placement_document__content__daemon=True)
    read = together({**estate_parts(), "daemons": daemons.values_list("node_group_id", "cpu_millis")})
    estate = estate_from(read)
    pools = estate.pools
    groups = {group.pk: group for pool in pools for group in pool.node_groups.all()}
    sites = {pool.site_id: pool.site for pool in pools}
    serving: dict[str, int] = defaultdict(int)
    for group_id, cpu_millis in read["daemons"]:
        if group_id in groups:
            serving[groups[group_id].machine_id or group_id] += cpu_millis
    snapshot = core.Snapshot(
        sites=tuple(core.Site(core.SiteId(s.pk), s.name, s.region) for s in sites.values()),
        machines=tuple(_machines(groups.values(), {})),
        node_groups=tuple(_group(g, 0, serving[g.machine_id or g.pk]) for g in groups.values()),
        pools=tuple(_pool(p, estate, _usable(p, now_ms), None, {}) for p in pools),
    )
    shown = frozenset[str]().union(
        *(shared_disks_of(a) for pool in pools for a in pool.agents.all() if a.revoked_at is None)
    )
    return Offer(snapshot, {p.pk: p for p in pools}, shown)


def world_of(cache: RequestCache, *, also: str = "") -> World:
    """Everything `plan()` needs; two queries, and one for each 500 requests that are new; inputs take their own.

    Args:
        cache: requests kept between calls.
        also: a queued task to have in it, however long the queue.
    """
    now_ms = clock.now_ms()
    read = together({**estate_parts(), **_work_parts(now_ms, also)})
    estate = estate_from(read)
    pools, groups, attempts = estate.pools, estate.groups, read["attempts"]
    pause = next(iter(read["pause"]), None)
    load: dict[str, int] = defaultdict(int)
    for attempt in attempts:
        load[attempt.agent_id] += 1
    agents: dict[str, list[Agent]] = {}
    for pool in pools:
        agents[pool.pk] = sorted(_usable(pool, now_ms), key=lambda a: (load[a.pk], a.pk))
    prices = {price.pool_id: price for price in read["prices"]}
    requests = _requests(cache, read["queued"], read.get("also", []))
    project_ids = {t.project_id for t in requests} | {a.project_id for a in attempts}
    run_ids = {t.run_id for t in requests}
    may_use = together(_allowance_parts(project_ids, run_ids))
    tasks = _with_run_budgets(_with_places(requests, cache, pools), run_ids, may_use)
    depth = _prefetch_depth(groups, pools, read["ended"])
    machines = {g.pk: g.machine_id or g.pk for g in groups}
    serving: dict[str, int] = defaultdict(int)
    for attempt in attempts:
        if attempt.placement.get("daemon"):
            serving[machines.get(attempt.node_group_id, attempt.node_group_id)] += attempt.cpu_millis
    staging = [a for a in attempts if a.state in STAGING and a.placement.get("bytes_to_move")]
    moving = _moving(cache, staging)
    keys = {key for task in tasks for key, _ in task.inputs} | {core.BlobKey(k) for m in moving.values() for k in m}
    held = replica_sites(keys) if keys else {}
    snapshot = core.Snapshot(
        tasks=tuple(tasks),
        sites=tuple(core.Site(core.SiteId(s.pk), s.name, s.region) for s in estate.sites),
        machines=tuple(_machines(groups, depth)),
        node_groups=tuple(_group(g, depth.get(g.pk, 0), serving[machines[g.pk]]) for g in groups),
        pools=tuple(_pool(p, estate, agents[p.pk], prices.get(p.pk), depth) for p in pools),
        projects=tuple(_projects(may_use)),
        quotas=quotas_from(may_use),
        allocations=tuple(_allocation(a) for a in attempts),
        replicas={core.BlobKey(k): frozenset(core.SiteId(s) for s in v) for k, v in held.items()},
        transfers=tuple(_transfers(staging, moving, held)),
        paused=(pause.reason or None) if pause else None,
    )
    return World(
        snapshot,
        {p.pk: p for p in pools},
        prices,
        agents,
        now_ms,
        policy_of(estate.sites),
        prefetching=bool(depth),
        beside_run=frozenset(t.id for t in tasks if t.id in cache.beside_run),
        daemons=frozenset(t.id for t in tasks if t.room_beside_cpu_millis),
        machines=machines,
    )


def _work_parts(now_ms: int, also: str) -> dict[str, QuerySet[Any, Any]]:
    """What waits, what runs and what ended last; whether work is paused, and what pools charge."""
    due = Q(not_before_ms=None) | Q(not_before_ms__lte=now_ms)
    queued = Task.objects.filter(state="queued", kind="exec")
    ended = Attempt.objects.filter(state="succeeded", finished_at_ms__isnull=False, started_at_ms__isnull=False)
    attempts = Attempt.objects.filter(state__in=ATTEMPT_LIVE).select_related("placement_document").only(
        "id", "task_id", "project_id", "pool_id", "node_group_id", "node_index", "cpu_millis", "memory_bytes",
        "devices", "leased_at_ms", "walltime_s", "state", "agent_id", "site_id",
        "placement_document", "placement_document__content",
    )  # fmt: skip
    return {
        "pause": Pause.objects.filter(pk=1),
        "prices": prices_in_force(),
        "attempts": attempts,
        "queued": queued.filter(due).order_by("queued_at_ms", "id").values_list("pk", "version")[:QUEUE_LIMIT],
        "ended": ended.order_by("-id").values_list("node_group_id", "started_at_ms", "finished_at_ms")[:64],
        **({"also": queued.filter(pk=also).values_list("pk", "version")} if also else {}),
    }


def _allowance_parts(project_ids: Iterable[str], run_ids: Iterable[str]) -> dict[str, QuerySet[Any, Any]]:
    """What these projects have and may use at once, and what these runs may spend."""
    return {
        "projects": Project.objects.filter(pk__in=project_ids),
        "budgets": available_rows(project_ids),
        "usage": Usage.objects.filter(pk__in=project_ids),
        **quota_parts(project_ids),
        **{f"limits {n}": rows for n, rows in enumerate(limit_rows(run_ids))},
    }


_kept, _lock = RequestCache(), threading.Lock()


def world_now(*, also: str = "") -> World:
    """`world_of` for who looks and does not plan; requests are kept between such looks."""
    with _lock:
        return world_of(_kept, also=also)


def request_of(task: Task, run: Run, times: dict[str, RunTime], inputs: Inputs) -> core.TaskRequest:
    """One task's row as the core sees it."""
    spec = spec_of(task.spec)
    sizes = inputs.sizes
    notes = dict(spec.annotations)
    known = [r for r in times.values() if r.samples]
    return core.TaskRequest(
        id=core.TaskId(task.pk),
        run_id=core.RunId(task.run_id),
        project_id=core.ProjectId(task.project_id),
        version=task.version,
        queued_since_ms=task.queued_at_ms,
        submitted_by=task.submitted_by,
        template=task.template,
        cpu_millis=spec.resources.cpu_millis,
        memory_bytes=spec.resources.memory_bytes,
        disk_bytes=spec.resources.disk_bytes,
        devices=spec.resources.devices,
        required=tuple(tuple(_requirement(r) for r in term) for term in spec.required),
        preferred=tuple(
            core.Preferred(p.weight, tuple(_requirement(r) for r in p.requirements)) for p in spec.preferred
        ),
        image=spec.image,
        room_beside_cpu_millis=ROOM_BESIDE_CPU_MILLIS if spec.daemon else 0,
        more_images=tuple(sorted({c.image for c in spec.containers} - {spec.image, ""})),
        needs_container_groups=bool(spec.containers),
        needs_run_disks=any(v.disk for v in spec.volumes),
        needs_shared_disks=tuple(sorted(inputs.shared)),
        needs_private_root=needs_private_root(spec),
        walltime_s=spec.walltime_s or spec.deadline_s,
        priority=core.Priority(task.priority),
        objective=core.Objective(notes.get("objective") or run.objective or "balanced"),
        gang_nodes=int(notes.get("nodes", "1")),
        exclusive=notes.get("exclusive") == "true",
        inputs=tuple(sorted((core.BlobKey(k), v) for k, v in sizes.items())),
        avoid_node_groups=tuple(core.NodeGroupId(g) for g in task.avoid),
        expected_ms=sum(r.mean_ms for r in known) // len(known) if known else None,
        expected_by_group_ms=tuple(sorted((core.NodeGroupId(r.node_group_id), r.mean_ms) for r in known)),
    )


def needs_private_root(spec: TaskSpec) -> bool:
    """Does the step name absolute paths of its own? Those must not touch the host."""
    return bool(
        spec.artifacts_in
        or spec.artifacts_out
        or spec.parameters_out
        or spec.volumes
        or spec.secret_files
        or spec.working_dir
    )


def _requests(
    cache: RequestCache, queued: list[tuple[str, int]], also: list[tuple[str, int]]
) -> list[core.TaskRequest]:
    """The requests of queued tasks, given as id and version; `also` those that may be behind the queue's limit."""
    listed = {pk for pk, _ in queued}
    queued = [*queued, *(one for one in also if one[0] not in listed)]
    missing = [pk for pk, version in queued if cache.requests.get(pk, (None,))[0] != version]
    live = {pk for pk, _ in queued}
    if len(cache.requests) > 2 * len(live) + 1000:
        cache.requests = {pk: kept for pk, kept in cache.requests.items() if pk in live}
        cache.beside_run &= live
    for start in range(0, len(missing), 500):
        some = Task.objects.filter(pk__in=missing[start : start + 500])
        asks = some.select_related("run").only(
            "run_id", "project_id", "version", "queued_at_ms", "submitted_by", "template", "spec", "priority", "avoid",
            "run__objective",
        )  # fmt: skip
        read = together({"tasks": asks, "times": history_rows(some)})
        times = history_from(read["times"])
        for task in read["tasks"]:
            inputs = inputs_of(task.project_id, spec_of(task.spec))
            if inputs.problems:
                cache.unreadable[task.pk] = inputs.problems
                continue
            request = request_of(task, task.run, times.get((task.project_id, task.template), {}), inputs)
            cache.requests[task.pk] = (task.version, request)
            if task.spec.get("beside_run"):
                cache.beside_run.add(task.pk)
    return [cache.requests[pk][1] for pk, _ in queued if pk in cache.requests]


def _with_places(requests: list[core.TaskRequest], cache: RequestCache, pools: list[Pool]) -> list[core.TaskRequest]:
    """Bind tasks that share a disk or an address with others of their run to the agent those ran on, once there is one."""
    wanted = {r.run_id for r in requests if r.id in cache.beside_run} if cache.beside_run else set()
    if not wanted:
        return requests
    places = {p.run_id: p for p in RunPlace.objects.filter(run_id__in=list(wanted)[:5000])}
    names = {pool.site_id: pool.site.name for pool in pools}
    serving: dict[str, list[core.PoolId]] = defaultdict(list)
    for pool in pools:
        for agent in pool.agents.all():
            serving[agent.pk].append(core.PoolId(pool.pk))
    out = []
    for request in requests:
        place = places.get(request.run_id) if request.id in cache.beside_run else None
        if place is not None:
            only = tuple(sorted(serving[place.agent_id]))
            request = replace(request, only_pools=only, bound_to=names.get(place.site_id, "a site that is gone"))
        out.append(request)
    return out


def _with_run_budgets(
    requests: list[core.TaskRequest], run_ids: Iterable[str], may_use: Mapping[str, list[Any]]
) -> list[core.TaskRequest]:
    """Run budgets move while tasks wait, so they are read anew each cycle."""
    limits = RunLimits(run_ids, own=[row for name, rows in may_use.items() if name.startswith("limits ") for row in rows])
    left = {pk: limits.left_micros(pk) for pk in run_ids}
    return [
        r if r.run_budget_left_micros == left.get(r.run_id) else replace(r, run_budget_left_micros=left.get(r.run_id))
        for r in requests
    ]


def _usable(pool: Pool, now_ms: int) -> list[Agent]:
    """A pool's agents that may take its leases."""
    silent_ms = option("LEASE_S") * 1000
    return [
        a for a in pool.agents.all() if a.revoked_at is None and not a.draining and _fresh(a, now_ms, silent_ms)
    ]


def _fresh(agent: Agent, now_ms: int, silent_ms: int) -> bool:
    if agent.last_sync_at is None or agent.last_report.get("accepting") is False:
        return False
    return now_ms - clock.to_ms(agent.last_sync_at) < silent_ms


def _requirement(needed: Requirement) -> core.Requirement:
    return core.Requirement(needed.key, core.Operator(needed.op), needed.values)


def _devices(devices: dict[str, int], factor: int = 1) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, count * factor) for name, count in devices.items() if count))


def _group(group: NodeGroup, depth: int, serving_cpu_millis: int) -> core.NodeGroup:
    factor = 1 + depth
    return core.NodeGroup(
        id=core.NodeGroupId(group.pk),
        site_id=core.SiteId(group.site_id),
        nodes=group.nodes,
        cpu_millis=group.cpu_millis * factor,
        whole_cpu_millis=group.cpu_millis if factor > 1 else None,
        whole_memory_bytes=group.memory_bytes if factor > 1 else None,
        whole_devices=_devices(group.devices) if factor > 1 else None,
        serving_cpu_millis=serving_cpu_millis,
        memory_bytes=group.memory_bytes * factor,
        disk_bytes=group.disk_bytes,
        devices=_devices(group.devices, factor),
        arch=group.arch,
        accelerator=group.accelerator,
        simulated=group.simulated,
        machine_id=core.MachineId(group.machine_id) if group.machine_id and group.machine_cpu_millis else None,
        speed_permille=group.speed_permille,
        unavailable_nodes=tuple(sorted(int(index) for index in group.cordons)),
        unavailable_reason="; ".join(dict.fromkeys(c["reason"] for c in group.cordons.values()))[:200],
    )


def _machines(groups: Iterable[NodeGroup], depth: dict[str, int]) -> list[core.Machine]:
    caps: dict[str, int] = {}
    factors: dict[str, int] = defaultdict(lambda: 1)
    for group in groups:
        if group.machine_id and group.machine_cpu_millis:
            caps[group.machine_id] = max(caps.get(group.machine_id, 0), group.machine_cpu_millis)
            factors[group.machine_id] = max(factors[group.machine_id], 1 + depth.get(group.pk, 0))
    return [
        core.Machine(
            id=core.MachineId(machine_id),
            cpu_millis=cpu_millis * factors[machine_id],
            max_tasks=max(1, cpu_millis // 1000) * factors[machine_id],
        )
        for machine_id, cpu_millis in sorted(caps.items())
    ]


def _pool(pool: Pool, estate: Estate, agents: list[Agent], price: Price | None, depth: dict[str, int]) -> core.Pool:
    members = list(pool.node_groups.all())
    allowed = estate.project_ids.get(pool.pk, [])
    factor = 1 + max((depth.get(g.pk, 0) for g in members), default=0)
    known: set[str] = {e["image"] for a in agents for e in a.environments}
    return core.Pool(
        id=core.PoolId(pool.pk),
        name=pool.name,
        site_id=core.SiteId(pool.site_id),
        node_group_ids=tuple(core.NodeGroupId(g.pk) for g in members),
        kind=core.PoolKind(pool.kind),
        max_running=pool.max_running * factor if pool.max_running else None,
        max_walltime_s=pool.max_walltime_s,
        images=ImageNames(known) if known else None,
        private_root=any(a.private_root for a in agents),
        container_groups=bool(agents) and all(a.hardware.get("container_groups") for a in agents),
        run_disks=bool(agents) and all(a.hardware.get("run_disks") for a in agents),
        shared_disks=frozenset.intersection(*(shared_disks_of(a) for a in agents)) if agents else frozenset(),
        paused=pool.paused_reason or None,
        reachable=bool(agents),
        price=price_of(price),
        labels=tuple(sorted((str(k), str(v)) for k, v in pool.labels.items())),
        bandwidth_bytes_per_s=link_bytes_per_s(pool),
        project_ids=frozenset(core.ProjectId(p) for p in allowed) if allowed else None,
    )


def price_of(price: Price | None) -> core.Price:
    """A price version as the core computes with it; no price is free."""
    if price is None:
        return core.Price()
    return core.Price(
        core_hour_micros=price.core_hour_micros,
        memory_gib_hour_micros=price.memory_gib_hour_micros,
        device_hour_micros=_devices(price.device_hour_micros),
        start_micros=price.start_micros,
        egress_gib_micros=price.egress_gib_micros,
    )


class ImageNames(frozenset[str]):
    """A site file's image patterns: `in` matches globs, iteration shows the patterns."""

    def __contains__(self, image: object) -> bool:
        return isinstance(image, str) and any(fnmatch.fnmatchcase(image, pattern) for pattern in self)


def _allocation(attempt: Attempt) -> core.Allocation:
    expected = attempt.placement.get("run_ms") or attempt.walltime_s * 1000
    return core.Allocation(
        id=attempt.pk,
        task_id=core.TaskId(attempt.task_id),
        project_id=core.ProjectId(attempt.project_id),
        pool_id=core.PoolId(attempt.pool_id),
        node_group_id=core.NodeGroupId(attempt.node_group_id),
        node_indexes=tuple(attempt.placement.get("node_indexes", (attempt.node_index,))),
        nodes=attempt.placement.get("nodes", 1),
        disk_bytes=attempt.placement.get("disk_bytes", 0),
        cpu_millis=attempt.cpu_millis,
        memory_bytes=attempt.memory_bytes,
        devices=_devices(attempt.devices),
        started_ms=attempt.leased_at_ms,
        expected_finish_ms=attempt.leased_at_ms + expected,
    )


def _moving(cache: RequestCache, staging: list[Attempt]) -> dict[str, dict[str, int]]:
    """What each attempt that brings data in reads, kept while it does."""
    lacking = {a.task_id: a.pk for a in staging if a.pk not in cache.moving}
    for task in Task.objects.filter(pk__in=lacking).only("project_id", "spec") if lacking else ():
        cache.moving[lacking[task.pk]] = inputs_of(task.project_id, spec_of(task.spec)).sizes
    cache.moving = {a.pk: cache.moving[a.pk] for a in staging if a.pk in cache.moving}
    return cache.moving


def _transfers(
    staging: list[Attempt], moving: dict[str, dict[str, int]], held: dict[str, set[str]]
) -> list[core.Transfer]:
    """The blobs on their way, each once a site. How far one has come is not known: it counts whole until it is there."""
    found: dict[tuple[str, str], int] = {}
    for attempt in staging:
        for digest, size in moving.get(attempt.pk, {}).items():
            if attempt.site_id not in held.get(digest, ()):
                found[attempt.site_id, digest] = size
    return [core.Transfer(core.SiteId(s), core.BlobKey(d), size) for (s, d), size in sorted(found.items())]


def _projects(may_use: Mapping[str, list[Any]]) -> list[core.Project]:
    money = availables_from(may_use["budgets"])
    used = {u.project_id: u for u in may_use["usage"]}
    return [
        core.Project(
            id=core.ProjectId(p.pk),
            available_micros=money.get(p.pk, 0),
            share=max(1, p.share),
            usage=core.Usage(cpu_milli_s=used[p.pk].core_ms, as_of_ms=used[p.pk].as_of_ms)
            if p.pk in used
            else core.Usage(),
            paused=p.paused_reason or None,
        )
        for p in may_use["projects"]
    ]


PREFETCH_BELOW_MS = 400
PREFETCH_AHEAD_MS = 1000
PREFETCH_MAX = 48


def _prefetch_depth(
    groups: list[NodeGroup], pools: list[Pool], ended: list[tuple[str, int, int]]
) -> dict[str, int]:
    """How many times its size a node group may be leased ahead, because its steps end faster than a round trip.

    The agent starts a step only when it has room, so leasing ahead never overcommits its offer; it keeps short steps
    from waiting for the network between them. Steps that take longer than `PREFETCH_BELOW_MS` get none, and neither
    do groups that share a machine, unless all agents there take their starts from the machine's common slots.
    `ended`: node group, start and end of those that succeeded last.
    """
    sharing: dict[str, int] = defaultdict(int)
    for group in groups:
        sharing[group.machine_id] += 1
    careless = {
        agent.machine_id
        for pool in pools
        for agent in pool.agents.all()
        if agent.revoked_at is None and not agent.hardware.get("machine_slots")
    }
    group_ids = {g.pk for g in groups if not g.machine_id or sharing[g.machine_id] == 1 or g.machine_id not in careless}
    newest: dict[str, int] = {}
    for group_id, started, finished in ended:
        if group_id in group_ids:
            newest[group_id] = max(newest.get(group_id, 0), finished - started)
    return {
        group_id: min(PREFETCH_MAX, PREFETCH_AHEAD_MS // max(slowest, 10))
        for group_id, slowest in newest.items()
        if slowest < PREFETCH_BELOW_MS
    }
