"""Directories that outlive an attempt: the disks of runs, one folder each, until the platform says that they may go.

A disk is what steps of one run write to one after the other or at once, so everything in it is theirs: nothing here
follows a name inside one. Removing is moving out of the way first; the bytes go in the background.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


class Disks:
    """The disks of one agent, below `folder`. A disk's id is kept beside its directory, for it may not be a file name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._gone = 0
        self._names = {path.read_text(): path.with_suffix("") for path in folder.glob("*.id")}

    def path(self, disk_id: str) -> Path:
        """The disk's directory, made when it is missing."""
        found = self._names.get(disk_id)
        if found is None:
            digest = hashlib.sha256(disk_id.encode("utf-8", "surrogatepass")).hexdigest()
            found = self.folder / digest[:40]
            found.mkdir(mode=0o755, exist_ok=True)
            label = found.with_suffix(".id")
            label.write_text(disk_id)
            self._names[disk_id] = found
        return found

    def ids(self) -> list[str]:
        """All that are kept, sorted."""
        return sorted(self._names)

    def drop(self, disk_ids: Iterable[str], in_use: set[str]) -> list[Path]:
        """Forget disks that no attempt uses; the directories to remove."""
        trash = []
        for disk_id in disk_ids:
            found = self._names.get(disk_id)
            if found is None or disk_id in in_use:
                continue
            aside = self.folder / f"gone-{os.getpid()}-{self._gone}"
            self._gone += 1
            os.rename(found, aside)
            found.with_suffix(".id").unlink(missing_ok=True)
            del self._names[disk_id]
            trash.append(aside)
        return trash

    def leftovers(self) -> list[Path]:
        """What an earlier life of this agent moved aside and did not get to remove."""
        return [path for path in self.folder.glob("gone-*") if path.is_dir()]

