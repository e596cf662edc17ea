"""What the routes of provenance take and give."""

from __future__ import annotations

from rest_framework import serializers

from fubini.rest.serializers import QuerySerializer, ReplySerializer
from fubini.runs.origin.selectors import DEPTH, DEPTH_MAX, PLACES, PLACES_MAX
from fubini.runs.serializers.words import RUN_STATES


class OriginFilter(QuerySerializer):
    direction = serializers.ChoiceField(
        ["both", "behind", "ahead"], default="both", help_text="behind: where it came from; ahead: what was made of it."
    )
    depth = serializers.IntegerField(
        min_value=1, max_value=DEPTH_MAX, default=DEPTH, help_text="Links from the start; a step counts as one."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=PLACES_MAX, default=PLACES, help_text="Places in each direction; see `more`."
    )


class OriginFileOut(ReplySerializer):
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()


class OriginDataOut(ReplySerializer):
    """An artifact or a dataset version."""

    key = serializers.CharField()
    digest = serializers.CharField(help_text="Of its list of files; equal digests mean equal files.")
    files = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    file = OriginFileOut(allow_null=True, help_text="Its only file; null where it has several.")
    dataset = serializers.CharField(help_text="Of a dataset version: the dataset's id; else empty.")
    number = serializers.IntegerField(allow_null=True)
    made_by = serializers.CharField(help_text="Of a dataset version: who uploaded or kept it.")
    gone = serializers.BooleanField(help_text="The record of it was cleared; its key is all that is known.")
    fetched = serializers.JSONField(allow_null=True, help_text="Of one the platform fetched: where from and when.")


class OriginAttemptOut(ReplySerializer):
    """The try whose result counts, also where another step took it over."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    site = serializers.CharField()
    pool = serializers.CharField()
    simulated = serializers.BooleanField()
    hostname = serializers.CharField()
    hardware = serializers.CharField()
    environment = serializers.CharField(help_text="What the image meant at that site.")
    fingerprint = serializers.CharField(help_text="Of that environment, as the agent recorded it.")
    started_at_ms = serializers.IntegerField(allow_null=True)
    finished_at_ms = serializers.IntegerField(allow_null=True)


class OriginStepOut(ReplySerializer):
    task = serializers.CharField()
    node = serializers.CharField()
    generation = serializers.IntegerField()
    template = serializers.CharField()
    state = serializers.CharField()
    kind = serializers.CharField()
    image = serializers.CharField()
    parameters = serializers.DictField(child=serializers.CharField(), help_text="Its inputs, cut to 500 characters each.")
    attempt = OriginAttemptOut(allow_null=True)


class OriginPlaceOut(ReplySerializer):
    """One thing on the way."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(["artifact", "dataset", "step", "run"])
    side = serializers.ChoiceField(["start", "behind", "ahead"])
    depth = serializers.IntegerField()
    name = serializers.CharField()
    run = serializers.CharField(help_text="The run it is of: one of `runs`, or empty.")
    at_ms = serializers.IntegerField(allow_null=True, help_text="When it was made, or ended.")
    more = serializers.BooleanField(help_text="It has links beyond those that were looked at: ask for it itself.")
    content = OriginDataOut(source="data", allow_null=True)
    step = OriginStepOut(allow_null=True)


class OriginLinkOut(ReplySerializer):
    """From what was there before to what came of it."""

    before = serializers.CharField(source="source")
    after = serializers.CharField(source="target")
    how = serializers.ChoiceField(
        ["read", "left", "taken_over", "kept", "made"],
        help_text="taken_over: a result of another run; kept: an artifact became a dataset version; made: a step made a run.",
    )
    name = serializers.CharField(help_text="The input's or the output's name there; may be empty.")


class OriginRunOut(ReplySerializer):
    id = serializers.CharField()
    job_number = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(RUN_STATES)
    deleted = serializers.BooleanField()
    submitted_by = serializers.CharField()
    created_at_ms = serializers.IntegerField()
    finished_at_ms = serializers.IntegerField(allow_null=True)
    pipeline = serializers.CharField()
    pipeline_id = serializers.CharField()
    pipeline_version = serializers.IntegerField(allow_null=True)
    manifest_sha256 = serializers.CharField(help_text="Of the text it was submitted with.")
    parameters = serializers.DictField(child=serializers.CharField())


class OriginOut(ReplySerializer):
    """Both directions from one thing, nearest first."""

    start = serializers.CharField()
    places = OriginPlaceOut(many=True)
    links = OriginLinkOut(many=True)
    runs = OriginRunOut(many=True, help_text="Those that `places` are of.")
    incomplete = serializers.BooleanField(
        help_text="More steps would have to be looked through than one answer does: readers may be missing."
    )
