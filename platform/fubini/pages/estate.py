"""All sites for those who administer the installation: who is there, how it goes, and what would hold a removal back.

A site's state is worked out here, by one pure function, from its pools, agents and what runs; heartbeat and leases are
told apart, for a late agent still owns what it was leased. The number of queries does not depend on how much there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from fubini.common import clock
from fubini.common.errors import Conflict
from fubini.common.options import option
from fubini.common.saying import say, together
from fubini.datasets.models import Replica
from fubini.pages.places import AgentView, agent_view, agents_with_leases
from fubini.runs.models import Attempt, RunPlace
from fubini.runs.transitions import ATTEMPT_LIVE
from fubini.sites.models import JoinToken, NodeGroup, Pool, Site
from fubini.sites.services import site_delete

STATES: Final = ("empty", "silent", "drained", "draining", "cordoned", "partly", "open")


@dataclass(frozen=True, slots=True)
class EstateAgent:
    """An agent with its leases (see `places.AgentView`); `running`: attempts it has now."""

    view: AgentView
    acts_as: str
    version: str
    joined_ms: int
    revoked_ms: int | None
    silent: bool
    running: int


@dataclass(frozen=True, slots=True)
class EstatePool:
    """`cordoned_nodes` of `nodes` take no new steps; `projects`: slugs of those it is kept for, none: open to all."""

    pool: Pool
    projects: list[str]
    nodes: int
    cordoned_nodes: int
    running: int


@dataclass(frozen=True, slots=True)
class EstateSite:
    """`state` is one of `STATES`; `kept_by`: what keeps it from being removed (agents, running, history, data)."""

    site: Site
    owners: list[str]
    state: str
    agents: list[EstateAgent]
    pools: list[EstatePool]
    running: int
    open_tokens: int
    kept_by: list[str]


class SiteInUse(Conflict):
    code = "site_in_use"
    title = "The site is in use"


def site_state(*, pools: Sequence[tuple[bool, bool, int]], agents: Sequence[bool], running: int) -> str:
    """A site's state. Pure.

    Args:
        pools: of each whether it takes no new steps, whether it is drained, and how many of its nodes are cordoned.
        agents: of each that is not revoked whether it is silent.
        running: steps there now.
    """
    if not agents:
        return "empty"
    if all(agents):
        return "silent"
    closed = [cordoned for cordoned, _, _ in pools]
    if pools and all(closed):
        if any(draining for _, draining, _ in pools):
            return "draining" if running else "drained"
        return "cordoned"
    return "partly" if any(closed) or any(nodes for _, _, nodes in pools) else "open"


def sites_listed() -> QuerySet[Site]:
    """Sites with what `estate_of` needs."""
    return Site.objects.annotate(
        open_tokens=Count(
            "join_tokens",
            filter=Q(join_tokens__used_at=None, join_tokens__expires_at__gt=timezone.now()),
            distinct=True,
        ),
        has_history=_history(),
        has_data=_data(),
    ).prefetch_related("owners")


def _history() -> Exists | Q:
    return Exists(Attempt.objects.filter(site=OuterRef("pk")))


def _data() -> Exists:
    return Exists(Replica.objects.filter(site_id=OuterRef("pk")))


def estate_of(sites: Sequence[Any]) -> list[EstateSite]:
    """The page's rows for sites of `sites_listed`; five queries."""
    now_ms, silent_ms = clock.now_ms(), option("LEASE_S") * 1000
    ids = [site.pk for site in sites]
    running: dict[str, int] = defaultdict(int)
    for site_id, pool_id, agent_id, count in (
        Attempt.objects.filter(state__in=ATTEMPT_LIVE, site__in=ids)
        .order_by()
        .values_list("site_id", "pool_id", "agent_id")
        .annotate(n=Count("pk"))
    ):
        for key in (site_id, pool_id, agent_id):
            running[key] += count
    agents: dict[str, list[EstateAgent]] = defaultdict(list)
    for agent in agents_with_leases().filter(site__in=ids).order_by("name"):
        view = agent_view(agent)
        agents[agent.site_id].append(
            EstateAgent(
                view=view,
                acts_as=agent.acts_as,
                version=agent.version,
                joined_ms=clock.to_ms(agent.joined_at),
                revoked_ms=clock.to_ms(agent.revoked_at) if agent.revoked_at else None,
                silent=view.heard_ms is None or now_ms - view.heard_ms > silent_ms,
                running=running[agent.pk],
            )
        )
    pools: dict[str, list[EstatePool]] = defaultdict(list)
    for pool in (
        Pool.objects.filter(site__in=ids)
        .prefetch_related("projects", Prefetch("node_groups", NodeGroup.objects.only("id", "nodes", "cordons")))
        .order_by("name")
    ):
        groups = list(pool.node_groups.all())
        pools[pool.site_id].append(
            EstatePool(
                pool=pool,
                projects=sorted(p.slug for p in pool.projects.all()),
                nodes=sum(g.nodes for g in groups),
                cordoned_nodes=sum(len(g.cordons) for g in groups),
                running=running[pool.pk],
            )
        )
    return [_site(site, agents[site.pk], pools[site.pk], running[site.pk]) for site in sites]


def _site(site: Any, agents: list[EstateAgent], pools: list[EstatePool], running: int) -> EstateSite:
    live = [agent.silent for agent in agents if agent.revoked_ms is None]
    facts = [(p.pool.paused_reason != "", p.pool.drain_at_ms is not None, p.cordoned_nodes) for p in pools]
    return EstateSite(
        site=site,
        owners=sorted(user.username for user in site.owners.all()),
        state=site_state(pools=facts, agents=live, running=running),
        agents=agents,
        pools=pools,
        running=running,
        open_tokens=site.open_tokens,
        kept_by=_kept(bool(live), running, site.has_history, site.has_data),
    )


def _kept(agents: bool, running: int, history: bool, data: bool) -> list[str]:
    found = (("agents", agents), ("running", running > 0), ("history", history), ("data", data))
    return [code for code, holds in found if holds]


_SAID: Final = {
    "agents": say("it has agents that were not revoked"),
    "running": say("steps run there"),
    "history": say("runs that are still kept had steps there"),
    "data": say("its cache holds copies of data"),
}


@transaction.atomic
def site_remove(*, site: Site, actor: str) -> None:
    """Remove a site that has nothing left, with its pools, their price books, node groups and revoked agents.

    Raises:
        SiteInUse: something is left.
    """
    row = Site.objects.select_for_update().annotate(has_history=_history(), has_data=_data()).get(pk=site.pk)
    running = Attempt.objects.filter(site=site, state__in=ATTEMPT_LIVE).count()
    live = site.agents.filter(revoked_at=None).exists()
    history = row.has_history or RunPlace.objects.filter(site=site).exists()
    kept = _kept(live, running, history, row.has_data)
    if kept:
        raise SiteInUse(
            say(
                "{name} cannot be removed: {what}.",
                name=site.name,
                what=together(*(_SAID[c] for c in kept), between="; "),
            ),
            next_step="Drain it, revoke its agents, delete the runs or wait until they are let go, then remove it.",
            found=kept,
        )
    JoinToken.objects.filter(site=site).delete()
    site_delete(site=site, actor=actor)
