"""REST: quotas of a project and its members. The project's own are administrators' to set, members' the owners'."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.dispatch.quotas import quota_set, quotas_of
from fubini.projects.authorize import authorize, authorize_admin, permits, project_get
from fubini.projects.selectors import members_of
from fubini.projects.serializers import MembersPage
from fubini.rest.serializers import BIGINT_MAX, BodySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation


class QuotaOut(ReplySerializer):
    """Null: no limit. `used_*`: now, and in this accounting month."""

    member = serializers.CharField(allow_null=True, help_text="Null: the project's own.")
    cpu_millis = serializers.IntegerField(allow_null=True, help_text="Milli-cores at once.")
    accelerators = serializers.IntegerField(allow_null=True)
    runs = serializers.IntegerField(allow_null=True, help_text="Runs at once; later ones wait.")
    storage_bytes = serializers.IntegerField(allow_null=True)
    month_micros = serializers.IntegerField(allow_null=True, help_text="Spent in an accounting month and set aside.")
    used_cpu_millis = serializers.IntegerField()
    used_accelerators = serializers.IntegerField()
    used_runs = serializers.IntegerField()
    used_storage_bytes = serializers.IntegerField()
    used_month_micros = serializers.IntegerField()


def _limit(most: int = BIGINT_MAX) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=most, required=False, allow_null=True)


class QuotaBody(BodySerializer):
    """What is not named stays; null lifts a limit."""

    member = serializers.CharField(max_length=64, required=False, help_text="Default: the project's own.")
    cpu_millis = _limit()
    accelerators = _limit(1_000_000)
    runs = _limit(1_000_000)
    storage_bytes = _limit()
    month_micros = _limit()


class QuotasPageOut(ReplySerializer):
    """What the tab of quotas shows."""

    quotas = QuotaOut(many=True)
    members = MembersPage(
        allow_null=True, help_text="Whose may be set, by username; null for who may set none."
    )


class QuotaViews(ApiViews):
    @operation("Quotas with their use, and whose the reader may set.", reply=QuotasPageOut)
    def overview(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref, "project.read")
        members = None
        if permits(self.principal, "project.limits", project):
            path = f"projects/{project.slug}/members"
            members = self.first(members_of(project), ("user__username", "id"), path=path, size=100)
        return self.reply({"quotas": quotas_of(project), "members": members})

    @operation("Quotas of a project and its members, with their use.", reply=QuotaOut, many=True, paged=False)
    def list(self, request: Request, ref: str) -> Response:
        return self.reply(quotas_of(project_get(self.principal, ref, "project.read")))

    @operation("Set a quota.", body=QuotaBody, reply=QuotaOut, many=True, paged=False)
    def update(self, request: Request, ref: str) -> Response:
        """What is over a limit waits with the reason `quota`; nothing that runs is stopped."""
        project = project_get(self.principal, ref, "project.read")
        limits = dict(self.body)
        member = limits.pop("member", "")
        if member:
            authorize(self.principal, "project.limits", project)
        else:
            authorize_admin(self.principal)
        quota_set(project=project, member=member, limits=limits, actor=self.principal.actor)
        return self.reply(quotas_of(project))
