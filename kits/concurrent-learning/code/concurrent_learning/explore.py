"""Exploration under the committee, and the choice of what to label next.

`explore` runs dynamics and records how far the members disagree on each frame it passes; it gives a trajectory up where
they disagree so much that it means nothing, and begins another. `select` keeps the frames whose deviation lies in a window (below: already
known; above: not physical) and spreads its choice over them, so that one label step's frames do not repeat another's.
Source: Zhang et al., Computer Physics Communications 253 (2020) 107206 (the scheme); Gonzalez, Theoretical Computer
Science 38 (1985) 293 (farthest-first traversal).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from concurrent_learning.constants import MASS_DALTON
from concurrent_learning.dynamics import langevin
from concurrent_learning.frames import Array, Frames, FramesError
from concurrent_learning.model import Committee, force_deviation, inverse_distances

TIMESTEP_FS = 0.5
FRICTION_PER_FS = 0.02


def explore(
    committee: Committee,
    start: Frames,
    *,
    temperature_k: float,
    steps: int,
    every: int,
    highest_deviation: float,
    seed: tuple[int, ...],
) -> Frames:
    """Frames passed by trajectories from frames of `start`, each with its ``deviation`` (eV/angstrom).

    `steps` is the whole budget; every `every` steps the committee is asked for its deviation. A trajectory that
    reaches `highest_deviation` is given up, and what is left of the budget goes to another one from a frame drawn
    anew: an early committee loses its way soon, and is to be shown where in more than one place.

    Raises:
        FramesError: no trajectory passed a single frame below `highest_deviation`.
    """
    masses = np.array([MASS_DALTON[symbol] for symbol in start.symbols])
    rng = np.random.default_rng(seed)
    seen: list[Array] = []
    deviations: list[float] = []
    looks_left = steps // every

    def look(x: Array) -> bool:
        nonlocal looks_left
        looks_left -= 1
        deviation = float(force_deviation(committee.predict(x[None])[1])[0])
        if not deviation < highest_deviation:  # also ends a trajectory that has become NaN
            return False
        seen.append(x.copy())
        deviations.append(deviation)
        return True

    while looks_left > 0:
        langevin(
            lambda x: np.asarray(committee.mean_forces(x[None])[0]),
            start.positions[int(rng.integers(len(start)))],
            masses,
            temperature_k=temperature_k,
            timestep_fs=TIMESTEP_FS,
            friction_per_fs=FRICTION_PER_FS,
            steps=looks_left * every,
            every=every,
            rng=rng,
            go_on=look,
        )
    if not seen:
        raise FramesError(f"no trajectory at {temperature_k:g} K stayed below {highest_deviation:g} eV/angstrom at all")
    return Frames(symbols=start.symbols, positions=np.array(seen), info={"deviation": np.array(deviations)})


@dataclass(frozen=True)
class Selection:
    """What `select` chose, and counts of what it saw."""

    frames: Frames
    seen: int
    accurate: int
    candidates: int


def select(seen: Frames, known: Frames, *, count: int, low: float, high: float) -> Selection:
    """Choose `count` of the frames in `seen` for labelling, far from each other and from `known`.

    Candidates have a deviation within (low, high). When there are fewer than `count`, the frames of largest deviation
    below `high` make up the number: the label fan-out is written out in the manifest, so a round has a fixed size.

    Raises:
        FramesError: fewer than `count` frames below `high` were seen.
    """
    deviation = seen.info["deviation"]
    usable = np.flatnonzero(deviation < high)
    if len(usable) < count:
        raise FramesError(
            f"exploration saw {len(usable)} frames below a deviation of {high:g} eV/angstrom and {count} are wanted; "
            "explore longer, lower the temperatures or raise deviation-high"
        )
    candidates = usable[deviation[usable] > low]
    if len(candidates) >= count:
        field = candidates
    else:
        field = usable[np.argsort(-deviation[usable], kind="stable")[:count]]
    chosen = field[_farthest_first(seen.positions[field], known.positions, count)]
    return Selection(
        frames=seen.take(np.sort(chosen)),
        seen=len(seen),
        accurate=int((deviation <= low).sum()),
        candidates=len(candidates),
    )


def _farthest_first(positions: Array, known: Array, count: int) -> list[int]:
    """Indices into `positions`: each time the one farthest, in standardised inverse distances, from all chosen."""
    old = inverse_distances(known)
    scale = old.std(axis=0) + 0.01
    here, there = inverse_distances(positions) / scale, old / scale
    nearest = ((here[:, None] - there[None]) ** 2).sum(axis=2).min(axis=1)
    picked: list[int] = []
    for _ in range(count):
        best = int(nearest.argmax())
        picked.append(best)
        nearest = np.minimum(nearest, ((here - here[best]) ** 2).sum(axis=1))
        nearest[best] = -1.0
    return picked
