"""What a run has learned so far: one committee per iteration with its figures, in one JSON file that grows.

The file carries everything `validate` needs to judge every iteration afterwards on frames that no earlier step saw.
A run begins with the empty history, ``[]``. Floats round-trip exactly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from concurrent_learning.model import Committee, committee_from_arrays, committee_to_arrays


@dataclass(frozen=True)
class Entry:
    """One iteration: the labels it was trained on, its figures on the stopping half (eV/angstrom), its committee."""

    iteration: int
    labels: int
    rmse_stopping: float
    deviation_mean: float
    committee: Committee


def save_history(path: Path | str, entries: list[Entry]) -> None:
    """Write all entries, in order."""
    rows = [
        {
            "iteration": entry.iteration,
            "labels": entry.labels,
            "rmse_stopping": entry.rmse_stopping,
            "deviation_mean": entry.deviation_mean,
            "committee": {name: array.tolist() for name, array in committee_to_arrays(entry.committee).items()},
        }
        for entry in entries
    ]
    Path(path).write_text(json.dumps(rows) + "\n", encoding="utf-8")


def load_history(path: Path | str) -> list[Entry]:
    """Read what `save_history` wrote.

    Raises:
        ValueError: the file is not a history.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Entry(**{**row, "committee": committee_from_arrays(row["committee"])}) for row in rows]
    except (KeyError, TypeError) as problem:
        raise ValueError(f"{path}: not a history written by the evaluate step ({problem})") from problem
