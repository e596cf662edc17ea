"""A project's secrets: named sets of keys, as Kubernetes has them; values are stored encrypted and never shown."""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class Secret(models.Model):
    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=253)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=80)
    last_used_at = models.DateTimeField(null=True)  # when a step or a fetch was last given a value of it, to the minute

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="secret_name_once")]


class SecretValue(models.Model):
    """One key of a secret. `token` is what `keyring.seal` made of the value; `version` rises with every set."""

    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="keys")
    key = models.CharField(max_length=253)
    token = models.TextField()
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["secret", "key"], name="secret_key_once")]
