"""Reading sites: what serves the asker's projects, and the prices that apply."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from fubini.common import clock
from fubini.common.errors import NotFound
from fubini.common.principal import Principal
from fubini.common.saying import say
from fubini.projects.models import Project
from fubini.projects.selectors import project_ids_visible, projects_visible
from fubini.sites.models import Agent, JoinToken, NodeGroup, Pause, Pool, Price, Site

LABEL_BANDWIDTH = "fubini.dev/bandwidth-bytes-per-s"


def pools_visible(principal: Principal) -> QuerySet[Pool]:
    """All pools for administrators; else those open to all or to one of the asker's projects, if it has any project."""
    if principal.administers:
        return Pool.objects.all()
    mine = list(project_ids_visible(principal).values_list("pk", flat=True))
    if not mine:
        return Pool.objects.none()
    return Pool.objects.filter(Q(projects=None) | Q(projects__in=mine)).distinct()


def pools_detailed(principal: Principal) -> QuerySet[Pool]:
    """`pools_visible` with everything a listing shows; of the projects a pool serves, only those the asker sees."""
    return (
        pools_visible(principal)
        .select_related("site")
        .prefetch_related(
            "node_groups",
            Prefetch("agents", Agent.objects.filter(revoked_at=None), to_attr="live_agents"),
            Prefetch("projects", projects_visible(principal), to_attr="seen_projects"),
        )
    )


def pools_of_project(project: Project) -> QuerySet[Pool]:
    """The pools that serve a project."""
    return Pool.objects.filter(Q(projects=None) | Q(projects=project)).distinct()


def sites_visible(principal: Principal) -> QuerySet[Site]:
    """Sites with a visible pool, and one's own; all for administrators."""
    found = Site.objects.prefetch_related("owners")
    if principal.administers:
        return found
    mine = Q(pk__in=pools_visible(principal).values("site"))
    if principal.user is not None:
        mine |= Q(pk__in=principal.user.owned_sites.values("pk"))
    return found.filter(mine)


def site_find(principal: Principal, ref: str) -> Site:
    """The visible site with this name or id."""
    found = sites_visible(principal).filter(Q(name=ref) | Q(pk=ref)).first() if "\x00" not in ref else None
    if found is None:
        raise NotFound("There is no such site, or it serves none of your projects.")
    return found


def pool_find(principal: Principal, id: str) -> Pool:
    """The visible pool with this id."""
    found = pools_detailed(principal).filter(pk=id).first() if "\x00" not in id else None
    if found is None:
        raise NotFound("There is no such pool, or it serves none of your projects.")
    return found


def agents_visible(principal: Principal) -> QuerySet[Agent]:
    """Agents of visible sites; revoked ones only for administrators."""
    found = Agent.objects.select_related("site")
    if principal.administers:
        return found
    return found.filter(revoked_at=None, site__in=sites_visible(principal).values("pk"))


def agent_find(principal: Principal, id: str) -> Agent:
    """The visible agent with this id."""
    found = agents_visible(principal).filter(pk=id).first() if "\x00" not in id else None
    if found is None:
        raise NotFound("There is no such agent, or it serves none of your projects.")
    return found


def node_groups_of(site: Site) -> QuerySet[NodeGroup]:
    """A site's node groups."""
    return NodeGroup.objects.filter(site=site)


def node_group_find(site: Site, name: str) -> NodeGroup:
    """A site's node group of this name."""
    found = NodeGroup.objects.filter(site=site, name=name).first() if "\x00" not in name else None
    if found is None:
        raise NotFound(say("{name} has no node group of that name.", name=site.name))
    return found


def join_tokens_of(site: Site) -> QuerySet[JoinToken]:
    """A site's join tokens, used and expired ones too."""
    return JoinToken.objects.filter(site=site).select_related("used_by")


def prices_of(pool: Pool) -> QuerySet[Price]:
    """A pool's price book."""
    return Price.objects.filter(pool=pool)


def prices_now(pools: Iterable[Pool] | None = None) -> dict[str, Price]:
    """The price version of each pool (of all, without) that applies now, by pool; one without is free. One query."""
    return {price.pool_id: price for price in prices_in_force(pools)}


def prices_in_force(pools: Iterable[Pool] | None = None) -> QuerySet[Price]:
    """`prices.in_force` for each pool, of all where none are named."""
    latest = Price.objects.filter(pool=OuterRef("pool"), valid_from__lte=clock.now())
    found = Price.objects.filter(pk=Subquery(latest.order_by("-valid_from", "-version").values("pk")[:1]))
    return found if pools is None else found.filter(pool__in=list(pools))


def declared_bytes_per_s(pool: Pool) -> int | None:
    """The rate a pool's label declares for bytes into its site; None without one, or when it is no number."""
    text = str(pool.labels.get(LABEL_BANDWIDTH, ""))
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 16 and int(text) else None


def link_bytes_per_s(pool: Pool) -> int | None:
    """The rate of bytes into a pool's site: as measured, else as declared, else not known (None)."""
    return pool.site.link_bytes_per_s or declared_bytes_per_s(pool)


def paused_all() -> Pause | None:
    """The platform-wide pause, if it is on."""
    return Pause.objects.filter(pk=1).exclude(reason="").first()


def shared_disks_of(agent: Agent) -> frozenset[str]:
    """The folders of its site that an agent says it can show to steps, by the claim that means them."""
    return frozenset(agent.hardware.get("shared_disks") or ())


def shared_disks() -> frozenset[str]:
    """Those of all agents that were not revoked, the absent ones' too: a step waits for a site that is away."""
    return frozenset().union(*(shared_disks_of(a) for a in Agent.objects.filter(revoked_at=None).only("hardware")))
