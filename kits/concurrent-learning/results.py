"""What a finished run of the kit says, and whether it keeps the kit's promises. Pure; standard library only.

`figures` turns the run's global output parameters into the rows a result table shows; `shortfalls` compares them with
what the kit promises for its default parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

RMSE_LAST_MAX = 0.060  # eV/angstrom, on the reporting half
RATIO_MAX = 0.6  # last against first, same frames
LABELS = (36, 48)  # training frames labelled by DFT; held-out ones are not counted
STEPS_MIN = 40


class Figures(TypedDict):
    """The science part of a run's result: errors in eV/angstrom on the reporting half, and labelled training frames."""

    rmse_first: float
    rmse_last: float
    labels: int


def figures(parameters: Mapping[str, str]) -> Figures:
    """The figures in a run's global output parameters.

    Raises:
        ValueError: a parameter is missing or not a number; the text names it and what there is.
    """
    try:
        return Figures(
            rmse_first=float(parameters["rmse-first"]),
            rmse_last=float(parameters["rmse-last"]),
            labels=int(parameters["labels"]),
        )
    except KeyError as missing:
        there = ", ".join(sorted(parameters)) or "none"
        raise ValueError(f"the run has no output parameter {missing}; it has: {there}") from None


def shortfalls(found: Figures, steps: int) -> list[str]:
    """One sentence for every promise a run of `steps` steps does not keep; empty when it keeps them all."""
    broken = []
    if not found["rmse_last"] <= RMSE_LAST_MAX:
        broken.append(f"the last force error is {found['rmse_last']:.4f} eV/Å, above {RMSE_LAST_MAX} eV/Å")
    if not found["rmse_last"] <= RATIO_MAX * found["rmse_first"]:
        ratio = found["rmse_last"] / found["rmse_first"] if found["rmse_first"] else float("inf")
        broken.append(f"the last force error is {ratio:.2f} of the first, above {RATIO_MAX}")
    if not LABELS[0] <= found["labels"] <= LABELS[1]:
        broken.append(f"{found['labels']} training frames were labelled, not {LABELS[0]} to {LABELS[1]}")
    if steps < STEPS_MIN:
        broken.append(f"the run had {steps} steps, fewer than {STEPS_MIN}")
    return broken
