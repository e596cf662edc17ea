"""Projects: the unit of membership, money and isolation."""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class Role(models.TextChoices):
    """What a member may do; each includes the ones below it."""

    VIEWER = "viewer"
    MEMBER = "member"
    MAINTAINER = "maintainer"
    OWNER = "owner"


class Project(models.Model):
    id = IdField()
    slug = models.SlugField(max_length=48, unique=True)
    title = models.CharField(max_length=120, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80, blank=True, default="")
    share = models.PositiveIntegerField(default=100)  # weight in fair share
    default_max_cost_micros = models.BigIntegerField(null=True)
    max_nodes = models.PositiveIntegerField(default=50_000)
    max_items = models.PositiveIntegerField(default=50_000)
    import_rules = models.JSONField(default=dict)  # see manifests.import_rules
    paused_reason = models.CharField(max_length=200, blank=True, default="")
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    members = models.ManyToManyField("fubini_accounts.User", through="Membership", related_name="projects")


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey("fubini_accounts.User", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]


class SavedFilter(models.Model):
    """A list's filter under a name: its owner's, or everybody's in the project once shared."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="filters")
    owner = models.CharField(max_length=80)  # an actor
    page = models.CharField(max_length=12)
    name = models.CharField(max_length=60)
    query = models.JSONField(default=dict)  # query parameter -> its values; the page knows what they mean
    shared = models.BooleanField(default=False)
    updated_at_ms = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "owner", "page", "name"], name="filter_once")]


class Quota(models.Model):
    """What a project (no `user`), or one member of it, may use at once, store, or spend in an accounting month; null: no
    limit. Bytes are of the project as a whole."""

    id = IdField()
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="quotas")
    user = models.ForeignKey("fubini_accounts.User", null=True, on_delete=models.CASCADE, related_name="+")
    cpu_millis = models.BigIntegerField(null=True)
    accelerators = models.PositiveIntegerField(null=True)
    runs = models.PositiveIntegerField(null=True)
    storage_bytes = models.BigIntegerField(null=True)
    month_micros = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="quota_once"),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(user=None), name="quota_of_a_project_once"
            ),
        ]
