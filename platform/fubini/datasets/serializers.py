"""What the data routes take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fubini.common.saying import say, told
from fubini.datasets.entries import Entry
from fubini.datasets.limits import limit
from fubini.datasets.signing import blob_url, upload_link
from fubini.datasets.uploads import LINK_TTL_S as LINK_TTL_S_UPLOAD
from fubini.datasets.uploads import expires_at_ms
from fubini.rest.serializers import BodySerializer, FirstPageOut, QuerySerializer, ReplySerializer, big

PAGE_MAX = 1000
LINK_TTL_S = 900


class DatasetFilter(QuerySerializer):
    project = serializers.CharField(required=False, max_length=64, help_text="Slug or id; default: all you can see.")
    search = serializers.CharField(required=False, max_length=80, help_text="Part of a name or description.")
    name = serializers.CharField(required=False, max_length=63)


class EntryIn(BodySerializer):
    path = serializers.CharField(
        max_length=4096,
        allow_blank=True,
        trim_whitespace=False,
        default="",
        help_text="Relative, '/' between names; empty for a single file.",
    )
    size = big(min_value=0)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")
    mode = serializers.IntegerField(min_value=0, max_value=0o777, default=0o644)


@extend_schema_field(EntryIn(many=True))
class Entries(serializers.Field):  # type: ignore[type-arg]
    """A list of `EntryIn`, passed on raw: `entries.manifest_check` looks at all of them at once and much faster."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            raise serializers.ValidationError("This is a list of {path, size, mode, sha256}.", code="type")
        if len(data) > limit("ARTIFACT_MAX_ENTRIES"):
            raise serializers.ValidationError(
                told(say("{limit} files are allowed.", limit=limit("ARTIFACT_MAX_ENTRIES"))), code="max_length"
            )
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class DatasetCreate(BodySerializer):
    project = serializers.CharField(max_length=64)
    name = serializers.CharField(max_length=63)
    description = serializers.CharField(max_length=400, allow_blank=True, default="")
    entries = Entries(required=False, help_text="Uploaded files: makes the next version at once.")
    artifact = serializers.CharField(
        required=False, max_length=500, help_text="In place of `entries`: the key of an artifact of the project to keep."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "entries" in attrs and "artifact" in attrs:
            raise serializers.ValidationError({"artifact": ["Give either `entries` or `artifact`."]}, code="exclusive")
        return attrs


class DatasetChange(BodySerializer):
    description = serializers.CharField(max_length=400, allow_blank=True, required=False)


class VersionCreate(BodySerializer):
    entries = Entries()


class VersionChange(BodySerializer):
    pinned = serializers.BooleanField(help_text="A dataset with a pinned version cannot be deleted.")


class VersionOut(ReplySerializer):
    id = serializers.CharField()
    number = serializers.IntegerField()
    digest = serializers.CharField()
    files = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    pinned_by = serializers.CharField(help_text="Who said that it must be kept; empty: nobody.")
    made_from = serializers.CharField(help_text="The key of the artifact it was kept from; empty: it was uploaded.")


class DatasetOut(ReplySerializer):
    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    latest = serializers.SerializerMethodField(help_text="The newest version's number and figures; null while empty.")

    def get_latest(self, row: Any) -> dict[str, int] | None:
        if row.latest_number is None:
            return None
        return {"number": row.latest_number, "files": row.latest_files, "size_bytes": row.latest_size_bytes}


class DatasetsPage(FirstPageOut):
    results = DatasetOut(many=True)


class ImportOut(DatasetOut):
    version = serializers.SerializerMethodField(help_text="The version that has the given files; null without files.")
    created = serializers.SerializerMethodField(help_text="False when a version with just these files existed.")

    def get_version(self, row: Any) -> int | None:
        found: int | None = getattr(row, "imported_number", None)
        return found

    def get_created(self, row: Any) -> bool:
        return bool(getattr(row, "imported_created", True))


class FilesFilter(QuerySerializer):
    after = serializers.CharField(
        required=False, max_length=4096, trim_whitespace=False, help_text="Go on behind this path."
    )
    under = serializers.CharField(
        required=False, max_length=4096, trim_whitespace=False, help_text="Only what lies in this folder."
    )
    search = serializers.CharField(
        required=False, max_length=200, help_text="Only paths with this in them, whatever the case."
    )
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=100)
    links = serializers.BooleanField(default=False, help_text="Give each file a short-lived signed URL.")


class EntryOut(ReplySerializer):
    path = serializers.CharField()
    size = serializers.IntegerField()
    mode = serializers.IntegerField()
    sha256 = serializers.CharField()
    url = serializers.CharField(allow_null=True, help_text="Signed, relative to the platform; null unless asked for.")


class FilesOut(ReplySerializer):
    key = serializers.CharField()
    files = serializers.IntegerField(help_text="Of the whole, not only of this page.")
    size_bytes = serializers.IntegerField()
    is_directory = serializers.BooleanField()
    found = serializers.IntegerField(help_text="How many match `under` and `search`.")
    entries = EntryOut(many=True)
    next_after = serializers.CharField(allow_null=True, help_text="Send as `after` for the next page; null at the end.")


class PathFilter(QuerySerializer):
    path = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=4096, trim_whitespace=False, help_text="Which file."
    )


class BlobFilter(QuerySerializer):
    project = serializers.CharField(max_length=64)


class BlobOut(ReplySerializer):
    digest = serializers.CharField()
    size_bytes = serializers.IntegerField()


class MissingAsk(BodySerializer):
    project = serializers.CharField(max_length=64)
    digests = serializers.ListField(child=serializers.RegexField(r"^[0-9a-f]{64}$"), max_length=10_000)


class MissingOut(ReplySerializer):
    missing = serializers.ListField(child=serializers.CharField())


class GrantAsk(BodySerializer):
    project = serializers.CharField(max_length=64)


class GrantOut(ReplySerializer):
    url = serializers.CharField(help_text="PUT each file to <url>/<sha256>, streamed.")
    token = serializers.CharField(help_text="Bearer token for those PUTs.")
    expires_in_s = serializers.IntegerField()


class UploadFilter(QuerySerializer):
    project = serializers.CharField(max_length=64, help_text="Slug or id.")


class UploadBegin(BodySerializer):
    project = serializers.CharField(max_length=64)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")
    size_bytes = big(min_value=0)
    name = serializers.CharField(
        max_length=400, allow_blank=True, default="", help_text="What the file is called; for people."
    )


class UploadOut(ReplySerializer):
    id = serializers.CharField()
    sha256 = serializers.CharField(source="digest")
    size_bytes = serializers.IntegerField()
    offset_bytes = serializers.IntegerField(help_text="So many bytes are here.")
    state = serializers.ChoiceField(["open", "whole"], help_text="`whole`: verified; nothing needs to be sent.")
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    expires_at_ms = serializers.SerializerMethodField(help_text="It is forgotten then unless more of it comes.")

    def get_expires_at_ms(self, row: Any) -> int:
        return expires_at_ms(row)


class UploadBegunOut(UploadOut):
    url = serializers.SerializerMethodField(help_text="Where to go on (tus 1.0: HEAD, PATCH, DELETE); for six hours.")
    part_bytes = serializers.SerializerMethodField(help_text="How much to send at once.")

    def get_url(self, row: Any) -> str:
        return upload_link(project_id=row.project_id, upload_id=row.pk, ttl_s=LINK_TTL_S_UPLOAD)

    def get_part_bytes(self, row: Any) -> int:
        return limit("UPLOAD_PART_BYTES")


class ArtifactOut(ReplySerializer):
    key = serializers.CharField()
    run_id = serializers.CharField()
    node_id = serializers.CharField()
    generation = serializers.IntegerField()
    name = serializers.CharField()
    attempt_id = serializers.CharField()
    size_bytes = serializers.IntegerField()
    created_at_ms = serializers.IntegerField()
    provenance = serializers.JSONField(
        allow_null=True, help_text="Of one the platform fetched: where from, its revision there, sha256 and when."
    )


def entries_out(entries: Sequence[Entry], *, project_id: str, links: bool, base: str) -> list[dict[str, Any]]:
    """Entries for a reply; with `links`, each with a URL that downloads it under its own name (`base` if it has none)."""
    return [
        {
            **entry.to_json(),
            "url": blob_url(
                project_id=project_id,
                digest=entry.sha256,
                ttl_s=LINK_TTL_S,
                filename=entry.path.rsplit("/", 1)[-1] or base,
            )
            if links
            else None,
        }
        for entry in entries
    ]
