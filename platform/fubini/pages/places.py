"""The places a project can use, in one answer: sites with their links, pools with their nodes, agents, use and queue.

Its number of queries does not depend on how much there is. Use over time is made from the newest attempts, so on a very
busy installation it reaches back less than a day and says how far.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Exists, Min, OuterRef, Prefetch, QuerySet, Subquery, Sum, Value

from fubini.common import clock
from fubini.common.principal import Principal
from fubini.dispatch.grants import NO_ROOM
from fubini.projects.models import Project
from fubini.runs.models import Attempt, Lease, Task
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import Agent, NodeGroup, Pool, Price, Site
from fubini.sites.selectors import declared_bytes_per_s, pools_of_project, prices_now

HOUR_MS: Final = 3_600_000
HOURS: Final = 24
ATTEMPTS_MAX: Final = 20_000
WAITING_MAX: Final = 2_000
NODES_MAX: Final = 64  # shown of a node group


@dataclass(frozen=True, slots=True)
class SiteView:
    """`link_bytes_per_s` is measured over `link_measured_bytes`; 0 of them: only declared; None: not known.

    `mine`: the asker may pause, cordon and drain there.
    """

    id: str
    name: str
    title: str
    region: str
    link_bytes_per_s: int | None
    link_measured_bytes: int
    mine: bool


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node of a group: what it has and what steps of all projects hold of it, through whatever pool."""

    group: str
    node: int
    cpu_millis: int
    memory_bytes: int
    devices: dict[str, int]
    accelerator: str
    simulated: bool
    used_cpu_millis: int
    used_memory_bytes: int
    running: int
    cordon: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AgentView:
    """When it was last heard of, and apart from that the leases it holds: `lease_ends_ms` is when the first runs out."""

    id: str
    name: str
    draining: bool
    refuses: str
    heard_ms: int | None
    leases: int
    lease_ends_ms: int | None


@dataclass(frozen=True, slots=True)
class PoolView:
    """`use` are thousandths of its cores by hour, oldest first; None before `use_since_ms`."""

    id: str
    site_id: str
    site: str
    name: str
    kind: str
    paused_reason: str
    drain_at_ms: int | None
    max_running: int | None
    max_walltime_s: int | None
    price: Price | None
    running: int
    waiting: int
    used_cpu_millis: int
    capacity_cpu_millis: int
    use: list[int | None]
    nodes: list[NodeView]
    nodes_hidden: int
    agents: list[AgentView]


@dataclass(frozen=True, slots=True)
class Places:
    """The page's answer."""

    now_ms: int
    sites: list[SiteView]
    pools: list[PoolView]


def places_of(project: Project, principal: Principal) -> Places:
    """All of it; seven queries."""
    now_ms = clock.now_ms()
    pools = list(
        pools_of_project(project)
        .select_related("site")
        .prefetch_related("node_groups", Prefetch("agents", agents_with_leases()))
        .annotate(own_site=_owned_by(principal))
        .order_by("site__preference", "site__name", "name")
    )
    sites: dict[str, SiteView] = {}
    for pool in pools:
        known = sites.get(pool.site_id)
        if known is None or known.link_bytes_per_s is None:
            sites[pool.site_id] = _site(pool.site, pool, mine=principal.administers or pool.own_site)
    held = list(
        Attempt.objects.filter(state__in=ATTEMPT_LIVE)
        .values_list("pool_id", "node_group_id", "node_index")
        .annotate(cpu=Sum("cpu_millis"), memory=Sum("memory_bytes"), n=Count("pk"))
    )
    prices = prices_now(pools)
    use, since_ms = _use(now_ms)
    waiting = _waiting(project)
    return Places(
        now_ms,
        list(sites.values()),
        [
            _pool(pool, held, prices.get(pool.pk), use[pool.pk], since_ms, waiting[pool.pk], now_ms)
            for pool in pools
        ],
    )


def _site(site: Site, pool: Pool, *, mine: bool) -> SiteView:
    rate = site.link_bytes_per_s or declared_bytes_per_s(pool)
    return SiteView(site.pk, site.name, site.title, site.region, rate, site.link_measured_bytes, mine)


def _pool(
    pool: Pool,
    held: Iterable[tuple[str, str, int, int, int, int]],
    price: Price | None,
    use: list[int],
    since_ms: int,
    waiting: int,
    now_ms: int,
) -> PoolView:
    groups = sorted(pool.node_groups.all(), key=lambda g: g.name)
    by_node: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    running = used = 0
    for pool_id, group_id, index, cpu, memory, count in held:
        for position, amount in enumerate((cpu, memory, count)):
            by_node[group_id, index][position] += amount
        if pool_id == pool.pk:
            running, used = running + count, used + cpu
    capacity = sum(group.nodes * group.cpu_millis for group in groups)
    first = now_ms - HOURS * HOUR_MS
    shares = [
        None if first + (i + 1) * HOUR_MS <= since_ms else min(1000, spent * 1000 // max(1, capacity * HOUR_MS))
        for i, spent in enumerate(use)
    ]
    nodes = [
        _node(group, index, by_node[group.pk, index])
        for group in groups
        for index in range(min(group.nodes, NODES_MAX))
    ]
    return PoolView(
        id=pool.pk,
        site_id=pool.site_id,
        site=pool.site.name,
        name=pool.name,
        kind=pool.kind,
        paused_reason=pool.paused_reason,
        drain_at_ms=pool.drain_at_ms,
        max_running=pool.max_running,
        max_walltime_s=pool.max_walltime_s,
        price=price,
        running=running,
        waiting=waiting,
        used_cpu_millis=used,
        capacity_cpu_millis=capacity,
        use=shares,
        nodes=nodes,
        nodes_hidden=sum(max(0, group.nodes - NODES_MAX) for group in groups),
        agents=[agent_view(a) for a in sorted(pool.agents.all(), key=lambda a: a.name) if a.revoked_at is None],
    )


def _node(group: NodeGroup, index: int, held: list[int]) -> NodeView:
    return NodeView(
        group.name,
        index,
        group.cpu_millis,
        group.memory_bytes,
        group.devices,
        group.accelerator,
        group.simulated,
        held[0],
        held[1],
        held[2],
        group.cordons.get(str(index)),
    )


def _owned_by(principal: Principal) -> Exists | Value:
    """In a query over pools: is the principal one of the site's owners?"""
    if principal.user is None:
        return Value(False)
    return Exists(Site.objects.filter(pk=OuterRef("site_id"), owners=principal.user.pk))


def agents_with_leases() -> QuerySet[Agent]:
    """Agents with how many leases each has, and when the first of them ends."""
    leases = Lease.objects.filter(agent_id=OuterRef("pk"), state__in=["granted", "held"]).order_by().values("agent_id")
    return Agent.objects.annotate(
        lease_count=Subquery(leases.annotate(n=Count("pk")).values("n")),
        lease_ends_ms=Subquery(leases.annotate(first=Min("expires_at_ms")).values("first")),
    )


def agent_view(agent: Any) -> AgentView:
    """Of one of `agents_with_leases`."""
    heard = clock.to_ms(agent.last_sync_at) if agent.last_sync_at else None
    refuses = "" if agent.draining else str(agent.last_report.get("reason", ""))
    return AgentView(agent.pk, agent.name, agent.draining, refuses, heard, agent.lease_count or 0, agent.lease_ends_ms)


def _use(now_ms: int) -> tuple[dict[str, list[int]], int]:
    """Milli-core milliseconds by pool and hour of the last day, and since when that is whole."""
    first = now_ms - HOURS * HOUR_MS
    found: dict[str, list[int]] = defaultdict(lambda: [0] * HOURS)
    rows = list(
        Attempt.objects.order_by("-id").values_list(
            "pool_id", "cpu_millis", "started_at_ms", "finished_at_ms", "leased_at_ms", "ended_at_ms"
        )[:ATTEMPTS_MAX]
    )
    for pool_id, cpu, started, finished, _, ended in rows:
        if started is None:
            continue
        end = min(finished or ended or now_ms, now_ms)
        begin = max(started, first)
        while begin < end:
            hour = (begin - first) // HOUR_MS
            until = min(end, first + (hour + 1) * HOUR_MS)
            found[pool_id][min(hour, HOURS - 1)] += cpu * (until - begin)
            begin = until
    return found, rows[-1][4] if len(rows) == ATTEMPTS_MAX else first


def _waiting(project: Project) -> dict[str, int]:
    """By pool: the project's waiting steps that it could run, once there is room."""
    found: dict[str, int] = defaultdict(int)
    rows = (
        Task.objects.filter(project_id=project.pk, state="queued")
        .order_by("pk")
        .values_list("why_document__content", flat=True)
    )
    for reasons in rows[:WAITING_MAX]:
        for pool_id in {r.get("pool_id") for r in reasons or () if r.get("code") in NO_ROOM}:
            if pool_id:
                found[pool_id] += 1
    return found
