"""What the schedule routes take and give. Times are milliseconds since the epoch (`*_ms`)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fubini.crons.models import Cron
from fubini.crons.selectors import next_ticks
from fubini.pipelines.serializers import ManifestText
from fubini.rest.serializers import BodySerializer, QuerySerializer, ReplySerializer

NEXT_SHOWN = 5


class CronFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    name = serializers.CharField(required=False, max_length=63)


class CronSave(BodySerializer):
    project = serializers.CharField(max_length=64)
    manifest = ManifestText(help_text="A CronWorkflow's text.")


class CronChange(BodySerializer):
    manifest = ManifestText(help_text="A CronWorkflow's text, with the same name.")


class Nothing(BodySerializer):
    """A body without fields."""


class CronOut(ReplySerializer):
    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    schedules = serializers.ListField(child=serializers.CharField(), source="document.spec.schedules")
    timezone = serializers.SerializerMethodField()
    policy = serializers.SerializerMethodField(help_text="Allow, Forbid or Replace: while an earlier run goes on.")
    suspended = serializers.BooleanField()
    stopped = serializers.BooleanField(help_text="The stop strategy has come true.")
    active = serializers.IntegerField(help_text="Runs of it that go on.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    condition = serializers.CharField(help_text="Why the last tick made no run, if that is a fault.")
    last_at_ms = serializers.IntegerField(allow_null=True)
    next_ms = serializers.SerializerMethodField(help_text="The next ticks, soonest first.")
    saved_by = serializers.CharField()
    created_at_ms = serializers.IntegerField()

    def get_timezone(self, row: Cron) -> str:
        return str(row.document["spec"].get("timezone") or "UTC")

    def get_policy(self, row: Cron) -> str:
        return str(row.document["spec"].get("concurrencyPolicy") or "Allow")

    def get_next_ms(self, row: Cron) -> list[int]:
        return next_ticks(row, NEXT_SHOWN)


class CronText(CronOut):
    manifest = serializers.CharField(source="text")


class TickOut(ReplySerializer):
    at_ms = serializers.IntegerField(help_text="When it was due.")
    decided_at_ms = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["active", "succeeded", "failed", "skipped", "refused"])
    reason = serializers.CharField(help_text="Of a skipped one: late, forbidden, condition or error.")
    message = serializers.CharField()
    run_id = serializers.SerializerMethodField()
    run_name = serializers.SerializerMethodField()

    def get_run_id(self, row: Any) -> str | None:
        return str(row.run_id) if row.run_id else None

    def get_run_name(self, row: Any) -> str | None:
        return str(row.run.name) if row.run is not None else None
