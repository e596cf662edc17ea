"""Share links: short addresses of views of a project, for its members."""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class ShareLink(models.Model):
    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", on_delete=models.CASCADE, related_name="share_links")
    code = models.CharField(max_length=16, unique=True)
    address = models.CharField(max_length=2000)  # of a page: path, query and fragment
    note = models.CharField(max_length=200, blank=True, default="")
    created_by = models.CharField(max_length=80)  # an actor
    created_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    revoked_at_ms = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "revoked_at_ms"], name="share_links_of_a_project")]
