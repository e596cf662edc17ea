"""What a step printed, from an offset on."""

from __future__ import annotations

from rest_framework import serializers

from fubini.rest.serializers import QuerySerializer, ReplySerializer, big
from fubini.runs.logs import READ_MAX_BYTES, STREAMS


class LogFilter(QuerySerializer):
    stream = serializers.ChoiceField(choices=STREAMS, required=False, help_text="Default: the one that has most.")
    container = serializers.CharField(
        required=False, max_length=128, help_text="Of a step with several; default: the one whose output is its result."
    )
    attempt = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Default: newest.")
    offset = big(min_value=0, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=READ_MAX_BYTES, default=256 * 1024)
    tail = serializers.IntegerField(
        min_value=1, max_value=READ_MAX_BYTES, required=False, help_text="Begin this many bytes before the end instead."
    )
    tail_lines = serializers.IntegerField(
        min_value=1, max_value=1_000_000, required=False, help_text="Begin this many lines before the end instead."
    )
    follow = serializers.IntegerField(
        min_value=0, max_value=25, default=0, help_text="Wait at most this many seconds for more than is there."
    )


class GapOut(ReplySerializer):
    offset = serializers.IntegerField()
    skipped_bytes = serializers.IntegerField()


class LogOut(ReplySerializer):
    attempt_id = serializers.CharField(help_text="Empty before the first attempt.")
    attempt = serializers.IntegerField()
    stream = serializers.CharField()
    streams = serializers.ListField(child=serializers.CharField(), help_text="Those that were written to.")
    container = serializers.CharField(help_text="Empty for a step of one.")
    containers = serializers.ListField(
        child=serializers.CharField(), help_text="All of a step with several, the one whose output is its result first."
    )
    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField(help_text="Go on here.")
    size_bytes = serializers.IntegerField(help_text="Kept so far.")
    text = serializers.CharField(help_text="UTF-8; what is not is shown as replacement characters.")
    gaps = GapOut(many=True)
    eof = serializers.BooleanField(help_text="Nothing more will come: the attempt has ended and this is its end.")
