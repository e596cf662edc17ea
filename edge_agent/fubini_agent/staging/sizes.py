"""Do volumes of running steps hold more than they may? Looked at now and then, as a kubelet looks at pods' volumes.

A kernel limit needs a file system of its own for each volume, which nobody may make without root; scratch in memory has
one and is not looked at here. A step is to end when its scratch holds more than its size, or when it made a disk of its run
grow beyond what the claim asked for: one that only reads an overfull disk, or empties it, goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fubini_agent.room import tree_bytes

EVERY_S = 10.0
REST = 20  # a look at very many files is followed by so many times its length of rest


@dataclass(frozen=True)
class Limited:
    """One volume of an attempt that may hold `size_bytes`; `disk` when it outlives the attempt."""

    attempt_id: str
    name: str
    folder: Path
    size_bytes: int
    disk: bool


@dataclass
class Sizes:
    """What was measured first of each attempt's disks."""

    first: dict[tuple[str, str], int] = field(default_factory=dict)

    def look(self, volumes: list[Limited]) -> dict[str, str]:
        """Measure; a sentence for each attempt that is to end. Walks folders: not for the event loop's own thread."""
        there = {(volume.attempt_id, volume.name) for volume in volumes}
        self.first = {key: used for key, used in self.first.items() if key in there}
        over = {}
        measured = {folder: tree_bytes(folder) for folder in {volume.folder for volume in volumes}}
        for volume in volumes:
            used = measured[volume.folder]
            before = self.first.setdefault((volume.attempt_id, volume.name), used if volume.disk else 0)
            if used > volume.size_bytes and used > before:
                kind = "the run's disk" if volume.disk else "EmptyDir volume"
                over[volume.attempt_id] = (
                    f'Usage of {kind} "{volume.name}" exceeds the limit: {used} bytes, {volume.size_bytes} are allowed'
                )
        return over
