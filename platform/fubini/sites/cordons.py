"""Cordon and drain: a pool, or nodes of it, takes no new leases; a drain also gives back what still runs after a grace.

A pool's cordon is its pause. A node's stands with its node group, so it holds for every pool over it. What is given back
ends as preempted: its step runs again elsewhere and the site bears the cost. `dispatch.draining` does that when the time
has come; whoever grants leases looks at these rows under a lock. Every change is in the audit trail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.sites.models import NodeGroup, Pool, Site
from fubini.sites.services import place_note

GRACE_MAX_S = 30 * 86_400
REASON_MAX = 200


@transaction.atomic
def pool_cordon(*, pool: Pool, reason: str, actor: str, grace_s: int | None = None) -> Pool:
    """Stop new leases of a pool; with `grace_s` it is drained: what runs after that many seconds is given back.

    Raises:
        Invalid: no reason, or a grace out of range.
    """
    reason = _checked(reason, grace_s)
    at_ms = None if grace_s is None else clock.now_ms() + grace_s * 1000
    Pool.objects.filter(pk=pool.pk).update(paused_reason=reason, drain_at_ms=at_ms, version=F("version") + 1)
    pool.refresh_from_db()
    place_note("pool", "cordon" if grace_s is None else "drain", pool, actor, _said(reason, grace_s))
    return pool


@transaction.atomic
def pool_uncordon(*, pool: Pool, actor: str) -> Pool:
    """Let a pool and all of its nodes take work again. What was told to come back comes back all the same."""
    Pool.objects.filter(pk=pool.pk).update(paused_reason="", drain_at_ms=None, version=F("version") + 1)
    NodeGroup.objects.filter(pools=pool).exclude(cordons={}).update(cordons={}, version=F("version") + 1)
    pool.refresh_from_db()
    place_note("pool", "uncordon", pool, actor, {})
    return pool


@transaction.atomic
def site_cordon(*, site: Site, reason: str, actor: str, grace_s: int | None = None) -> None:
    """Cordon, or with `grace_s` drain, every pool of a site.

    Raises:
        Invalid: no reason, a grace out of range, or the site has no pool.
    """
    pools = list(Pool.objects.filter(site=site).order_by("name"))
    if not pools:
        raise Invalid(say("{name} has no pool.", name=site.name), next_step="Let an agent join it: its pool comes with it.")
    for pool in pools:
        pool_cordon(pool=pool, reason=reason, actor=actor, grace_s=grace_s)
    place_note("site", "cordon" if grace_s is None else "drain", site, actor, _said(reason.strip(), grace_s))


@transaction.atomic
def site_uncordon(*, site: Site, actor: str) -> None:
    """Let every pool of a site and its nodes take work again."""
    for pool in Pool.objects.filter(site=site).order_by("name"):
        pool_uncordon(pool=pool, actor=actor)
    place_note("site", "uncordon", site, actor, {})


@transaction.atomic
def nodes_cordon(
    *, group: NodeGroup, nodes: Sequence[int], reason: str, actor: str, grace_s: int | None = None
) -> NodeGroup:
    """Cordon, or with `grace_s` drain, nodes of a group by their index; none: all of them.

    Raises:
        Invalid: no reason, a grace out of range, or the group has no such node.
    """
    reason = _checked(reason, grace_s)
    row = NodeGroup.objects.select_for_update().get(pk=group.pk)
    chosen = _nodes(row, nodes)
    now_ms = clock.now_ms()
    until = None if grace_s is None else now_ms + grace_s * 1000
    said = {"reason": reason, "by": actor, "at_ms": now_ms, "drain_at_ms": until}
    row.cordons = {**row.cordons, **{str(index): said for index in chosen}}
    return _kept(
        row, "cordon" if grace_s is None else "drain", actor, {**_said(reason, grace_s), "nodes": chosen[:100]}
    )


@transaction.atomic
def nodes_uncordon(*, group: NodeGroup, nodes: Sequence[int], actor: str) -> NodeGroup:
    """Let nodes take work again; none: all of them."""
    row = NodeGroup.objects.select_for_update().get(pk=group.pk)
    chosen = _nodes(row, nodes)
    gone = {str(index) for index in chosen}
    row.cordons = {index: said for index, said in row.cordons.items() if index not in gone}
    return _kept(row, "uncordon", actor, {"nodes": chosen[:100]})


def _kept(row: NodeGroup, what: str, actor: str, data: Mapping[str, Any]) -> NodeGroup:
    row.version += 1
    row.save(update_fields=["cordons", "version"])
    place_note("node_group", what, row, actor, {"name": row.name, **data})
    return row


def _nodes(group: NodeGroup, nodes: Sequence[int]) -> list[int]:
    wrong = [index for index in nodes if not 0 <= index < group.nodes]
    if wrong:
        raise Invalid(
            say("{name} has no node {wrong}.", name=group.name, wrong=wrong[0]),
            errors=[
                {
                    "pointer": "/nodes",
                    "code": "range",
                    "found": wrong[0],
                    "allowed": say(
                        "0..{nodes}",
                        nodes=group.nodes - 1,
                    ),
                }
            ],
        )
    return sorted(set(nodes)) or list(range(group.nodes))


def _checked(reason: str, grace_s: int | None) -> str:
    reason = reason.strip()[:REASON_MAX]
    if not reason:
        raise Invalid(
            "A cordon needs a reason.",
            errors=[{"pointer": "/reason", "code": "required"}],
            next_step="Say why: every waiting step repeats it.",
        )
    if grace_s is not None and not 0 <= grace_s <= GRACE_MAX_S:
        raise Invalid(
            say(
                "The grace is {grace_s} s; allowed are 0 to {grace_max_s}.",
                grace_s=grace_s,
                grace_max_s=GRACE_MAX_S,
            )
        )
    return reason


def _said(reason: str, grace_s: int | None) -> dict[str, Any]:
    return {"reason": reason} | ({} if grace_s is None else {"grace_s": grace_s})
