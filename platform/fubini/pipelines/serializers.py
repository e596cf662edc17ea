"""What the pipeline routes take and give."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from fubini.common.options import option
from fubini.common.saying import say, told
from fubini.rest.serializers import BodySerializer, FirstPageOut, QuerySerializer, ReplySerializer

PARAMETERS_MAX: Final = 500


class ManifestText(serializers.CharField):
    """A manifest as text. Its size is checked in bytes; what is in it is the manifest checker's to judge."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, allow_blank=True, **kwargs)
        # NUL is refused by the checker with its line and column, like every other character YAML does not have.
        self.validators = []

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data))
        most = option("MANIFEST_MAX_BYTES")
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > most:
            raise serializers.ValidationError(
                told(say("A manifest has at most {most} bytes; this has {size}.", most=most, size=size)),
                code="max_bytes",
            )
        return text


class Texts(serializers.DictField):
    """Texts by name, at most `most` of them. Names are checked like values: both are stored and shown."""

    def __init__(self, *, most: int, value_max: int, **kwargs: Any) -> None:
        self.most = most
        child = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=value_max)
        super().__init__(child=child, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, dict):
            if len(data) > self.most:
                raise serializers.ValidationError(
                    told(say("At most {most} are allowed.", most=self.most)), code="max_length"
                )
            for name in data:
                if any(ord(c) == 0 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
                    raise serializers.ValidationError("A name has a character that no text may have.", code="invalid")
        found: dict[str, str] = super().to_internal_value(data)
        return found


class ParameterValues(Texts):
    """Parameter values by name; values are texts, as Argo's are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=PARAMETERS_MAX, value_max=262_144, **kwargs)


class PipelineFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    search = serializers.CharField(
        required=False, max_length=80, help_text="Part of a name, title, description, summary or tag."
    )
    tag = serializers.CharField(required=False, max_length=32)
    name = serializers.CharField(required=False, max_length=63)


class PictureAsk(QuerySerializer):
    v = serializers.CharField(required=False, max_length=64, help_text="Of the address only: it changes with the picture.")


class PipelineSave(BodySerializer):
    project = serializers.CharField(max_length=64)
    manifest = ManifestText()
    name = serializers.CharField(max_length=63, allow_blank=True, default="", help_text="Default: the manifest's name.")
    title = serializers.CharField(max_length=120, allow_blank=True, required=False)
    description = serializers.CharField(max_length=400, allow_blank=True, required=False)


class PipelineChange(BodySerializer):
    title = serializers.CharField(max_length=120, allow_blank=True, required=False)
    description = serializers.CharField(max_length=400, allow_blank=True, required=False)


class VersionCreate(BodySerializer):
    manifest = ManifestText()


class ParameterOut(ReplySerializer):
    name = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    default = serializers.CharField(allow_null=True)
    enum = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    form = serializers.JSONField(help_text="The parsed fubini.dev/input.NAME annotation.")


class FindingOut(ReplySerializer):
    severity = serializers.ChoiceField(choices=["error", "warning"])
    kind = serializers.CharField(
        default="invalid", help_text="unsupported: Argo knows the field, this engine does not."
    )
    code = serializers.CharField()
    path = serializers.CharField()
    line = serializers.IntegerField(
        help_text="From 1; 0: in a library manifest, of which only the parsed form is here."
    )
    column = serializers.IntegerField()
    detail = serializers.CharField()
    found = serializers.CharField()
    allowed = serializers.CharField()
    nearest = serializers.CharField()
    next_step = serializers.CharField()


class AboutOut(ReplySerializer):
    """What the newest version's annotations say; texts by language, under "" where none is said."""

    title = serializers.DictField(child=serializers.CharField())
    summary = serializers.DictField(child=serializers.CharField())
    tags = serializers.ListField(child=serializers.CharField())


class PipelineOut(ReplySerializer):
    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    about = AboutOut()
    picture = serializers.SerializerMethodField(help_text="Its address, which changes with it; empty: none was given.")
    version = serializers.IntegerField(help_text="The newest version's number.")
    kind = serializers.CharField(source="latest_kind")
    parameters = ParameterOut(many=True, source="latest_parameters")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    changed_at = serializers.DateTimeField(source="latest_at")

    def get_picture(self, row: Any) -> str:
        return f"/api/v1/pipelines/{row.pk}/picture?v={row.picture_digest[:16]}" if row.picture_digest else ""


class PipelineSaved(PipelineOut):
    created = serializers.SerializerMethodField(help_text="False when the newest version has just this text.")
    warnings = FindingOut(many=True, source="saved_warnings")

    def get_created(self, row: Any) -> bool:
        return bool(row.saved_created)


class VersionOut(ReplySerializer):
    id = serializers.CharField()
    number = serializers.IntegerField()
    kind = serializers.CharField()
    digest = serializers.CharField()
    parameters = ParameterOut(many=True)
    warnings = FindingOut(many=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class VersionText(VersionOut):
    text = serializers.CharField()


class VersionsPage(FirstPageOut):
    results = VersionOut(many=True)


class PipelinePageOut(ReplySerializer):
    """What a pipeline's page shows."""

    pipeline = PipelineOut()
    versions = VersionsPage(help_text="The newest first.")
    version = VersionText(help_text="The one looked at.")
    against = VersionText(allow_null=True, help_text="The one it is held against; null: none was asked for.")


class PipelinePageAsk(QuerySerializer):
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Default: the newest."
    )
    against = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class LintAsk(BodySerializer):
    manifest = ManifestText()
    project = serializers.CharField(max_length=64, required=False, help_text="Whose templates the manifest may use.")
    parameters = ParameterValues(required=False, help_text="Check a submit with these values, not only the text.")


class SketchNodeOut(ReplySerializer):
    """One box of a picture of a manifest that has not run."""

    id = serializers.CharField()
    name = serializers.CharField()
    template = serializers.CharField()
    parents = serializers.ListField(child=serializers.CharField(), help_text="Boxes it comes after.")
    loop = serializers.BooleanField(help_text="It stands for any number of equal ones.")
    conditional = serializers.BooleanField(help_text="It may be skipped.")


class SketchOut(ReplySerializer):
    nodes = SketchNodeOut(many=True, help_text="Parents first.")
    truncated = serializers.BooleanField(help_text="There is more than is drawn.")


class LintOut(ReplySerializer):
    ok = serializers.BooleanField(help_text="No errors; there may be warnings.")
    kind = serializers.CharField()
    name = serializers.CharField()
    findings = FindingOut(many=True)
    truncated = serializers.BooleanField(help_text="There are more findings than are shown.")
    parameters = ParameterOut(many=True)
    sketch = SketchOut(help_text="Its steps and what comes after what, as far as they can be known before it runs.")
