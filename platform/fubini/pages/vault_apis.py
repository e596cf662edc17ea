"""The page of a project's secrets over REST: names, dates and who names them in one answer; never a value."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.crons.models import Cron
from fubini.manifests.secrets import secrets_named
from fubini.pipelines.selectors import pipelines_naming_secrets
from fubini.projects.authorize import allows, project_get
from fubini.rest.serializers import FirstPageOut, ReplySerializer
from fubini.rest.views import ApiViews, operation
from fubini.secrets.selectors import secrets_of
from fubini.secrets.serializers import SecretOut

LOOKED_AT: Final = 500  # pipelines, and schedules, whose manifests are read for names


class SecretsPage(FirstPageOut):
    results = SecretOut(many=True)


class NamerOut(ReplySerializer):
    """A pipeline's newest version or a schedule that names secrets."""

    kind = serializers.ChoiceField(["pipeline", "schedule"])
    id = serializers.CharField()
    name = serializers.CharField()
    secrets = serializers.ListField(child=serializers.CharField())


class VaultOut(ReplySerializer):
    may_write = serializers.BooleanField()
    secrets = SecretsPage()
    named_by = NamerOut(many=True, help_text="Who names which, also those that there are not.")


class VaultViews(ApiViews):
    """``/projects/{ref}/vault``."""

    @operation("A project's secrets and what names them, in one answer; never a value.", reply=VaultOut)
    def retrieve(self, request: Request, ref: str) -> Response:
        project: Any = project_get(self.principal, ref, "secret.read")
        found = [
            {"kind": "pipeline", "id": pk, "name": name, "secrets": sorted(names)}
            for pk, name, names in pipelines_naming_secrets(project.pk, most=LOOKED_AT)
        ]
        crons = Cron.objects.filter(project_id=project.pk, text__icontains="secret").order_by("name")
        for pk, name, document in crons.values_list("pk", "name", "document")[:LOOKED_AT]:
            names = {named.name for named in secrets_named(document) if named.name}
            if names:
                found.append({"kind": "schedule", "id": pk, "name": name, "secrets": sorted(names)})
        return self.reply(
            {
                "may_write": allows(project.my_role, "secret.write"),
                "secrets": self.first(
                    secrets_of(project.pk), ("name", "id"), path=f"projects/{project.slug}/secrets", size=100
                ),
                "named_by": found,
            }
        )
