"""Who still uses a dataset: asked before one is deleted, and shown beside it.

Data knows nothing of runs and pipelines; the parts above register what they know at start (`register`), and each answers
for one dataset. A use that `blocks` would break if the data went: deleting is refused while there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fubini.datasets.models import Dataset


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that names a dataset. `version` is None where it means the newest."""

    kind: str  # run | pipeline | schedule
    id: str
    name: str
    state: str
    version: int | None
    blocks: bool


Asker = Callable[[Dataset], list[Use]]
_askers: Final[list[Asker]] = []


def register(asker: Asker) -> None:
    """Ask this one, too. For `AppConfig.ready`; registering again changes nothing."""
    if asker not in _askers:
        _askers.append(asker)


def uses_of(dataset: Dataset) -> list[Use]:
    """What uses the dataset, what blocks first; each part answers with at most what it shows."""
    found = [use for ask in _askers for use in ask(dataset)]
    return sorted(found, key=lambda use: (not use.blocks, use.kind))
