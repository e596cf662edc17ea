"""Data: content-addressed blobs under a project, datasets and versions, artifacts of steps, replicas, transfers."""

from __future__ import annotations

from django.db import models

from fubini.common.compact import CompactJSONField
from fubini.common.ids import IdField, PackedIdField


class Blob(models.Model):
    """Bytes by sha256, known to one project. The same bytes in two projects are two rows and one object."""

    project_id = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project_id", "digest"], name="blob_once_a_project")]
        indexes = [models.Index(fields=["digest"], name="blob_digest")]


class Upload(models.Model):
    """A large file on its way in: open (`offset_bytes` of it are here) -> whole. Small files need none.

    There is one open upload for the same bytes in a project, so whoever sends the file again goes on with it.
    """

    id = IdField()
    project_id = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    offset_bytes = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, default="open")
    name = models.CharField(max_length=400, blank=True, default="")  # for people; what it is called where it came from
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    touched_at_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "digest"], condition=models.Q(state="open"), name="upload_open_once"
            )
        ]
        indexes = [models.Index(fields=["touched_at_ms"], name="upload_touched")]


class Dataset(models.Model):
    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="datasets")
    name = models.SlugField(max_length=63)
    description = models.CharField(max_length=400, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_once")]


class DatasetVersion(models.Model):
    """An immutable manifest: `entries` is a sorted list of {path, size, mode, sha256}; `digest` is of that list."""

    id = IdField()
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    entries = CompactJSONField()
    files = models.PositiveIntegerField()
    size_bytes = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    pinned_by = models.CharField(max_length=80, blank=True, default="")  # who said that it must be kept; "": nobody
    made_from = models.CharField(max_length=500, blank=True, default="")  # the artifact it was kept from; "": uploaded

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_once")]
        indexes = [models.Index(fields=["made_from"], condition=~models.Q(made_from=""), name="dataset_version_made_from")]


class Artifact(models.Model):
    """What a step left: (run, node, generation, name) -> logical key -> entries. Keys are never reused."""

    key = models.CharField(max_length=500, primary_key=True)  # run id, node id, generation and name together
    project_id = models.CharField(max_length=32)
    run_id = PackedIdField(max_length=32, db_index=True)
    node_id = models.CharField(max_length=200)
    generation = models.IntegerField()
    name = models.CharField(max_length=128)
    attempt_id = models.CharField(max_length=32)
    entries = CompactJSONField()
    size_bytes = models.BigIntegerField()
    created_at_ms = models.BigIntegerField()
    provenance = CompactJSONField(null=True)  # of a fetched one: where from, its revision there, sha256, when


class Fetch(models.Model):
    """Bytes the platform brings in for a run, once, under `key`: planned -> moving -> verified | failed.

    A moving one belongs to `holder` until `held_until_ms`; after that whoever comes first takes it up again.
    """

    id = IdField()
    key = models.CharField(max_length=500, unique=True)  # that of the artifact it becomes
    project_id = models.CharField(max_length=32)
    run_id = models.CharField(max_length=32, db_index=True)
    name = models.CharField(max_length=128)
    source = models.JSONField()  # runs.engine.RemoteSource: names of secrets, never their values
    state = models.CharField(max_length=10, default="planned")
    tries = models.PositiveSmallIntegerField(default=0)
    not_before_ms = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=32, blank=True, default="")
    held_until_ms = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    planned_at_ms = models.BigIntegerField()
    ended_at_ms = models.BigIntegerField(null=True)
    error = models.CharField(max_length=600, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["state"], condition=models.Q(state__in=["planned", "moving"]), name="fetch_open")
        ]


class Replica(models.Model):
    """A blob a site's cache holds."""

    site_id = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    state = models.CharField(max_length=10, default="present")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site_id", "digest"], name="replica_once")]


class Transfer(models.Model):
    """Bytes that move to a site for an attempt, or from it: planned -> moving -> verified | failed | dropped."""

    id = IdField()
    project_id = models.CharField(max_length=32)
    run_id = models.CharField(max_length=32, db_index=True)
    attempt_id = models.CharField(max_length=32, db_index=True)
    site_id = models.CharField(max_length=32)
    direction = models.CharField(max_length=4)  # in | out
    state = models.CharField(max_length=10, default="planned")
    files = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField()
    planned_at_ms = models.BigIntegerField()
    ended_at_ms = models.BigIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")
