"""Reads on pipelines and ConfigMaps, and what a project's manifests may refer to."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from django.db.models import F, Q, QuerySet

from fubini.manifests.about import About
from fubini.manifests.load import load
from fubini.manifests.secrets import secrets_named
from fubini.pipelines.models import ConfigMap, Pipeline, PipelinePicture, PipelineVersion

TEMPLATE_KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate")
ProjectIds = Collection[str] | QuerySet[Any]


def pipelines_of(project_ids: ProjectIds) -> QuerySet[Pipeline]:
    """Pipelines of these projects; `latest_*` come from the newest version."""
    return (
        Pipeline.objects.filter(project_id__in=project_ids)
        .select_related("project")
        .filter(versions__number=F("version"))
        .annotate(
            latest_kind=F("versions__kind"),
            latest_at=F("versions__created_at"),
            latest_parameters=F("versions__parameters"),
        )
    )


def pipelines_found(rows: QuerySet[Pipeline], *, search: str = "", tag: str = "") -> QuerySet[Pipeline]:
    """Those whose name, title, description, summary or tags have the text, and that have the tag."""
    if search:
        mine = Q(name__icontains=search) | Q(title__icontains=search) | Q(description__icontains=search)
        rows = rows.filter(mine | Q(found_by__contains=search.casefold()))
    return rows.filter(found_by__contains=f"\n#{tag.strip().casefold()}\n") if tag.strip() else rows


def search_text(about: About) -> str:
    """Titles, summaries and tags, each on its line; a tag has a # before it."""
    lines = [*about.title.values(), *about.summary.values(), *(f"#{tag}" for tag in about.tags)]
    return "\n" + "".join(f"{line.casefold()}\n" for line in lines) if lines else ""


def picture_of(pipeline: Pipeline) -> bytes | None:
    """The picture's bytes."""
    content = PipelinePicture.objects.filter(pipeline=pipeline).values_list("content", flat=True).first()
    return bytes(content) if content is not None else None


def versions_of(pipeline: Pipeline) -> QuerySet[PipelineVersion]:
    """A pipeline's versions without their texts."""
    return PipelineVersion.objects.filter(pipeline=pipeline).defer("text")


def version_get(pipeline: Pipeline, number: int | None = None) -> PipelineVersion | None:
    """One version with its text; without a number, the newest."""
    return PipelineVersion.objects.filter(
        pipeline=pipeline, number=pipeline.version if number is None else number
    ).first()


def library_of(project_id: str) -> list[dict[str, Any]]:
    """The newest version of each stored WorkflowTemplate and ClusterWorkflowTemplate, parsed, then the ConfigMaps.

    In order of name. Shared objects: callers do not change them.
    """
    maps = ConfigMap.objects.filter(project_id=project_id).order_by("name")
    return [*(document for _, document in library_rows(project_id)), *(manifest_of(row) for row in maps)]


def library_rows(project_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The templates of `library_of` with the pipeline's id beside each."""
    rows = PipelineVersion.objects.filter(
        pipeline__project_id=project_id, kind__in=TEMPLATE_KINDS, number=F("pipeline__version")
    ).order_by("pipeline__name")
    return [(pk, _parsed(digest, text)) for pk, digest, text in rows.values_list("pipeline_id", "digest", "text")]


@lru_cache(maxsize=256)
def _parsed(digest: str, text: str) -> dict[str, Any]:
    document = load(text).document
    assert document is not None, f"pipeline version {digest} was stored unchecked"
    return document


@lru_cache(maxsize=2048)
def _secrets_named(digest: str, text: str) -> frozenset[str]:
    return frozenset(named.name for named in secrets_named(load(text).document) if named.name)


def pipelines_naming_secrets(project_id: str, *, most: int) -> list[tuple[str, str, frozenset[str]]]:
    """(id, name, secrets that the newest version names) of pipelines that name any, at most `most`; one query."""
    rows = PipelineVersion.objects.filter(
        pipeline__project_id=project_id, number=F("pipeline__version"), text__icontains="secret"
    ).order_by("pipeline__name")
    values = rows.values_list("pipeline_id", "pipeline__name", "digest", "text")[:most]
    found = [(pk, name, _secrets_named(digest, text)) for pk, name, digest, text in values]
    return [row for row in found if row[2]]


# --- ConfigMaps ---


def config_maps_of(project_ids: ProjectIds) -> QuerySet[ConfigMap]:
    return ConfigMap.objects.filter(project_id__in=project_ids).select_related("project")


def manifest_of(row: ConfigMap) -> dict[str, Any]:
    """A ConfigMap as the manifest it stands for."""
    metadata = {"name": row.name, "labels": row.labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": row.data}


def config_map_manifest(project_id: str, name: str) -> dict[str, Any] | None:
    """The ConfigMap of that name as it is now."""
    row = ConfigMap.objects.filter(project_id=project_id, name=name).first()
    return manifest_of(row) if row is not None else None


def config_map_data(project_id: str, name: str) -> dict[str, str] | None:
    """What stands in the ConfigMap of that name now."""
    found: dict[str, str] | None = (
        ConfigMap.objects.filter(project_id=project_id, name=name).values_list("data", flat=True).first()
    )
    return found
