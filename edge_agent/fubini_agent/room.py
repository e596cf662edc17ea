"""Is there room on this agent's disks? Decides when it takes no more work, and when it does again.

A reserve is kept of every disk the agent writes to: what steps that run already still write, and the agent's own records.
Below it no step starts and no lease is asked for; above one and a half times it work goes on. The journal has a reserve
of its own beside this one (`journal.RESERVE_BYTES`), so that what is owed can be written even on a full disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

RESERVE_LEAST, RESERVE_MOST = 8 << 20, 256 << 20


class Room:
    """Watches the disks of some folders. `problem` is a sentence, "" while there is room."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = {folder.stat().st_dev: folder for folder in folders}
        self.problem = ""

    def look(self) -> str:
        """Bring `problem` up to date; a few microseconds."""
        found = ""
        for folder in self.folders.values():
            free, reserve = free_and_reserve(folder)
            if free < (reserve * 3 // 2 if self.problem else reserve):
                found = found or f"the disk of {folder} has {free} bytes left, {reserve} are kept free: make room there"
        # The figures of a disk that stays full are not news.
        self.problem = (self.problem or found) if found else ""
        return self.problem


def free_and_reserve(folder: Path) -> tuple[int, int]:
    """Bytes an ordinary user may still write, and how many of them are not for new work: 2 % within fixed bounds."""
    info = os.statvfs(folder)
    total = info.f_blocks * info.f_frsize
    return info.f_bavail * info.f_frsize, min(RESERVE_MOST, max(RESERVE_LEAST, total // 50))


def tree_bytes(folder: Path) -> int:
    """Disk space of a folder's files."""
    total = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue
    return total
