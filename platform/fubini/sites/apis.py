"""REST: sites, node groups, pools, prices, join tokens, agents, pauses. Everybody with a project reads; administrators write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Invalid, NotFound
from fubini.common.saying import say
from fubini.projects.authorize import authorize_admin, project_get
from fubini.projects.models import Project
from fubini.rest.pagination import CursorPages
from fubini.rest.serializers import PauseBody
from fubini.rest.views import ApiViews, operation
from fubini.sites import selectors, services
from fubini.sites import serializers as s
from fubini.sites.authorize import authorize_site
from fubini.sites.cordons import (
    nodes_cordon,
    nodes_uncordon,
    pool_cordon,
    pool_uncordon,
    site_cordon,
    site_uncordon,
)
from fubini.sites.models import JoinToken, NodeGroup, Pool, Site
from fubini.sites.prices import price_set


class Sites(ApiViews):
    @operation("List the sites that serve my projects.", reply=s.SiteOut, many=True)
    def list(self, request: Request) -> Response:
        return self.page(selectors.sites_visible(self.principal), ("preference", "name"))

    @operation("Make a site (administrators).", body=s.SiteCreate, reply=s.SiteOut, status=201)
    def create(self, request: Request) -> Response:
        authorize_admin(self.principal)
        site = services.site_create(actor=self.principal.actor, **self.body)
        return self.reply(site, etag=site)

    @operation("One site, by name or id.", reply=s.SiteOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        return self.reply(site, etag=site)

    @operation("Change a site (administrators).", body=s.SiteChange, reply=s.SiteOut, if_match=True)
    def update(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        authorize_admin(self.principal)
        expected = self.match(site)
        services.site_update(site=site, actor=self.principal.actor, expected_version=expected, **self.body)
        return self.reply(site, etag=site)

    @operation("Cordon or drain all pools of a site (its owners).", body=s.CordonAsk, reply=s.SiteOut)
    def cordon(self, request: Request, ref: str) -> Response:
        """For each of them what `/pools/{id}/cordon` does."""
        site = selectors.site_find(self.principal, ref)
        authorize_site(self.principal, site)
        site_cordon(site=site, actor=self.principal.actor, **self.body)
        return self.reply(site)

    @operation("Let all pools of a site and their nodes take steps again (its owners).", reply=s.SiteOut)
    def uncordon(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        authorize_site(self.principal, site)
        site_uncordon(site=site, actor=self.principal.actor)
        return self.reply(site)


class NodeGroups(ApiViews):
    @operation("List a site's node groups.", reply=s.NodeGroupOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        return self.page(selectors.node_groups_of(selectors.site_find(self.principal, ref)), ("name", "id"))

    @operation(
        "Make a node group, or set the facts of one (administrators).", body=s.NodeGroupPut, reply=s.NodeGroupOut
    )
    def put(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        authorize_admin(self.principal)
        group = services.node_group_set(site=site, actor=self.principal.actor, **self.body)
        return self.reply(group, etag=group)

    @operation("Cordon or drain nodes of a group (the site's owners).", body=s.NodesCordonAsk, reply=s.NodeGroupOut)
    def cordon(self, request: Request, ref: str, name: str) -> Response:
        """For every pool over the group; see `/pools/{id}/cordon`."""
        site = selectors.site_find(self.principal, ref)
        group = selectors.node_group_find(site, name)
        authorize_site(self.principal, site)
        fields = {"nodes": [], **self.body}
        return self.reply(nodes_cordon(group=group, actor=self.principal.actor, **fields))

    @operation("Let nodes of a group take steps again (the site's owners).", body=s.NodesAsk, reply=s.NodeGroupOut)
    def uncordon(self, request: Request, ref: str, name: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        group = selectors.node_group_find(site, name)
        authorize_site(self.principal, site)
        return self.reply(nodes_uncordon(group=group, nodes=self.body.get("nodes", []), actor=self.principal.actor))


class Pools(ApiViews):
    @operation(
        "List the pools that serve my projects, with their prices.", query=s.PoolQuery, reply=s.PoolOut, many=True
    )
    def list(self, request: Request) -> Response:
        found = selectors.pools_detailed(self.principal)
        if ref := self.params.get("site"):
            found = found.filter(site=selectors.site_find(self.principal, ref))
        if name := self.params.get("name"):
            found = found.filter(name=name)
        if ref := self.params.get("project"):
            project = project_get(self.principal, ref)
            found = found.filter(pk__in=selectors.pools_of_project(project).values("pk"))
        pages = CursorPages()
        rows = pages.paginate(found, request, ("site__preference", "site__name", "name"))
        context = {**self.get_serializer_context(), "prices": selectors.prices_now(rows)}
        return pages.reply(s.PoolOut(rows, many=True, context=context).data)

    @operation("Make a pool at a site (administrators).", body=s.PoolCreate, reply=s.PoolOut, status=201)
    def create(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        authorize_admin(self.principal)
        fields = dict(self.body)
        pool = services.pool_create(
            site=site,
            actor=self.principal.actor,
            node_groups=_groups(site, fields.pop("node_groups", [])),
            project_ids=_projects(fields.pop("projects", [])),
            **fields,
        )
        return self._shown(pool.pk)

    @operation("One pool.", reply=s.PoolOut)
    def retrieve(self, request: Request, id: str) -> Response:
        return self._shown(id)

    @operation("Change a pool (administrators).", body=s.PoolChange, reply=s.PoolOut, if_match=True)
    def update(self, request: Request, id: str) -> Response:
        pool = selectors.pool_find(self.principal, id)
        authorize_admin(self.principal)
        expected = self.match(pool)
        fields: dict[str, Any] = dict(self.body)
        if "node_groups" in fields:
            fields["node_groups"] = _groups(pool.site, fields["node_groups"])
        if "projects" in fields:
            fields["project_ids"] = _projects(fields.pop("projects"))
        services.pool_update(pool=pool, actor=self.principal.actor, expected_version=expected, **fields)
        return self._shown(id)

    @operation("Stop new steps in this pool; running ones finish (the site's owners).", body=PauseBody, reply=s.PoolOut)
    def pause(self, request: Request, id: str) -> Response:
        pool = selectors.pool_find(self.principal, id)
        authorize_site(self.principal, pool.site)
        services.pause_set(pool=pool, reason=self.body["reason"], actor=self.principal.actor)
        return self._shown(id)

    @operation("Go on (the site's owners).", reply=s.PoolOut)
    def resume(self, request: Request, id: str) -> Response:
        pool = selectors.pool_find(self.principal, id)
        authorize_site(self.principal, pool.site)
        services.pause_set(pool=pool, reason="", actor=self.principal.actor)
        return self._shown(id)

    @operation("Cordon or drain a pool (the site's owners).", body=s.CordonAsk, reply=s.PoolOut)
    def cordon(self, request: Request, id: str) -> Response:
        """No new leases; with `grace_s`, what still runs after it is given back and runs again elsewhere, at the site's cost."""
        pool = selectors.pool_find(self.principal, id)
        authorize_site(self.principal, pool.site)
        pool_cordon(pool=pool, actor=self.principal.actor, **self.body)
        return self._shown(id)

    @operation("Let a pool and its nodes take steps again (the site's owners).", reply=s.PoolOut)
    def uncordon(self, request: Request, id: str) -> Response:
        pool = selectors.pool_find(self.principal, id)
        authorize_site(self.principal, pool.site)
        pool_uncordon(pool=pool, actor=self.principal.actor)
        return self._shown(id)

    def _shown(self, id: str) -> Response:
        pool = selectors.pool_find(self.principal, id)
        self._prices = selectors.prices_now([pool])
        return self.reply(pool, etag=pool)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "prices": getattr(self, "_prices", {})}


def _groups(site: Site, names: Sequence[str]) -> list[NodeGroup]:
    found = {g.name: g for g in NodeGroup.objects.filter(site=site, name__in=names)}
    missing = [name for name in names if name not in found]
    if missing:
        known = sorted(NodeGroup.objects.filter(site=site).values_list("name", flat=True))
        raise Invalid(
            say("{name} has no node group {missing!r}.", name=site.name, missing=missing[0]),
            errors=[{"pointer": "/node_groups", "code": "unknown", "found": m, "allowed": known} for m in missing],
        )
    return list(found.values())


def _projects(refs: Sequence[str]) -> list[str]:
    found: list[str] = []
    for ref in dict.fromkeys(refs):
        project = Project.objects.filter(Q(slug=ref) | Q(pk=ref)).first()
        if project is None:
            raise Invalid(
                say(
                    "There is no project {ref!r}.",
                    ref=ref,
                ),
                errors=[{"pointer": "/projects", "code": "unknown", "found": ref}],
            )
        found.append(project.pk)
    return found


class Prices(ApiViews):
    @operation("A pool's price book, newest version first.", reply=s.PriceOut, many=True)
    def list(self, request: Request, id: str) -> Response:
        return self.page(selectors.prices_of(selectors.pool_find(self.principal, id)), ("-version",))

    @operation("Add a version to the price book (administrators).", body=s.PriceCreate, reply=s.PriceOut, status=201)
    def create(self, request: Request, id: str) -> Response:
        """Rates that are left out are 0. It begins now or at `valid_from`; what was placed before keeps its rates."""
        pool: Pool = selectors.pool_find(self.principal, id)
        authorize_admin(self.principal)
        return self.reply(price_set(pool=pool, actor=self.principal.actor, **self.body))


class PauseAll(ApiViews):
    @operation("Is everything paused, and why?", reply=s.PauseOut)
    def retrieve(self, request: Request) -> Response:
        return self._shown()

    @operation("Stop new steps everywhere; running ones finish (administrators).", body=PauseBody, reply=s.PauseOut)
    def pause(self, request: Request) -> Response:
        authorize_admin(self.principal)
        services.pause_set(reason=self.body["reason"], actor=self.principal.actor)
        return self._shown()

    @operation("Go on (administrators).", reply=s.PauseOut)
    def resume(self, request: Request) -> Response:
        authorize_admin(self.principal)
        services.pause_set(reason="", actor=self.principal.actor)
        return self._shown()

    def _shown(self) -> Response:
        row = selectors.paused_all()
        return self.reply(
            {
                "paused": row is not None,
                "reason": row.reason if row else "",
                "by": row.by if row else "",
                "at": row.at if row else None,
            }
        )


class JoinTokens(ApiViews):
    @operation("List a site's join tokens (its owners).", reply=s.JoinTokenOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        site = self._site(ref)
        return self.page(selectors.join_tokens_of(site), ("-id",))

    @operation(
        "Make a one-use join token; its text is shown only now (the site's owners).",
        body=s.JoinTokenCreate,
        reply=s.JoinTokenMade,
        status=201,
        secret=True,
    )
    def create(self, request: Request, ref: str) -> Response:
        token, text = services.join_token_create(site=self._site(ref), actor=self.principal.actor, **self.body)
        token.token = text  # type: ignore[attr-defined]
        token.command = (  # type: ignore[attr-defined]
            f"fubini-agent join --url {settings.FUBINI['PUBLIC_URL']} --token {text}"
        )
        return self.reply(token)

    @operation("Make an unused join token useless (the site's owners).", status=204)
    def destroy(self, request: Request, ref: str, id: str) -> Response:
        token = JoinToken.objects.filter(site=self._site(ref), pk=id).select_related("site").first()
        if token is None:
            raise NotFound("The site has no such join token.")
        services.join_token_revoke(token=token, actor=self.principal.actor)
        return self.reply()

    def _site(self, ref: str) -> Site:
        site = selectors.site_find(self.principal, ref)
        authorize_site(self.principal, site)
        return site


class Agents(ApiViews):
    @operation("List the agents of the sites that serve my projects.", query=s.AgentQuery, reply=s.AgentOut, many=True)
    def list(self, request: Request) -> Response:
        found = selectors.agents_visible(self.principal)
        if ref := self.params.get("site"):
            found = found.filter(site=selectors.site_find(self.principal, ref))
        return self.page(found, ("site__name", "name"))

    @operation("List a site's agents.", reply=s.AgentOut, many=True)
    def of_site(self, request: Request, ref: str) -> Response:
        site = selectors.site_find(self.principal, ref)
        return self.page(selectors.agents_visible(self.principal).filter(site=site), ("name", "id"))

    @operation("One agent.", reply=s.AgentOut)
    def retrieve(self, request: Request, id: str) -> Response:
        agent = selectors.agent_find(self.principal, id)
        return self.reply(agent, etag=agent)

    @operation("Drain an agent, or end that (the site's owners).", body=s.AgentChange, reply=s.AgentOut, if_match=True)
    def update(self, request: Request, id: str) -> Response:
        agent = selectors.agent_find(self.principal, id)
        authorize_site(self.principal, agent.site)
        expected = self.match(agent)
        if "draining" in self.body:
            services.agent_drain(
                agent=agent,
                draining=self.body["draining"],
                actor=self.principal.actor,
                expected_version=expected,
            )
        return self.reply(agent, etag=agent)

    @operation("Revoke an agent's credential (administrators).", status=204)
    def destroy(self, request: Request, id: str) -> Response:
        """Its leases run out and their tasks run again elsewhere; the name may be joined again."""
        agent = selectors.agent_find(self.principal, id)
        authorize_admin(self.principal)
        services.agent_revoke(agent=agent, actor=self.principal.actor)
        return self.reply()
