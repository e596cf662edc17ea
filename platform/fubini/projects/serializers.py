"""Shapes of projects and members at the REST border."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fubini.accounts.serializers import TokenOut
from fubini.common.seeded import SEEDED
from fubini.manifests.import_rules import MAX_ENTRIES, MAX_TEXT
from fubini.projects.filters import PAGES
from fubini.projects.models import Role
from fubini.rest.serializers import (
    BIGINT_MAX,
    BodySerializer,
    FirstPageOut,
    KnownField,
    QuerySerializer,
    ReplySerializer,
)

ROLE_NAMES = [role.value for role in Role]


class ProjectQuery(QuerySerializer):
    search = serializers.CharField(max_length=80, required=False, help_text="In the slug or title.")
    archived = serializers.BooleanField(required=False, help_text="True: only archived ones; default: only live ones.")


class ProjectOut(ReplySerializer):
    id = serializers.CharField()
    slug = serializers.CharField()
    title = KnownField(SEEDED, allow_blank=True)
    my_role = serializers.CharField(help_text="The asking principal's role.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_blank=True)
    share = serializers.IntegerField(help_text="Weight in fair share.")
    default_max_cost_micros = serializers.IntegerField(allow_null=True)
    max_nodes = serializers.IntegerField()
    max_items = serializers.IntegerField()
    paused_reason = serializers.CharField(allow_blank=True)
    archived_at = serializers.DateTimeField(allow_null=True)


class ProjectCreate(BodySerializer):
    slug = serializers.CharField(max_length=48)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    default_max_cost_micros = serializers.IntegerField(
        min_value=0, max_value=BIGINT_MAX, required=False, allow_null=True
    )


class ProjectChange(BodySerializer):
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    default_max_cost_micros = serializers.IntegerField(
        min_value=0, max_value=BIGINT_MAX, required=False, allow_null=True
    )
    share = serializers.IntegerField(min_value=1, max_value=10_000, required=False, help_text="Administrators only.")
    max_nodes = serializers.IntegerField(
        min_value=1, max_value=200_000, required=False, help_text="Administrators only."
    )
    max_items = serializers.IntegerField(
        min_value=1, max_value=200_000, required=False, help_text="Administrators only."
    )


class ImportRulesOut(ReplySerializer):
    ignored = serializers.ListField(
        child=serializers.CharField(), help_text="Cluster-only fields that are warnings instead of refusals."
    )
    node_labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        help_text="A cluster's node labels to ours: KEY to KEY, or KEY=VALUE to KEY=VALUE; empty: the condition is dropped.",
    )
    images = serializers.DictField(
        child=serializers.CharField(), help_text="Image names to ours; a name may end in * on both sides."
    )
    may_ignore = serializers.DictField(
        child=serializers.CharField(), help_text="The fields that `ignored` may name, each with what its loss means."
    )


class ImportRulesSet(BodySerializer):
    ignored = serializers.ListField(child=serializers.CharField(max_length=64), max_length=MAX_ENTRIES, required=False)
    node_labels = serializers.DictField(
        child=serializers.CharField(max_length=MAX_TEXT, allow_blank=True), required=False
    )
    images = serializers.DictField(child=serializers.CharField(max_length=MAX_TEXT), required=False)


class MemberOut(ReplySerializer):
    username = serializers.CharField(source="user.username")
    first_name = serializers.CharField(source="user.first_name")
    last_name = serializers.CharField(source="user.last_name")
    role = serializers.CharField()
    created_at = serializers.DateTimeField()


class MembersPage(FirstPageOut):
    results = MemberOut(many=True)


class MemberAdd(BodySerializer):
    username = serializers.CharField(max_length=64)
    role = serializers.ChoiceField(choices=ROLE_NAMES)


class MemberChange(BodySerializer):
    role = serializers.ChoiceField(choices=ROLE_NAMES)


class ProjectTokenOut(TokenOut):
    actor = serializers.CharField(help_text="What its deeds are recorded under.")


class ProjectTokenMade(ProjectTokenOut):
    token = serializers.CharField(help_text="The token's text: shown only now.")


class ProjectTokenCreate(BodySerializer):
    name = serializers.CharField(max_length=24)
    role = serializers.ChoiceField(choices=[name for name in ROLE_NAMES if name != Role.OWNER.value])
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=["read", "write"]), min_length=1, max_length=2, required=False
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


def with_role(project: Any, role: str) -> Any:
    """A project row as `ProjectOut` wants it, after a write has lost the annotation."""
    project.my_role = role
    return project


class FilterQuery(QuerySerializer):
    page = serializers.ChoiceField(choices=PAGES, required=False)


class FilterSave(BodySerializer):
    page = serializers.ChoiceField(choices=PAGES)
    name = serializers.CharField(max_length=60)
    query = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=200), max_length=20),
        help_text="Query parameter -> its values, as the list takes them.",
    )
    shared = serializers.BooleanField(default=False, help_text="Everybody in the project sees it.")

    def validate_query(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) > 20 or any(len(name) > 40 for name in value):
            raise serializers.ValidationError(
                "At most 20 parameters with names of at most 40 characters.", code="max_length"
            )
        return value


class FilterOut(ReplySerializer):
    id = serializers.IntegerField()
    page = serializers.CharField()
    name = serializers.CharField()
    query = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    owner = serializers.CharField()
    shared = serializers.BooleanField()
