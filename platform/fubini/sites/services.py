"""Writing sites: places, machines, pools, agents and how they join, pauses. Prices are in `prices`.

Administrators decide all of it; an agent's join may only create or refresh its own node group and the pool its offer
names. Secrets are shown once and kept as hashes. Every change leaves an audit entry and an event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.db.models import F

from fubini.accounts.models import User
from fubini.accounts.tokens import digests_equal, secret_make
from fubini.audit.services import audit_append
from fubini.common import bell, clock
from fubini.common.errors import Conflict, Invalid, NotFound, Unauthenticated
from fubini.common.names import slug_checked, slug_of
from fubini.common.saying import say
from fubini.events.services import EventDraft, events_append
from fubini.projects.models import Project
from fubini.rest.problems import PreconditionFailed
from fubini.sites.models import Agent, JoinToken, NodeGroup, Pause, Pool, Site
from fubini.sites.selectors import declared_bytes_per_s

JOIN_TTL_S, JOIN_MAX_TTL_S = 3600, 7 * 24 * 3600
_JOIN_TEXT = re.compile(r"fubj_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")
_AGENT_TEXT = re.compile(r"fuba_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")
LINK_MEMORY_BYTES = 64 << 20  # a measurement of this many bytes counts as much as all before it
LABEL_POOL, LABEL_GROUP = "fubini.dev/pool", "fubini.dev/node-group"


class NameTaken(Conflict):
    code: ClassVar[str] = "name_taken"
    title: ClassVar[str] = "The name is taken"


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """What a joining agent says of itself, its host and what of it the platform may use (after its operator's caps).

    `machine_cores` are the host's real cores; `devices` maps the vendor's resource name to a count. `labels` may name
    the pool and node group (``fubini.dev/pool``, ``fubini.dev/node-group``); without, both are named as the agent.
    """

    agent_name: str
    acts_as: str = "service"
    agent_version: str = ""
    machine_id: str = ""
    boot_id: str = ""
    machine_cores: int = 0
    arch: str = "amd64"
    private_root: bool = False
    cpu_millis: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    devices: Mapping[str, int] = field(default_factory=dict)
    accelerator: str = ""
    accelerator_simulated: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    max_walltime_s: int | None = None
    environments: Sequence[Mapping[str, Any]] = ()
    hardware: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """A new agent; `credential` is shown only now."""

    agent: Agent
    credential: str
    pool: Pool


def place_note(topic: str, what: str, entity: Any, actor: str, data: Mapping[str, Any] | None = None) -> None:
    """The audit entry and the event of one change."""
    audit_append(actor=actor, action=f"{topic}.{what}", target=f"{topic}:{entity.pk}", data=data)
    events_append(
        [
            EventDraft(
                topic=topic,
                kind=f"{topic}.{what}",
                entity_id=str(entity.pk),
                at_ms=clock.now_ms(),
                actor=actor,
                data=dict(data or {}),
            )
        ]
    )
    transaction.on_commit(lambda: bell.ring("dispatch"))


def _versioned(model: type[Any], row: Any, expected: int | None, column: str, values: Mapping[str, Any]) -> None:
    """Compare-and-set by version; None writes whatever is there."""
    rows = model.objects.filter(pk=row.pk)
    if expected is not None:
        rows = rows.filter(**{column: expected})
    if not rows.update(**values, **{column: F(column) + 1}):
        raise PreconditionFailed("Somebody else changed it meanwhile.")
    row.refresh_from_db()


@transaction.atomic
def site_create(*, name: str, actor: str, title: str = "", region: str = "", preference: int = 100) -> Site:
    """Make a site.

    Raises:
        Invalid: the name is not usable.
        NameTaken: there is a site of that name.
    """
    slug_checked(name)
    if Site.objects.filter(name=name).exists():
        raise NameTaken(say("There is a site named {name!r}.", name=name), next_step="Choose another name.", found=name)
    site = Site.objects.create(name=name, title=title, region=region, preference=preference)
    place_note("site", "create", site, actor, {"name": name})
    return site


@transaction.atomic
def site_update(
    *,
    site: Site,
    actor: str,
    expected_version: int | None = None,
    owners: Sequence[str] | None = None,
    **changes: Any,
) -> Site:
    """Change `title`, `region`, `preference` or who owns it (usernames; see `authorize`).

    Raises:
        Invalid: an owner is nobody, or not active.
    """
    allowed = {k: v for k, v in changes.items() if k in ("title", "region", "preference")}
    _versioned(Site, site, expected_version, "version", allowed)
    if owners is not None:
        found = list(User.objects.filter(username__in=owners, is_active=True))
        if unknown := sorted(set(owners) - {u.username for u in found}):
            raise Invalid(
                say("There is no active user {unknown!r}.", unknown=unknown[0][:80]),
                errors=[{"pointer": "/owners", "code": "unknown", "found": name} for name in unknown],
                next_step="Name users as `fubini admin users` lists them.",
            )
        site.owners.set(found)
        allowed["owners"] = sorted(u.username for u in found)
    place_note("site", "update", site, actor, allowed)
    return site


@transaction.atomic
def site_delete(*, site: Site, actor: str) -> None:
    """Remove a site with its pools, their price books, node groups, join tokens and agents.

    The caller has made sure that nothing else refers to any of it.
    """
    said = {"name": site.name, "pools": sorted(site.pools.values_list("name", flat=True))}
    place_note("site", "delete", site, actor, said)
    site.pools.all().delete()
    site.agents.all().delete()
    site.delete()


def link_measured(*, site_id: str, moved_bytes: int, busy_ms: int) -> None:
    """Take in how long an agent's site needed for some large blobs; the estimate moves towards it by their weight.

    The first measurement moves away from what a pool of the site declares, if one does. What an agent says here decides
    where steps are cheap to place, never rights or money.
    """
    rate = moved_bytes * 1000 // max(1, busy_ms)
    site = Site.objects.get(pk=site_id)
    known = site.link_bytes_per_s
    if known is None:
        known = max((declared_bytes_per_s(p) or 0 for p in Pool.objects.filter(site_id=site_id)), default=0) or rate
    estimate = (known * LINK_MEMORY_BYTES + rate * moved_bytes) // (LINK_MEMORY_BYTES + moved_bytes)
    Site.objects.filter(pk=site_id).update(
        link_bytes_per_s=max(1, estimate), link_measured_bytes=F("link_measured_bytes") + moved_bytes
    )


@transaction.atomic
def node_group_set(*, site: Site, name: str, actor: str, **facts: Any) -> NodeGroup:
    """Make a node group, or change its facts (see `models.NodeGroup`)."""
    slug_checked(name)
    group, created = NodeGroup.objects.select_for_update().get_or_create(site=site, name=name, defaults=facts)
    if not created:
        changed = [key for key, value in facts.items() if getattr(group, key) != value]
        if not changed:
            return group
        for key in changed:
            setattr(group, key, facts[key])
        group.version += 1
        group.save()
    place_note("node_group", "create" if created else "update", group, actor, {"site": site.name, "name": name})
    return group


@transaction.atomic
def pool_create(
    *,
    site: Site,
    name: str,
    actor: str,
    kind: str = "owned",
    max_running: int | None = None,
    max_walltime_s: int | None = None,
    labels: Mapping[str, Any] | None = None,
    node_groups: Sequence[NodeGroup] = (),
    project_ids: Sequence[str] = (),
) -> Pool:
    """Make a pool at a site; agents that name it when they join come to serve it.

    Raises:
        Invalid: the name or the kind is not usable.
        NameTaken: the site has a pool of that name.
    """
    slug_checked(name)
    if kind not in Pool.Kind.values:
        raise Invalid(
            say(
                "{kind!r} is not a kind of pool; allowed are {names}.",
                kind=kind,
                names=", ".join(Pool.Kind.values),
            )
        )
    if Pool.objects.filter(site=site, name=name).exists():
        raise NameTaken(
            say(
                "{name} has a pool named {name2!r}.",
                name=site.name,
                name2=name,
            ),
            next_step="Choose another name.",
            found=name,
        )
    _groups_checked(site, node_groups)
    pool = Pool.objects.create(
        site=site,
        name=name,
        kind=kind,
        max_running=max_running,
        max_walltime_s=max_walltime_s,
        labels=dict(labels or {}),
    )
    pool.node_groups.set(node_groups)
    pool.projects.set(Project.objects.filter(pk__in=project_ids))
    place_note("pool", "create", pool, actor, {"site": site.name, "name": name, "kind": kind})
    return pool


def _groups_checked(site: Site, groups: Sequence[NodeGroup]) -> None:
    for group in groups:
        if group.site_id != site.pk:
            raise Invalid(say("Node group {name!r} belongs to another site.", name=group.name))


@transaction.atomic
def pool_update(
    *,
    pool: Pool,
    actor: str,
    expected_version: int | None = None,
    node_groups: Sequence[NodeGroup] | None = None,
    project_ids: Sequence[str] | None = None,
    **changes: Any,
) -> Pool:
    """Change a pool's limits, labels, node groups or the projects it serves (none: all)."""
    allowed = {k: v for k, v in changes.items() if k in ("max_running", "max_walltime_s", "labels", "kind")}
    _versioned(Pool, pool, expected_version, "version", allowed)
    if node_groups is not None:
        _groups_checked(pool.site, node_groups)
        pool.node_groups.set(node_groups)
    if project_ids is not None:
        pool.projects.set(Project.objects.filter(pk__in=project_ids))
    place_note("pool", "update", pool, actor, {k: v for k, v in changes.items() if k in allowed})
    return pool


@transaction.atomic
def join_token_create(*, site: Site, actor: str, ttl_s: int = JOIN_TTL_S) -> tuple[JoinToken, str]:
    """A one-use right to join a site: the row and its text, which is shown only now.

    Raises:
        Invalid: a lifetime of under a minute or over seven days.
    """
    if not 60 <= ttl_s <= JOIN_MAX_TTL_S:
        raise Invalid(
            say(
                "The lifetime is {ttl_s} s; allowed are 60 to {join_max_ttl_s}.",
                ttl_s=ttl_s,
                join_max_ttl_s=JOIN_MAX_TTL_S,
            ),
            errors=[
                {
                    "pointer": "/ttl_s",
                    "code": "range",
                    "found": ttl_s,
                    "allowed": say(
                        "60..{join_max_ttl_s}",
                        join_max_ttl_s=JOIN_MAX_TTL_S,
                    ),
                }
            ],
        )
    text, prefix, digest = secret_make("fubj")
    token = JoinToken.objects.create(
        site=site, prefix=prefix, digest=digest, created_by=actor, expires_at=clock.now() + timedelta(seconds=ttl_s)
    )
    place_note("site", "join_token", site, actor, {"token": token.pk, "ttl_s": ttl_s})
    return token, text


@transaction.atomic
def join_token_revoke(*, token: JoinToken, actor: str) -> None:
    """Make an unused join token useless; used and expired ones are left as they are."""
    if JoinToken.objects.filter(pk=token.pk, used_at=None).update(expires_at=clock.now()):
        place_note("site", "join_token_revoke", token.site, actor, {"token": token.pk})


_REFUSED = "The join token is unknown, used or expired."


@transaction.atomic
def agent_join(*, token: str, offer: AgentOffer) -> Joined:
    """Use up a join token: make (or renew) the agent, its node group and its place in the pool its offer names.

    A name that is in use may be joined again from the same machine, or once its agent was revoked: that renews the
    credential and ends the old one.

    Raises:
        Unauthenticated: the token is unknown, used or expired (all read alike).
        Conflict: the agent's name belongs to another machine, or the pool to other machines.
        Invalid: the offer makes no sense.
    """
    match = _JOIN_TEXT.fullmatch(token)
    row = JoinToken.objects.select_related("site").filter(prefix=match.group(1)).first() if match else None
    right = digests_equal(token, row.digest if row else "0" * 64)
    moment = clock.now()
    if row is None or not right:
        raise Unauthenticated(_REFUSED, next_step="Ask an administrator for a new join token.")
    # The compare-and-set that makes it one-use: of two joiners with the same token one updates the row.
    if not JoinToken.objects.filter(pk=row.pk, used_at=None, expires_at__gt=moment).update(used_at=moment):
        raise Unauthenticated(_REFUSED, next_step="Ask an administrator for a new join token.")
    site = row.site
    _offer_checked(offer)
    name = slug_of(offer.agent_name, fallback="agent")
    text, prefix, digest = secret_make("fuba")
    agent = _agent_put(site, name, offer, prefix, digest)
    group = _group_put(site, offer, name)
    pool = _pool_put(site, offer, name, agent, group)
    JoinToken.objects.filter(pk=row.pk).update(used_by=agent)
    place_note("agent", "join", agent, f"agent:{agent.pk}"[:80], {"site": site.name, "name": name, "pool": pool.name})
    return Joined(agent, text, pool)


def _offer_checked(offer: AgentOffer) -> None:
    wrong = [
        key
        for key, value, low in (
            ("cpu_millis", offer.cpu_millis, 1),
            ("memory_bytes", offer.memory_bytes, 1),
            ("disk_bytes", offer.disk_bytes, 0),
            ("machine_cores", offer.machine_cores, 0),
        )
        if not low <= value < 2**62
    ]
    if wrong or any(count < 0 or count > 4096 for count in offer.devices.values()):
        raise Invalid(
            say("The offer's {names} make no sense.", names=", ".join(wrong) or "devices"),
            next_step="Check the caps in the agent's configuration: at least some cores and memory must be offered.",
        )


def _agent_put(site: Site, name: str, offer: AgentOffer, prefix: str, digest: str) -> Agent:
    known = Agent.objects.select_for_update().filter(site=site, name=name).first()
    if known is not None and known.revoked_at is None and known.machine_id != offer.machine_id:
        raise NameTaken(
            say("{name} has an agent named {name2!r} on another machine.", name=site.name, name2=name),
            next_step="Join under another name, or revoke that agent first.",
            found=name,
        )
    facts: dict[str, Any] = {
        "acts_as": offer.acts_as[:64] or "service",
        "credential_prefix": prefix,
        "credential_digest": digest,
        "machine_id": offer.machine_id[:64],
        "boot_id": offer.boot_id[:64],
        "session_id": "",
        "version": offer.agent_version[:32],
        "hardware": dict(offer.hardware),
        "environments": [dict(e) for e in offer.environments],
        "private_root": offer.private_root,
        "revoked_at": None,
        "draining": False,
    }
    if known is None:
        try:
            with transaction.atomic():
                return Agent.objects.create(site=site, name=name, **facts)
        except IntegrityError:
            raise NameTaken(
                say(
                    "{name} just got an agent named {name2!r}.",
                    name=site.name,
                    name2=name,
                ),
                next_step="Join again.",
            ) from None
    for key, value in facts.items():
        setattr(known, key, value)
    known.row_version += 1
    known.save()
    return known


def _group_put(site: Site, offer: AgentOffer, agent_name: str) -> NodeGroup:
    name = slug_of(offer.labels.get(LABEL_GROUP, ""), fallback=agent_name)
    return node_group_set(
        site=site,
        name=name,
        actor=f"agent:{site.name}/{agent_name}"[:80],
        machine_id=offer.machine_id[:64],
        machine_cpu_millis=offer.machine_cores * 1000,
        nodes=1,
        cpu_millis=offer.cpu_millis,
        memory_bytes=offer.memory_bytes,
        disk_bytes=offer.disk_bytes,
        devices={str(k)[:80]: int(v) for k, v in offer.devices.items() if v},
        arch=offer.arch[:16],
        accelerator=offer.accelerator[:48],
        simulated=offer.accelerator_simulated,
    )


def _pool_put(site: Site, offer: AgentOffer, agent_name: str, agent: Agent, group: NodeGroup) -> Pool:
    """The pool the offer names. A lease goes to any agent of a pool, so agents may share one only over the same machines."""
    name = slug_of(offer.labels.get(LABEL_POOL, ""), fallback=agent_name)
    pool, created = Pool.objects.select_for_update().get_or_create(
        site=site,
        name=name,
        defaults={
            "max_walltime_s": offer.max_walltime_s,
            "labels": {str(k)[:80]: str(v)[:200] for k, v in list(offer.labels.items())[:50]},
        },
    )
    others = pool.node_groups.exclude(pk=group.pk)
    served = pool.agents.exclude(pk=agent.pk).filter(revoked_at=None)
    if others.exists() and served.exists():
        raise Conflict(
            say(
                "Pool {name!r} is served by other machines' agents ({names}).",
                name=name,
                names=", ".join(a.name for a in served[:5]),
            ),
            next_step=say(
                "Name another pool with the label {label_pool}, or the same node group with {label_group}.",
                label_pool=LABEL_POOL,
                label_group=LABEL_GROUP,
            ),
        )
    pool.node_groups.add(group)
    pool.agents.add(agent)
    if created:
        place_note(
            "pool", "create", pool, f"agent:{agent.pk}"[:80], {"site": site.name, "name": name, "kind": pool.kind}
        )
    return pool


def agent_authenticate(bearer: str) -> Agent | None:
    """The live agent of a credential, with its site; None for everything else."""
    match = _AGENT_TEXT.fullmatch(bearer)
    agent = Agent.objects.select_related("site").filter(credential_prefix=match.group(1)).first() if match else None
    right = digests_equal(bearer, agent.credential_digest if agent else "0" * 64)
    return agent if agent is not None and right and agent.revoked_at is None else None


@transaction.atomic
def agent_revoke(*, agent: Agent, actor: str) -> Agent:
    """End an agent's credential. Its leases run out by themselves and their tasks run again elsewhere."""
    row = Agent.objects.select_for_update().filter(pk=agent.pk).first()
    if row is None:
        raise NotFound()
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        row.row_version += 1
        row.save(update_fields=["revoked_at", "row_version"])
        place_note("agent", "revoke", row, actor, {"name": row.name})
    return row


@transaction.atomic
def agent_drain(*, agent: Agent, draining: bool, actor: str, expected_version: int | None = None) -> Agent:
    """Stop (or resume) giving an agent new leases; what it runs goes on."""
    _versioned(Agent, agent, expected_version, "row_version", {"draining": draining})
    place_note("agent", "drain" if draining else "undrain", agent, actor)
    return agent


@transaction.atomic
def pause_set(*, reason: str, actor: str, pool: Pool | None = None) -> None:
    """Stop new leases of one pool, or of all, while `reason` is not empty; an empty reason goes on. Running steps finish.

    A project is paused by `projects.services.project_pause`.
    """
    reason = reason.strip()
    if pool is not None:
        Pool.objects.filter(pk=pool.pk).update(paused_reason=reason, drain_at_ms=None, version=F("version") + 1)
        pool.refresh_from_db()
        place_note("pool", "pause" if reason else "resume", pool, actor, {"reason": reason})
        return
    row, _ = Pause.objects.select_for_update().get_or_create(pk=1)
    row.reason, row.by, row.at = reason, actor, clock.now()
    row.save()
    place_note("platform", "pause" if reason else "resume", row, actor, {"reason": reason})
