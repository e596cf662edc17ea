"""Shapes of notices, rules and webhooks at the REST border."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from fubini.common.saying import ASKED, heard, told
from fubini.notices.kinds import KINDS, OFF_REASONS, sentence
from fubini.notices.models import Notice
from fubini.rest.serializers import BodySerializer, FirstPageOut, KnownField, QuerySerializer, ReplySerializer

KIND_NAMES = list(KINDS)


class NoticeQuery(QuerySerializer):
    unread = serializers.BooleanField(required=False, help_text="True: only those not read yet.")


class FactsField(serializers.DictField):
    """A notice's facts, those that are sentences in the asker's language."""

    def to_representation(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: told(heard(fact)) if isinstance(fact, Mapping) else fact for name, fact in value.items()}


class NoticeOut(ReplySerializer):
    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KIND_NAMES)
    project = serializers.CharField(source="project.slug", allow_null=True)
    count = serializers.IntegerField(help_text="How many of the kind this line stands for.")
    data = FactsField(help_text="Of the latest: names and figures, as the kind has them.")  # type: ignore[assignment]
    text = serializers.SerializerMethodField(help_text="The latest as a sentence, in the asker's language.")
    created_at_ms = serializers.IntegerField()
    updated_at_ms = serializers.IntegerField()
    read_at_ms = serializers.IntegerField(allow_null=True)

    def get_text(self, row: Notice) -> str:
        return sentence(row.kind, row.data, ASKED.get())


class BellOut(ReplySerializer):
    unread = serializers.IntegerField()
    latest = NoticeOut(many=True)


class ReadBody(BodySerializer):
    ids = serializers.ListField(
        child=serializers.CharField(max_length=32), max_length=200, required=False, help_text="Default: all."
    )


class ReadOut(ReplySerializer):
    read = serializers.IntegerField(help_text="How many were unread.")


class ChannelsOut(ReplySerializer):
    kind = serializers.ChoiceField(choices=KIND_NAMES)
    page = serializers.BooleanField()
    email = serializers.BooleanField()


class RulesOut(ReplySerializer):
    kinds = ChannelsOut(many=True)
    quiet_from_minute = serializers.IntegerField(allow_null=True, help_text="Of the day, in the accounting zone.")
    quiet_until_minute = serializers.IntegerField(allow_null=True)
    group_minutes = serializers.IntegerField(help_text="Several of a kind within this time are told as one.")
    email = serializers.CharField(source="user.email", allow_blank=True, help_text="Where e-mail goes; empty: nowhere.")


class RulesChange(BodySerializer):
    channels = serializers.DictField(
        child=serializers.DictField(child=serializers.BooleanField()),
        required=False,
        help_text='Kinds to change, such as {"run_failed": {"email": false}}.',
    )
    quiet_from_minute = serializers.IntegerField(min_value=0, max_value=1439, required=False, allow_null=True)
    quiet_until_minute = serializers.IntegerField(min_value=0, max_value=1439, required=False, allow_null=True)
    group_minutes = serializers.IntegerField(min_value=0, max_value=1440, required=False)


class WebhookOut(ReplySerializer):
    id = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    why_inactive = KnownField(OFF_REASONS, allow_blank=True)
    failed_in_a_row = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at_ms = serializers.IntegerField()


class WebhookMade(WebhookOut):
    secret = serializers.CharField(help_text="Signs every message; shown only now.")


class WebhookCreate(BodySerializer):
    name = serializers.CharField(max_length=60)
    url = serializers.CharField(max_length=500)
    kinds = serializers.ListField(child=serializers.CharField(max_length=20), max_length=20)


class WebhookChange(BodySerializer):
    name = serializers.CharField(max_length=60, required=False)
    url = serializers.CharField(max_length=500, required=False)
    kinds = serializers.ListField(child=serializers.CharField(max_length=20), max_length=20, required=False)
    active = serializers.BooleanField(required=False)


class DeliveryOut(ReplySerializer):
    id = serializers.CharField(help_text="The message's id: `webhook-id` of every try.")
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=["waiting", "delivered", "failed"])
    created_at_ms = serializers.IntegerField()
    due_at_ms = serializers.IntegerField(help_text="When it is tried next, while it waits.")
    ended_at_ms = serializers.IntegerField(allow_null=True)
    tries = serializers.IntegerField()
    last_status = serializers.IntegerField(allow_null=True)
    last_answer = serializers.CharField(allow_blank=True)


class NoticesPage(FirstPageOut):
    results = NoticeOut(many=True)


class WebhooksPage(FirstPageOut):
    results = WebhookOut(many=True)


class NoticesPageOut(ReplySerializer):
    """What the page of notices shows: a person's own, and a project's webhooks."""

    notices = NoticesPage(help_text="Mine, of all projects, the latest first.")
    rules = RulesOut()
    webhooks = WebhooksPage(allow_null=True, help_text="The project's, by name; null below maintainer.")
