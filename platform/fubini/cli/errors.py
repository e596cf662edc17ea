"""How the CLI fails: three lines, a stable exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """What the exit code of every command means."""

    OK = 0
    FAILED = 1  # the run failed, or the command could not do what was asked
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    CONFLICT = 5  # or a quota or limit
    UNREACHABLE = 6
    STILL_RUNNING = 7  # --timeout passed and the run goes on
    INTERRUPTED = 130


READABLE = "the path of a file that is there and yours to read (ls -l PATH)"
"""What to try when a file cannot be read."""


class CliError(Exception):
    """What happened, why, and what to try."""

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        try_: str = "",
        exit_code: Exit = Exit.FAILED,
        details: Sequence[str] = (),
        problem: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.try_ = try_
        self.exit_code = exit_code
        self.details = tuple(details)
        self.problem = problem

    def lines(self) -> list[str]:
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        lines += [f"       {line}" for line in self.details]
        if self.try_:
            lines.append(f"  try: {self.try_}")
        return lines


def exit_code_of(status: int) -> Exit:
    """The exit code that an HTTP status becomes."""
    if status in {401, 403}:
        return Exit.AUTH
    if status == 404:
        return Exit.NOT_FOUND
    if status in {402, 409, 412, 428, 429, 507}:
        return Exit.CONFLICT
    if status in {400, 405, 406, 413, 415, 422}:
        return Exit.USAGE
    return Exit.UNREACHABLE if status in {502, 503, 504} else Exit.FAILED
