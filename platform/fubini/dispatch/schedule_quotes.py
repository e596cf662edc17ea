"""What a schedule that has never run would cost: quoted in the background and kept beside it, for forecasts to read."""

from __future__ import annotations

import json
from typing import Any

from fubini.common.errors import FubiniError
from fubini.crons.models import Cron
from fubini.dispatch.quotes import Submission, quote
from fubini.manifests.crons import workflow_of
from fubini.pipelines.selectors import library_of


def crons_quote(limit: int = 20) -> int:
    """Quote schedules no run of which has ended, so that a forecast has a figure for them; how many were."""
    never = Cron.objects.filter(suspended=False, stopped=False).exclude(ticks__state__in=["succeeded", "failed"])
    done = 0
    for row in never.select_related("project").order_by("id")[:500]:
        if (row.quote or {}).get("version") == row.version:
            continue
        if done >= limit:
            break
        done += 1
        kept: dict[str, Any] = {"version": row.version, "low": None, "high": None}
        try:
            text = json.dumps(workflow_of(row.document, name=f"{row.name}-0", scheduled_at="1970-01-01T00:00:00Z"))
            found = quote(Submission(row.project, text, library=library_of(row.project_id)))
            if found.feasible:
                kept |= {"low": found.money_low_micros, "high": found.money_high_micros}
        except FubiniError:
            pass  # its ticks will say what is wrong
        Cron.objects.filter(pk=row.pk, version=row.version).update(quote=kept)
    return done
