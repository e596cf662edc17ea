"""REST: share links of a project, and where one leads."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.links import services
from fubini.projects.authorize import project_get
from fubini.rest.serializers import BodySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation


class LinkOut(ReplySerializer):
    id = serializers.CharField()
    code = serializers.CharField(help_text="The page opens it at /s/CODE.")
    address = serializers.CharField(help_text="Path, query and fragment of the page.")
    note = serializers.CharField(allow_blank=True)
    project = serializers.CharField(source="project.slug")
    created_by = serializers.CharField()
    created_at_ms = serializers.IntegerField()
    expires_at_ms = serializers.IntegerField()


class LinkMake(BodySerializer):
    address = serializers.CharField(max_length=2000, help_text="Path, query and fragment of a page of the project.")
    days = serializers.IntegerField(
        min_value=1, max_value=services.DAYS_MAX, default=30, help_text="How long it lives."
    )
    note = serializers.CharField(max_length=200, allow_blank=True, default="")


class ProjectLinks(ApiViews):
    @operation("Share links of a project that were not revoked.", reply=LinkOut, many=True)
    def list(self, request: Request, ref: str) -> Response:
        rows = services.links_of(project_get(self.principal, ref)).select_related("project")
        return self.page(rows, ("-id",))

    @operation("Make a short address of a view, for members.", body=LinkMake, reply=LinkOut, status=201)
    def create(self, request: Request, ref: str) -> Response:
        project = project_get(self.principal, ref)
        return self.reply(services.link_create(project=project, actor=self.principal.actor, **self.body))

    @operation("Revoke a share link; its maker and maintainers may.", status=204)
    def destroy(self, request: Request, ref: str, id: str) -> Response:
        services.link_revoke(project=project_get(self.principal, ref), id=id, by=self.principal)
        return self.reply()


class Links(ApiViews):
    @operation("Where a share link leads.", reply=LinkOut)
    def retrieve(self, request: Request, code: str) -> Response:
        """It gives no right: who is not a member of its project gets 404, as for a link that never was."""
        return self.reply(services.link_open(principal=self.principal, code=code))
