"""``/healthz`` and ``/readyz``: does the process answer, and does the platform work?

`/healthz` touches nothing. `/readyz` asks the database, and is red (503) when the scheduling loop hangs although web
answers. Neither needs a sign-in, so they tell ages and states but no names.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from fubini.dispatch.selectors import platform_status

log = logging.getLogger(__name__)
_HEADERS = {"Cache-Control": "no-store"}


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"ok": True}, headers=_HEADERS)


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The platform works: 200, else 503 with what does not."""
    try:
        status = platform_status()
    except DatabaseError:
        log.exception("the database does not answer")
        body: dict[str, Any] = {"ready": False, "database": False, "problems": ["the database does not answer"]}
        return JsonResponse(body, status=503, headers=_HEADERS)
    ages = [agent["sync_age_ms"] for agent in status.agents]
    known = [age for age in ages if age is not None]
    body = {
        "ready": status.ready,
        "database": True,
        "cycle_age_ms": status.cycle_age_ms,
        "oldest_event_age_ms": status.oldest_event_age_ms,
        "agents": len(ages),
        "agents_sync_age_ms": sorted(known),
        "agents_never_synced": len(ages) - len(known),
        "paused": bool(status.paused),
        "problems": [p for p in status.problems if not p.startswith("agent ")],
    }
    return JsonResponse(body, status=200 if status.ready else 503, headers=_HEADERS)
