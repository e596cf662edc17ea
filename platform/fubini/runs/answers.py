"""What the platform does at once when an engine asks for locks or cached results, and what it answers."""

from __future__ import annotations

from fubini.runs.engine import Command, Event, LockRelease, LockRequest, MemoLookup, MemoSave
from fubini.runs.locks import lock_release, lock_request
from fubini.runs.memos import memo_lookup, memo_save
from fubini.runs.models import Run


def answers_to(run: Run, command: Command, *, at_ms: int) -> list[Event]:
    """Carry out one command in the caller's transaction; -> the events that the engine must hear before any other."""
    if isinstance(command, LockRequest):
        return lock_request(run=run, request=command, at_ms=at_ms)
    if isinstance(command, LockRelease):
        return lock_release(run=run, release=command, at_ms=at_ms)
    if isinstance(command, MemoLookup):
        return [memo_lookup(run=run, lookup=command, at_ms=at_ms)]
    if isinstance(command, MemoSave):
        memo_save(run=run, save=command, at_ms=at_ms)
    return []
