"""Fair share's memory: each project's core time of ended attempts, decayed; folded in once a second."""

from __future__ import annotations

from django.db import transaction

from fubini.dispatch.models import Usage
from fubini.runs.models import Attempt

HALF_LIFE_MS = 7 * 86_400_000


def usage_decay(*, at_ms: int) -> int:
    """Add attempts that ended since the last fold to their project's decayed use."""
    with transaction.atomic():
        mark, _ = Usage.objects.select_for_update().get_or_create(pk="", defaults={"as_of_ms": at_ms})
        ended = Attempt.objects.filter(
            ended_at_ms__gt=mark.as_of_ms, ended_at_ms__lte=at_ms, started_at_ms__isnull=False
        )
        added: dict[str, int] = {}
        for project_id, cpu_millis, started, ended_at in ended.values_list(
            "project_id", "cpu_millis", "started_at_ms", "ended_at_ms"
        ):
            added[project_id] = added.get(project_id, 0) + cpu_millis * max(0, (ended_at or 0) - (started or 0)) // 1000
        for project_id, amount in added.items():
            row, _ = Usage.objects.get_or_create(pk=project_id, defaults={"as_of_ms": at_ms})
            age = max(0, at_ms - row.as_of_ms)
            row.core_ms = int(row.core_ms * 0.5 ** (age / HALF_LIFE_MS)) + amount
            row.as_of_ms = at_ms
            row.save()
        mark.as_of_ms = at_ms
        mark.save(update_fields=["as_of_ms"])
    return len(added)
