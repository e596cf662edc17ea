"""What the schedule routes take and give. Times are milliseconds since the epoch (`*_ms`)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.crons.due import OF_TICKS
from fubini.crons.models import Cron
from fubini.crons.preview import words_of
from fubini.crons.selectors import last_ticks, next_ticks
from fubini.pipelines.serializers import ManifestText
from fubini.rest.serializers import (
    BodySerializer,
    FirstPageOut,
    KnownField,
    QuerySerializer,
    ReplySerializer,
    SaidField,
)

NEXT_SHOWN = 5
TICKS_SHOWN = 25


class CronFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    name = serializers.CharField(required=False, max_length=63)


POLICIES = ["Allow", "Forbid", "Replace"]


class CronSave(BodySerializer):
    """A whole `manifest`; or a `run` or `pipeline` with a `name` and `schedules`."""

    project = serializers.CharField(max_length=64)
    manifest = ManifestText(help_text="A CronWorkflow's text.", required=False)
    run = serializers.CharField(max_length=64, required=False, help_text="A run's id: its manifest and parameters.")
    pipeline = serializers.CharField(max_length=64, required=False, help_text="A pipeline's id: its newest version.")
    name = serializers.CharField(max_length=52, required=False)
    schedules = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=20, required=False
    )
    timezone = serializers.CharField(max_length=64, required=False, allow_blank=True, help_text="Without one: UTC.")
    policy = serializers.ChoiceField(choices=POLICIES, required=False, help_text="While an earlier run goes on.")
    parameters = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), required=False, help_text="Of its runs."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        sources = [name for name in ("manifest", "run", "pipeline") if name in attrs]
        if len(sources) != 1:
            raise serializers.ValidationError({"manifest": "Give one of manifest, run and pipeline."})
        if sources != ["manifest"]:
            missing = [name for name in ("name", "schedules") if name not in attrs]
            if missing:
                raise serializers.ValidationError({missing[0]: f"Goes with {sources[0]}."})
        elif extra := [name for name in attrs if name not in ("manifest", "project")]:
            raise serializers.ValidationError({extra[0]: "Stands in the manifest."})
        return attrs


class CronChange(BodySerializer):
    manifest = ManifestText(help_text="A CronWorkflow's text, with the same name.")


class Nothing(BodySerializer):
    """A body without fields."""


class WordsOut(ReplySerializer):
    en = serializers.CharField()
    zh = serializers.CharField()


class TickOut(ReplySerializer):
    at_ms = serializers.IntegerField(help_text="When it was due.")
    decided_at_ms = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["active", "succeeded", "failed", "skipped", "refused"])
    reason = serializers.CharField(
        help_text="Of a skipped one: late, forbidden, condition or error; by_hand: a person started it between the ticks."
    )
    message = KnownField(OF_TICKS)
    run_id = serializers.SerializerMethodField()
    run_name = serializers.SerializerMethodField()

    def get_run_id(self, row: Any) -> str | None:
        return str(row.run_id) if row.run_id else None

    def get_run_name(self, row: Any) -> str | None:
        return str(row.run.name) if row.run is not None else None


class Crons(serializers.ListSerializer[Any]):
    """Looks up what all rows need at once."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        self.last = last_ticks(rows)
        return super().to_representation(rows)


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
    condition = KnownField(OF_TICKS, help_text="Why the last tick made no run, if that is a fault.")
    last_at_ms = serializers.IntegerField(allow_null=True)
    next_ms = serializers.SerializerMethodField(help_text="The next ticks, soonest first.")
    words = serializers.SerializerMethodField(help_text="Each of the schedules as a sentence.")
    last_tick = serializers.SerializerMethodField(help_text="What became of the newest tick; null: none came yet.")
    saved_by = serializers.CharField()
    created_at_ms = serializers.IntegerField()

    class Meta:
        list_serializer_class = Crons

    @extend_schema_field(WordsOut(many=True))
    def get_words(self, row: Cron) -> list[dict[str, str]]:
        return [words_of(line) for line in row.document["spec"]["schedules"]]

    @extend_schema_field(TickOut(allow_null=True))
    def get_last_tick(self, row: Any) -> Any:
        if row.newest_tick is None:
            return None
        known = self.parent.last if isinstance(self.parent, Crons) else last_ticks([row])
        tick = known.get(row.newest_tick)
        return TickOut(tick).data if tick is not None else None

    def get_timezone(self, row: Cron) -> str:
        return str(row.document["spec"].get("timezone") or "UTC")

    def get_policy(self, row: Cron) -> str:
        return str(row.document["spec"].get("concurrencyPolicy") or "Allow")

    def get_next_ms(self, row: Cron) -> list[int]:
        return next_ticks(row, NEXT_SHOWN)


class CronText(CronOut):
    manifest = serializers.CharField(source="text")


class CronOverview(ReplySerializer):
    schedule = CronText()
    may_write = serializers.BooleanField()
    may_delete = serializers.BooleanField()
    ticks = TickOut(many=True, help_text="The newest 25; `crons/{id}/ticks` has all.")


class CronsPage(FirstPageOut):
    results = CronOut(many=True)


class SchedulesOut(ReplySerializer):
    """What the page of a project's schedules shows."""

    zone = serializers.CharField(help_text="The installation's time zone, which a new schedule is offered.")
    may_write = serializers.BooleanField()
    may_delete = serializers.BooleanField()
    schedules = CronsPage()


class PreviewBody(BodySerializer):
    schedules = serializers.ListField(
        child=serializers.CharField(max_length=400, allow_blank=True, trim_whitespace=False),
        min_length=1,
        max_length=20,
    )
    timezone = serializers.CharField(max_length=64, allow_blank=True, default="")


class LineOut(ReplySerializer):
    text = serializers.CharField()
    error = SaidField(help_text="Why it is no schedule; empty: it is one.")
    words = WordsOut(allow_null=True)


class PreviewOut(ReplySerializer):
    lines = LineOut(many=True)
    zone_error = SaidField()
    next_ms = serializers.ListField(
        child=serializers.IntegerField(), help_text="The next ticks; empty while there is an error."
    )


class StartedOut(ReplySerializer):
    run_id = serializers.CharField()
    run_name = serializers.CharField()
