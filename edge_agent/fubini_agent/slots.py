"""A machine's common slots: what several agents on one host share, so that together they never run more than it has.

A slot is a file in a folder all of them can write; whoever holds its record lock has the slot. Record locks belong to the
process (a forked child does not inherit them) and vanish with it, so a killed keeper gives its slots back, as its
commands die with it. All or nothing and never blocking: a command that needs three slots takes three or waits.

Standard library only: the keeper imports it.
"""

from __future__ import annotations

import fcntl
import os


class Slots:
    """The slots of one folder, as one process holds them."""

    def __init__(self, folder: str, count: int) -> None:
        self.folder = folder
        self.count = max(1, count)
        self.mine: set[int] = set()
        self._files: dict[int, int] = {}

    def take(self, wanted: int) -> tuple[int, ...] | None:
        """`wanted` slots (at most all there are), or None when not that many are free now.

        Raises:
            OSError: the folder cannot be used.
        """
        needed = min(max(1, wanted), self.count)
        got: list[int] = []
        for number in range(self.count):
            if len(got) == needed:
                break
            if number not in self.mine and self._lock(number):
                got.append(number)
        if len(got) < needed:
            for number in got:
                fcntl.lockf(self._files[number], fcntl.LOCK_UN)
            return None
        self.mine.update(got)
        return tuple(got)

    def give(self, numbers: tuple[int, ...]) -> None:
        """Give slots back."""
        for number in numbers:
            self.mine.discard(number)
            fcntl.lockf(self._files[number], fcntl.LOCK_UN)

    def _lock(self, number: int) -> bool:
        file = self._files.get(number)
        if file is None:
            # Kept open for life: closing any descriptor of a file drops all of this process's locks on it.
            path = os.path.join(self.folder, f"slot-{number}")
            file = self._files[number] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except PermissionError:  # EACCES: the other spelling of "somebody has it"
            return False
        return True
