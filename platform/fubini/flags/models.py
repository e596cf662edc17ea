"""What people said of a flag, for the installation or for one project; where nobody said anything the registry's default holds."""

from __future__ import annotations

from django.db import models

from fubini.common.ids import IdField


class FlagSetting(models.Model):
    """No `project`: the installation's word. `name` is one of the registry's; rows of a flag that is gone are not read."""

    id = IdField()
    project = models.ForeignKey("fubini_projects.Project", null=True, on_delete=models.CASCADE, related_name="flags")
    name = models.CharField(max_length=40)
    on = models.BooleanField()
    set_by = models.CharField(max_length=80)  # an actor
    set_at_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="flag_once"),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(project=None), name="flag_of_the_installation_once"
            ),
        ]
