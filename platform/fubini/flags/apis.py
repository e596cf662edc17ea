"""REST: feature flags of the installation and of a project."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.flags.selectors import FlagState, flag_named, flags_of
from fubini.flags.services import flag_set
from fubini.projects.authorize import authorize, authorize_admin, project_get
from fubini.rest.serializers import BodySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation


class FlagOut(ReplySerializer):
    name = serializers.CharField(source="flag.name")
    does = serializers.CharField(source="flag.does", help_text="What it turns on.")
    default = serializers.BooleanField(source="flag.default")
    per_project = serializers.BooleanField(source="flag.per_project", help_text="A project may have a word of its own.")
    maintainers = serializers.BooleanField(
        source="flag.maintainers", help_text="A project's maintainers may say it; otherwise administrators alone."
    )
    since = serializers.CharField(source="flag.since", help_text="The month it came, YYYY-MM.")
    on = serializers.BooleanField(help_text="Whether it holds here.")
    own = serializers.BooleanField(allow_null=True, help_text="What was said right here; null: nothing.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=["project", "installation", "default"], help_text="Whose word holds."
    )
    set_by = serializers.CharField(allow_blank=True)
    set_at_ms = serializers.IntegerField(allow_null=True)


class FlagBody(BodySerializer):
    on = serializers.BooleanField(allow_null=True, help_text="Null takes the word back.")


def _one(states: list[FlagState], name: str) -> FlagState:
    return next(state for state in states if state.flag.name == name)


class Flags(ApiViews):
    @operation("Feature flags of the installation.", reply=FlagOut, many=True, paged=False)
    def list(self, request: Request) -> Response:
        return self.reply(flags_of())

    @operation("Turn a feature flag (administrators).", body=FlagBody, reply=FlagOut)
    def update(self, request: Request, name: str) -> Response:
        authorize_admin(self.principal)
        flag_set(flag=flag_named(name), on=self.body["on"], actor=self.principal.actor)
        return self.reply(_one(flags_of(), name))


class ProjectFlags(ApiViews):
    @operation("Feature flags a project may have a word in.", reply=FlagOut, many=True, paged=False)
    def list(self, request: Request, ref: str) -> Response:
        return self.reply(flags_of(project_get(self.principal, ref).pk))

    @operation("Turn a feature flag for a project.", body=FlagBody, reply=FlagOut)
    def update(self, request: Request, ref: str, name: str) -> Response:
        """Maintainers where the flag says so, otherwise administrators. The project's word wins over the installation's."""
        project = project_get(self.principal, ref)
        flag = flag_named(name)
        if flag.maintainers:
            authorize(self.principal, "project.update", project)
        else:
            authorize_admin(self.principal)
        flag_set(flag=flag, on=self.body["on"], actor=self.principal.actor, project=project)
        return self.reply(_one(flags_of(project.pk), name))
