"""What goes wrong before anything runs, said in three lines: what, why, what to try."""

from __future__ import annotations


class SupervisorError(Exception):
    """Fubini cannot start, or a command on its state folder cannot go on.

    `exit_code` follows the CLI's table: 1 failed, 2 usage, 5 conflict.
    """

    def __init__(self, what: str, *, why: str, try_: str, exit_code: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.try_ = try_
        self.exit_code = exit_code

    def text(self) -> str:
        return f"error: {self.what}\n  why: {self.why}\n  try: {self.try_}"
