"""Looks at the files of a step while it runs, and for a while after it failed.

The files lie at the site and agents only call out, so a look is a row: the agent's next poll carries it there, its answer
comes back into the row, and whoever asked waits for that. Rows live for seconds. What may be shown, and that no secret is,
the agent decides beside the files; who may ask is the caller's to check.
"""

from __future__ import annotations

import time
from typing import Any, Final

from django.db import transaction

from fubini.common import bell, clock
from fubini.common.errors import FubiniError, NotFound, TooManyRequests
from fubini.common.saying import ours, say
from fubini.runs.models import Attempt, FileLook
from fubini.runs.transitions import ATTEMPT_LIVE

ANSWER_S: Final = 10.0
STALE_MS: Final = 60_000
AT_ONCE: Final = 16
POLL_S: Final = 0.05
#: A reply that carried a look may be lost; until then it is not said again.
REPEAT_MS: Final = 2_000


class SiteSilent(FubiniError):
    code = "site_silent"
    http_status = 504
    title = "The site does not answer"


def look_make(*, attempt: Attempt, path: str, offset: int, limit: int) -> FileLook:
    """Ask the attempt's agent to look at `path`.

    Raises:
        NotFound: the attempt left nothing to look at. TooManyRequests: the agent has enough to answer.
    """
    if attempt.state not in (*ATTEMPT_LIVE, "failed"):
        raise NotFound(
            say(
                "The attempt ended as {state}: files are there while a step runs, and for a while after it failed.",
                state=ours(attempt.state),
            ),
            next_step="What it declared as outputs is among the run's artifacts.",
        )
    now_ms = clock.now_ms()
    FileLook.objects.filter(asked_at_ms__lt=now_ms - STALE_MS).delete()
    if FileLook.objects.filter(agent_id=attempt.agent_id, answer__isnull=True).count() >= AT_ONCE:
        raise TooManyRequests(
            say(
                "{at_once} looks at files of this site wait for an answer.",
                at_once=AT_ONCE,
            ),
            next_step="Try again in some seconds.",
        )
    row = FileLook.objects.create(
        agent_id=attempt.agent_id,
        attempt_id=attempt.pk,
        fence=attempt.fence,
        path=path,
        offset=offset,
        limit=limit,
        asked_at_ms=now_ms,
    )
    transaction.on_commit(lambda: bell.ring("agents", row.agent_id))
    return row


def look_wait(row: FileLook, *, wait_s: float = ANSWER_S) -> dict[str, Any]:
    """The agent's answer, in the protocol's words; the row is gone afterwards.

    Raises:
        SiteSilent: none came.
    """
    until = time.monotonic() + wait_s
    while True:
        answer = FileLook.objects.filter(pk=row.pk).values_list("answer", flat=True).first()
        if answer is not None or time.monotonic() >= until:
            break
        time.sleep(POLL_S)
    FileLook.objects.filter(pk=row.pk).delete()
    if answer is None:
        raise SiteSilent(
            say("The agent that has the files said nothing for {wait_s:.0f} s.", wait_s=wait_s),
            next_step="See the site's heartbeat on the page of pools; an agent of an older version cannot answer this.",
        )
    found: dict[str, Any] = answer
    return found


def looks_open(agent_id: str, *, tell: bool) -> list[FileLook]:
    """The looks an agent should answer now; with `tell` they are said, and not said again for a while."""
    now_ms = clock.now_ms()
    rows = [
        row
        for row in FileLook.objects.filter(agent_id=agent_id, answer__isnull=True).order_by("pk")[:AT_ONCE]
        if now_ms - STALE_MS < row.asked_at_ms and (row.told_at_ms is None or row.told_at_ms < now_ms - REPEAT_MS)
    ]
    if rows and tell:
        FileLook.objects.filter(pk__in=[row.pk for row in rows]).update(told_at_ms=now_ms)
    return rows


def look_answer(*, agent_id: str, look_id: str, answer: dict[str, Any]) -> bool:
    """Take an agent's answer in; False when nobody waits for it."""
    return bool(FileLook.objects.filter(pk=look_id, agent_id=agent_id, answer__isnull=True).update(answer=answer))
