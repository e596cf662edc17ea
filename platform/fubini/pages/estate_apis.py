"""REST: all sites for administrators, and removing one."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.seeded import SEEDED
from fubini.pages import estate
from fubini.pages.place_serializers import PlaceAgentOut
from fubini.projects.authorize import authorize_admin
from fubini.rest.pagination import CursorPages
from fubini.rest.serializers import KnownField, QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.sites.selectors import site_find


class EstateAgentOut(PlaceAgentOut):
    acts_as = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    joined_ms = serializers.IntegerField()
    revoked_ms = serializers.IntegerField(allow_null=True)
    silent = serializers.BooleanField(help_text="Not heard of for longer than a lease lasts.")
    running = serializers.IntegerField(help_text="Steps it has now.")

    def to_representation(self, instance: estate.EstateAgent) -> dict[str, object]:
        own = ("acts_as", "version", "joined_ms", "revoked_ms", "silent", "running")
        return {**PlaceAgentOut(instance.view).data, **{name: getattr(instance, name) for name in own}}


class EstatePoolOut(ReplySerializer):
    id = serializers.CharField(source="pool.pk")
    name = serializers.CharField(source="pool.name")
    kind = serializers.CharField(source="pool.kind")
    paused_reason = serializers.CharField(source="pool.paused_reason", allow_blank=True)
    drain_at_ms = serializers.IntegerField(source="pool.drain_at_ms", allow_null=True)
    max_running = serializers.IntegerField(source="pool.max_running", allow_null=True)
    max_walltime_s = serializers.IntegerField(source="pool.max_walltime_s", allow_null=True)
    projects = serializers.ListField(child=serializers.CharField(), help_text="Kept for these; none: open to all.")
    nodes = serializers.IntegerField()
    cordoned_nodes = serializers.IntegerField(help_text="Of them, that take no new steps.")
    running = serializers.IntegerField(help_text="Steps there now.")


class EstateSiteOut(ReplySerializer):
    id = serializers.CharField(source="site.pk")
    name = serializers.CharField(source="site.name")
    title = KnownField(SEEDED, source="site.title", allow_blank=True)
    region = serializers.CharField(source="site.region", allow_blank=True)
    preference = serializers.IntegerField(source="site.preference", help_text="Local-first order, smaller first.")
    version = serializers.IntegerField(source="site.version")
    owners = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=estate.STATES)
    agents = EstateAgentOut(many=True)
    pools = EstatePoolOut(many=True)
    running = serializers.IntegerField(help_text="Steps there now.")
    open_tokens = serializers.IntegerField(help_text="Join tokens that can still be used.")
    kept_by = serializers.ListField(
        child=serializers.ChoiceField(choices=["agents", "running", "history", "data"]),
        help_text="What keeps it from being removed; none: it can be.",
    )


class EstateQuery(QuerySerializer):
    search = serializers.CharField(max_length=64, required=False, help_text="Part of a name.")


class EstateViews(ApiViews):
    """``/admin/sites``."""

    @operation(
        "All sites with their agents, pools and state (administrators).",
        query=EstateQuery,
        reply=EstateSiteOut,
        many=True,
    )
    def list(self, request: Request) -> Response:
        authorize_admin(self.principal)
        found = estate.sites_listed()
        if search := self.params.get("search"):
            found = found.filter(name__icontains=search)
        pages = CursorPages()
        rows = pages.paginate(found, request, ("preference", "name"))
        return pages.reply(EstateSiteOut(estate.estate_of(rows), many=True, context=self.get_serializer_context()).data)

    @operation("Remove a site that has nothing left (administrators).", status=204)
    def destroy(self, request: Request, ref: str) -> Response:
        """With its pools, price books, node groups and revoked agents; 409 says what is left."""
        site = site_find(self.principal, ref)
        authorize_admin(self.principal)
        estate.site_remove(site=site, actor=self.principal.actor)
        return self.reply()
