"""Pipelines: named manifests with immutable versions; ConfigMaps: small settings that manifests refer to by name."""

from __future__ import annotations

from typing import Any

from django.db import models

from fubini.common.ids import IdField


def about_nothing() -> dict[str, Any]:
    """What a text says of itself that says nothing."""
    return {"title": {}, "summary": {}, "tags": []}


class Pipeline(models.Model):
    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="pipelines")
    name = models.SlugField(max_length=63)
    title = models.CharField(max_length=120, blank=True, default="")
    description = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    # Of the newest version's text: {"title": {language: text}, "summary": {language: text}, "tags": [...]}.
    about = models.JSONField(default=about_nothing)
    found_by = models.TextField(blank=True, default="")  # what a search looks through; `selectors.search_text` makes it
    picture_digest = models.CharField(max_length=64, blank=True, default="")
    picture_type = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="pipeline_name_once")]


class PipelinePicture(models.Model):
    """What a gallery shows of a pipeline; apart, for lists stay light. Its type and digest stand with the pipeline."""

    pipeline = models.OneToOneField(Pipeline, primary_key=True, on_delete=models.CASCADE, related_name="picture")
    content = models.BinaryField()


class PipelineVersion(models.Model):
    """One immutable manifest. `kind` is Workflow, WorkflowTemplate or ClusterWorkflowTemplate."""

    id = IdField()
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    text = models.TextField()
    digest = models.CharField(max_length=64)
    parameters = models.JSONField(default=list)
    warnings = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pipeline", "number"], name="pipeline_version_once")]


class ConfigMap(models.Model):
    """A project's ConfigMap, as manifests mean one: parameters' values, sizes of semaphores. `version` rises by each change."""

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="config_maps")
    name = models.CharField(max_length=253)
    labels = models.JSONField(default=dict)
    data = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    created_at_ms = models.BigIntegerField()
    changed_at_ms = models.BigIntegerField()
    changed_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="config_map_once")]
