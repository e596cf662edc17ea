"""Frames and committees for the kit's tests, labelled by a toy potential that is quick and has exact forces."""

from __future__ import annotations

from typing import Any

import numpy as np

METHANOL = ("C", "O", "H", "H", "H", "H")
REST = np.array(
    [
        [-0.047, 0.664, 0.0],
        [-0.047, -0.759, 0.0],
        [-1.093, 0.970, 0.0],
        [0.879, -1.048, 0.0],
        [0.437, 1.080, 0.892],
        [0.437, 1.080, -0.892],
    ]
)


def toy_labels(positions: Any) -> tuple[Any, Any]:
    """Energy and forces of Morse bonds between all pairs, the same for every pair of the same two elements."""
    i, j = np.triu_indices(len(REST), 1)
    rest = np.linalg.norm(REST[i] - REST[j], axis=1)
    kinds = [tuple(sorted((METHANOL[a], METHANOL[b]))) for a, b in zip(i, j, strict=True)]
    rest = np.array([rest[[k for k, other in enumerate(kinds) if other == kind]].mean() for kind in kinds])
    energies, forces = [], []
    for x in positions:
        between = x[i] - x[j]
        r = np.linalg.norm(between, axis=1)
        decay = np.exp(-1.2 * (r - rest))
        energies.append(float((0.8 * (1 - decay) ** 2).sum()))
        pull = (-2 * 0.8 * 1.2 * (1 - decay) * decay / r)[:, None] * between
        total = np.zeros_like(x)
        np.add.at(total, i, pull)
        np.add.at(total, j, -pull)
        forces.append(total)
    return np.array(energies), np.array(forces)


def make_frames(count: int, *, seed: int = 0, spread: float = 0.05, labelled: bool = True) -> Any:
    """`count` shaken frames of methanol."""
    from concurrent_learning.frames import Frames

    positions = REST + np.random.default_rng(seed).normal(0.0, spread, (count, *REST.shape))
    if not labelled:
        return Frames(symbols=METHANOL, positions=positions)
    energies, forces = toy_labels(positions)
    return Frames(symbols=METHANOL, positions=positions, forces=forces, info={"energy": energies})


def make_committee(count: int = 12, *, members: int = 4, seed: int = 0, spread: float = 0.05) -> Any:
    """A committee trained on `count` shaken frames."""
    from concurrent_learning.model import train_member, unite

    training = make_frames(count, seed=seed, spread=spread)
    return unite([train_member(training, member) for member in range(members)])
