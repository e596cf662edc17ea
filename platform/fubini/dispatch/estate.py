"""What there is to run on: sites, pools with their node groups, agents and projects, read in one statement.

Decides which rows belong to it and hangs them on the pools; what of them can be used, and what is taken, `snapshot` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from fubini.sites.models import Agent, NodeGroup, Pool, Site


@dataclass(frozen=True, slots=True)
class Estate:
    """`pools` are in the order of their ids; each has its site, `node_groups` and `agents` at hand."""

    sites: list[Site]
    pools: list[Pool]
    groups: list[NodeGroup]
    project_ids: Mapping[str, list[str]]  # by pool, of those that serve some projects only


def estate_parts() -> dict[str, QuerySet[Any, Any]]:
    """What `estate_from` needs, for `together`."""
    groups, agents = Pool.node_groups.through.objects, Pool.agents.through.objects
    projects = Pool.projects.through.objects
    return {
        "sites": Site.objects.order_by("pk"),
        "pools": Pool.objects.order_by("pk"),
        "groups": NodeGroup.objects.order_by("pk"),
        "agents": Agent.objects.filter(pk__in=agents.values("agent_id")),
        "group_links": groups.order_by("pk").values_list("pool_id", "nodegroup_id"),
        "agent_links": agents.order_by("pk").values_list("pool_id", "agent_id"),
        "project_links": projects.order_by("pk").values_list("pool_id", "project_id"),
    }


def estate_from(read: Mapping[str, list[Any]]) -> Estate:
    """The estate of what was read with `estate_parts`."""
    sites = {site.pk: site for site in read["sites"]}
    groups = {group.pk: group for group in read["groups"]}
    agents = {agent.pk: agent for agent in read["agents"]}
    of_groups, of_agents = _by_pool(read["group_links"]), _by_pool(read["agent_links"])
    for pool in read["pools"]:
        pool.site = sites[pool.site_id]
        _at_hand(pool, "node_groups", [groups[pk] for pk in of_groups.get(pool.pk, ())])
        _at_hand(pool, "agents", [agents[pk] for pk in of_agents.get(pool.pk, ())])
    return Estate(read["sites"], read["pools"], read["groups"], _by_pool(read["project_links"]))


def _by_pool(links: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for pool_id, other in links:
        found[pool_id].append(other)
    return dict(found)


def _at_hand(pool: Pool, name: str, rows: list[Any]) -> None:
    """Make `pool.<name>.all()` give these rows, as after `prefetch_related`."""
    known: QuerySet[Model] = getattr(pool, name).get_queryset()
    known._result_cache = rows
    known._prefetch_done = True  # type: ignore[attr-defined]
    vars(pool).setdefault("_prefetched_objects_cache", {})[name] = known
