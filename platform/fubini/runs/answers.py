"""What the platform does at once when an engine asks for locks or cached results, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence

from fubini.runs.engine import Command, Event, LockRelease, LockRequest, MemoLookup, MemoSave
from fubini.runs.locks import RowQueues, lock_request, locks_release
from fubini.runs.memos import memo_lookup, memo_save
from fubini.runs.models import Run


class Answers:
    """Carries out one run's commands in the caller's transaction; what it reads of queues it remembers for its length."""

    def __init__(self, run: Run, *, at_ms: int) -> None:
        self.run = run
        self.at_ms = at_ms
        self._queues = RowQueues(run.project_id, run.project.slug, at_ms)

    def to(self, commands: Sequence[Command]) -> list[Event]:
        """Carry out one step's commands; -> the events that the engine must hear before any other.

        What is given back goes first and together: who ends a hundred waiting nodes grants nothing in between.
        """
        releases = [command for command in commands if isinstance(command, LockRelease)]
        granted = locks_release(run=self.run, releases=releases, queues=self._queues) if releases else []
        answers: list[Event] = []
        for command in commands:
            if isinstance(command, MemoSave):
                memo_save(run=self.run, save=command, at_ms=self.at_ms)
            elif isinstance(command, MemoLookup):
                answers.append(memo_lookup(run=self.run, lookup=command, at_ms=self.at_ms))
            elif isinstance(command, LockRequest):
                answers += lock_request(run=self.run, request=command, queues=self._queues)
        return [*answers, *granted]
