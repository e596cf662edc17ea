"""The directories of failed steps, kept a while for people to look at: bounded by age, by bytes and by number.

What is needed to read one again is in a note beside its files, out of the step's reach, so a restart loses none. Its secrets
are gone with the attempt: in this life of the agent they are still hidden by the masker it has, after a restart all the
content of such a step is.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from fubini_agent.config import KeptSetting
from fubini_agent.masking import Masker
from fubini_agent.room import tree_bytes
from fubini_agent.staging.layout import Layout, Overlay

NOTE = "kept.json"


@dataclass
class KeptStep:
    """One directory. `used_bytes` is measured once, by `Kept.tend`."""

    attempt_id: str
    fence: int
    until_ms: int
    layout: Layout
    masker: Optional[Masker] = None
    used_bytes: Optional[int] = None


class Kept:
    """All that one agent keeps."""

    def __init__(self, bounds: KeptSetting) -> None:
        self.bounds = bounds
        self._steps: dict[str, KeptStep] = {}

    @property
    def wanted(self) -> bool:
        return self.bounds.hours > 0 and self.bounds.max_bytes > 0 and self.bounds.steps_max > 0

    def find(self, attempt_id: str, fence: int) -> Optional[KeptStep]:
        found = self._steps.get(attempt_id)
        return found if found is not None and found.fence == fence else None

    def folders(self) -> set[str]:
        """Names of the directories that stay."""
        return {step.layout.top.name for step in self._steps.values()}

    def keep(self, attempt_id: str, fence: int, layout: Layout, masker: Optional[Masker], now_ms: int) -> bool:
        """Take a discarded attempt's directory over; False when it cannot be noted, and so is to go."""
        until_ms = now_ms + int(self.bounds.hours * 3_600_000)
        layout.shares = [share for share in layout.shares if not share.foreign]  # others' files by now
        note = {
            "attempt_id": attempt_id,
            "fence": fence,
            "until_ms": until_ms,
            "private": layout.private,
            "cwd": layout.cwd,
            "links": layout.links,
            "overlays": [[over.inside, str(over.upper), str(over.work)] for over in layout.overlays],
            "inputs": [inside for _host, inside in layout.binds],
            "secrets": masker is not None,
        }
        try:
            (layout.top / NOTE).write_text(json.dumps(note))
        except OSError:
            return False
        self._steps[attempt_id] = KeptStep(attempt_id, fence, until_ms, layout, masker)
        return True

    def load(self, work: Path) -> None:
        """Take up what an earlier life of the agent kept."""
        for path in work.glob(f"*/{NOTE}"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                step = _read(path)
                self._steps[step.attempt_id] = step

    def tend(self, now_ms: int, *, no_room: bool) -> list[Path]:
        """What is to be removed now: what is over its time, then the oldest until the rest is within bounds. Blocks."""
        for step in list(self._steps.values()):
            if step.used_bytes is None:
                step.used_bytes = tree_bytes(step.layout.top)
        left = sorted(self._steps.values(), key=lambda step: (step.until_ms, step.attempt_id), reverse=True)
        total, gone = 0, []
        for number, step in enumerate(left):
            total += step.used_bytes or 0
            over = total > self.bounds.max_bytes or number >= self.bounds.steps_max
            if over or no_room or step.until_ms <= now_ms:
                gone.append(step)
                total -= step.used_bytes or 0
        for step in gone:
            self._steps.pop(step.attempt_id, None)
        return [step.layout.top for step in gone]


def _read(path: Path) -> KeptStep:
    note: dict[str, Any] = json.loads(path.read_text())
    layout = Layout(
        path.parent,
        private=bool(note["private"]),
        cwd=str(note["cwd"]),
        links=dict(note["links"]),
        overlays=[Overlay(inside, Path(upper), Path(work)) for inside, upper, work in note["overlays"]],
        binds=[(os.devnull, str(inside)) for inside in note["inputs"]],
    )
    masker = Masker(everything=True) if note["secrets"] else None
    return KeptStep(str(note["attempt_id"]), int(note["fence"]), int(note["until_ms"]), layout, masker)
