"""REST: the trail, for administrators."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.audit.selectors import audit_list
from fubini.audit.services import audit_check
from fubini.common.errors import Forbidden
from fubini.common.principal import Principal
from fubini.rest.serializers import QuerySerializer, ReplySerializer
from fubini.rest.views import ApiViews, operation


class AuditQuery(QuerySerializer):
    actor = serializers.CharField(max_length=80, required=False)
    action = serializers.CharField(max_length=64, required=False, help_text="Beginning of the action.")
    target = serializers.CharField(max_length=120, required=False)
    project_id = serializers.CharField(max_length=32, required=False)


class AuditOut(ReplySerializer):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    project_id = serializers.CharField(allow_null=True)
    data = serializers.JSONField()  # type: ignore[assignment]
    previous_hash = serializers.CharField()
    hash = serializers.CharField()


class AuditCheckOut(ReplySerializer):
    entries = serializers.IntegerField()
    head = serializers.CharField(help_text="Hash of the newest entry; note it elsewhere to notice a cut tail.")
    broken_at = serializers.IntegerField(
        allow_null=True, help_text="The first entry that does not follow; null: whole."
    )


def _admin_only(principal: Principal) -> None:
    if not principal.administers:
        raise Forbidden("Only administrators may read the trail.", next_step="Ask an administrator.")


class Audit(ApiViews):
    @operation("Who changed what, newest first (administrators).", query=AuditQuery, reply=AuditOut, many=True)
    def list(self, request: Request) -> Response:
        _admin_only(self.principal)
        return self.page(audit_list(**self.params), ("-id",))

    @operation("Check the whole hash chain (administrators).", reply=AuditCheckOut)
    def check(self, request: Request) -> Response:
        _admin_only(self.principal)
        return self.reply(audit_check())
