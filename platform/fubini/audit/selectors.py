"""Reading the trail."""

from __future__ import annotations

from django.db.models import QuerySet

from fubini.audit.models import AuditEntry


def audit_list(*, actor: str = "", action: str = "", target: str = "", project_id: str = "") -> QuerySet[AuditEntry]:
    """Entries by exact actor, target and project, and by the beginning of the action."""
    found = AuditEntry.objects.all()
    if actor:
        found = found.filter(actor=actor)
    if action:
        found = found.filter(action__startswith=action)
    if target:
        found = found.filter(target=target)
    if project_id:
        found = found.filter(project_id=project_id)
    return found
