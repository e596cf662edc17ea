"""The committee's members: ridge regression on random Fourier features of inverse distances.

Decides the descriptor (one standardised inverse distance per atom pair, so that energies do not change when the
molecule moves or turns), its averaging over the orders of equivalent hydrogens (a methyl group's three are the same to
physics, and a model that knows it needs far fewer labels), the features (cosines with random frequencies, which stand
for a Gaussian kernel, beside the descriptor itself and a constant) and the fit (energies and forces together, one
linear solve). Forces are the exact gradient of the energy. Members differ by the seed of their frequencies only: where
the data pin the surface down they agree, elsewhere they do not, and that disagreement is what exploration looks for.
Source: Rahimi and Recht, NIPS 2007 (random features); Chmiela et al., Science Advances 3 (2017) e1603015
(inverse-distance descriptors and fits to forces).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concurrent_learning.frames import Array, Frames

FEATURES = 700
LENGTH_SCALE = 10.0  # in standard deviations of the descriptor
RIDGE = 1e-6
ENERGY_WEIGHT = 1.0  # weight of one energy (eV) against one force component (eV/angstrom)
MOST_ORDERS = 24
SPREAD_FLOOR = 0.01  # 1/angstrom; keeps stiff pairs from being blown up by the standardisation


@cache
def pairs_of(atoms: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Index arrays (i, j) of all atom pairs with i < j."""
    return np.triu_indices(atoms, 1)


def inverse_distances(positions: Array) -> Array:
    """1/r of every pair, [frame][pair], in 1/angstrom."""
    i, j = pairs_of(positions.shape[1])
    return np.asarray(1.0 / np.linalg.norm(positions[:, i] - positions[:, j], axis=2))


def equivalent_orders(symbols: tuple[str, ...], positions: Array) -> tuple[tuple[int, ...], ...]:
    """Every order of the atoms that only exchanges hydrogens of one heavy atom (its nearest one in `positions`).

    `positions` is one frame, [atom][xyz]. The order as it stands comes first.

    Raises:
        ValueError: there would be more than `MOST_ORDERS` of them; the cost of the model grows with their number.
    """
    heavy = [k for k, symbol in enumerate(symbols) if symbol != "H"]
    groups: dict[int, list[int]] = {}
    for k, symbol in enumerate(symbols):
        if symbol == "H" and heavy:
            nearest = min(heavy, key=lambda other: (float(np.linalg.norm(positions[k] - positions[other])), other))
            groups.setdefault(nearest, []).append(k)
    count = math.prod(math.factorial(len(group)) for group in groups.values())
    if count > MOST_ORDERS:
        raise ValueError(
            f"{''.join(symbols)} has {count} equivalent orders of its hydrogens; at most {MOST_ORDERS} are allowed"
        )
    orders = []
    for choice in itertools.product(*(itertools.permutations(group) for group in groups.values())):
        order = list(range(len(symbols)))
        for group, permuted in zip(groups.values(), choice, strict=True):
            for atom, other in zip(group, permuted, strict=True):
                order[atom] = other
        orders.append(tuple(order))
    return tuple(orders)


@cache
def pair_orders(orders: tuple[tuple[int, ...], ...]) -> NDArray[np.intp]:
    """What each order of the atoms does to the pairs, [order][pair]: the pair found at each pair's place."""
    i, j = pairs_of(len(orders[0]))
    where = {(int(a), int(b)): k for k, (a, b) in enumerate(zip(i, j, strict=True))}
    rows = [
        [where[min(order[a], order[b]), max(order[a], order[b])] for a, b in zip(i, j, strict=True)] for order in orders
    ]
    return np.array(rows, dtype=np.intp)


@dataclass(frozen=True)
class Committee:
    """Members that share a descriptor scale; arrays are stacked by member.

    `orders`: equivalent orders of the atoms; `centre`, `spread`: [pair]; `seeds`: [member]; `frequencies`:
    [member][feature][pair]; `phases`: [member][feature]; `weights`: [member][feature + pair + 1]; `energy_zero` is
    added to every predicted energy (eV).
    """

    orders: tuple[tuple[int, ...], ...]
    centre: Array
    spread: Array
    seeds: tuple[int, ...]
    frequencies: Array
    phases: Array
    weights: Array
    energy_zero: float

    @property
    def size(self) -> int:
        return len(self.seeds)

    def predict(self, positions: Array) -> tuple[Array, Array]:
        """Energies [member][frame] in eV and forces [member][frame][atom][xyz] in eV/angstrom."""
        frames, atoms = positions.shape[0], positions.shape[1]
        i, j = pairs_of(atoms)
        swaps = pair_orders(self.orders)
        between = positions[:, i] - positions[:, j]
        distance = np.sqrt((between * between).sum(axis=2))
        q = (1.0 / distance - self.centre) / self.spread
        seen = q[:, swaps].reshape(frames * len(swaps), -1)  # the frame in each of its equivalent orders
        count = self.phases.shape[1]
        angle = np.matmul(seen, self.frequencies.transpose(0, 2, 1)) + self.phases[:, None, :]
        wave = np.sqrt(2.0 / count) * self.weights[:, None, :count]
        linear = self.weights[:, count:-1]
        energy = (wave * np.cos(angle)).sum(axis=2) + linear @ seen.T
        slope = np.matmul(-wave * np.sin(angle), self.frequencies) + linear[:, None, :]
        slope = slope.reshape(self.size, frames, len(swaps), -1)
        pair_slope = np.zeros((self.size, frames, len(i)))  # dE/dq
        for k, swap in enumerate(swaps):
            pair_slope[:, :, swap] += slope[:, :, k] / len(swaps)
        pull = (pair_slope / self.spread / distance**3)[..., None] * between  # the force on each pair's first atom
        forces = np.zeros((self.size, frames, atoms, 3))
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            forces[:, :, a] += pull[:, :, k]
            forces[:, :, b] -= pull[:, :, k]
        energies = energy.reshape(self.size, frames, len(swaps)).mean(axis=2) + self.weights[:, -1:] + self.energy_zero
        return energies, forces

    def mean_forces(self, positions: Array) -> Array:
        """The committee's forces, [frame][atom][xyz]."""
        return np.asarray(self.predict(positions)[1].mean(axis=0))


def force_deviation(forces: Array) -> Array:
    """How far members disagree: the largest over atoms of the standard deviation of the force, [frame], eV/angstrom.

    `forces` is [member][frame][atom][xyz]. Source: Zhang et al., Physical Review Materials 3 (2019) 023804.
    """
    spread = ((forces - forces.mean(axis=0)) ** 2).sum(axis=3).mean(axis=0)
    return np.asarray(np.sqrt(spread).max(axis=1))


def random_features(seed: int, pairs: int, count: int = FEATURES) -> tuple[Array, Array]:
    """Frequencies [feature][pair] and phases [feature] of the member with `seed`."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 1.0 / LENGTH_SCALE, (count, pairs)), rng.uniform(0.0, 2.0 * np.pi, count)


def train_member(training: Frames, seed: int) -> Committee:
    """Fit one member to labelled frames; the result is a committee of one."""
    orders = equivalent_orders(training.symbols, training.positions[0])
    swaps = pair_orders(orders)
    inverse = inverse_distances(training.positions)[:, swaps]  # [frame][order][pair]
    centre, spread = inverse.mean(axis=(0, 1)), inverse.std(axis=(0, 1)) + SPREAD_FLOOR
    frequencies, phases = random_features(seed, inverse.shape[2])
    energy_zero = float(training.energies.mean())
    rows, gradient = _design(training.positions, swaps, centre, spread, frequencies, phases)
    root = np.sqrt(ENERGY_WEIGHT)
    matrix = np.concatenate([root * rows, -gradient])
    target = np.concatenate([root * (training.energies - energy_zero), training.labelled_forces().ravel()])
    normal = matrix.T @ matrix + RIDGE * np.eye(matrix.shape[1])
    weights = np.linalg.solve(normal, matrix.T @ target)
    return Committee(orders, centre, spread, (seed,), frequencies[None], phases[None], weights[None], energy_zero)


def _design(
    positions: Array, swaps: NDArray[np.intp], centre: Array, spread: Array, frequencies: Array, phases: Array
) -> tuple[Array, Array]:
    """Feature values [frame][feature] and their position gradients [frame*atom*xyz][feature].

    Both are means over the equivalent orders of the atoms, which makes the model exactly symmetric.
    """
    frames, atoms, _ = positions.shape
    i, j = pairs_of(atoms)
    between = positions[:, i] - positions[:, j]
    distance = np.linalg.norm(between, axis=2)
    q = (1.0 / distance - centre) / spread
    norm = np.sqrt(2.0 / len(phases))
    values = np.zeros((frames, len(phases) + len(i) + 1))
    slope = np.zeros((frames, values.shape[1], len(i)))  # d feature / d q; the constant, last, has none
    for swap in swaps:
        angle = q[:, swap] @ frequencies.T + phases
        values[:, : len(phases)] += norm * np.cos(angle)
        values[:, len(phases) : -1] += q[:, swap]
        slope[:, : len(phases), swap] -= norm * np.sin(angle)[:, :, None] * frequencies
        slope[:, len(phases) + np.arange(len(i)), swap] += 1.0
    values /= len(swaps)
    slope /= len(swaps)
    values[:, -1] = 1.0
    along = -(between / (distance**3)[..., None]) / spread[:, None]  # dq/dx of each pair's first atom
    gradient = np.zeros((frames, atoms, 3, values.shape[1]))
    for k, (a, b) in enumerate(zip(i, j, strict=True)):
        step = along[:, k, :, None] * slope[:, None, :, k]
        gradient[:, a] += step
        gradient[:, b] -= step
    return values, gradient.reshape(frames * atoms * 3, -1)


def unite(members: list[Committee]) -> Committee:
    """One committee of all `members`, which must have been fitted to the same frames."""
    first = members[0]
    for other in members[1:]:
        if not np.array_equal(other.centre, first.centre) or other.energy_zero != first.energy_zero:
            raise ValueError("the members were fitted to different training sets; train them all on one")
    return Committee(
        first.orders,
        first.centre,
        first.spread,
        tuple(seed for member in members for seed in member.seeds),
        np.concatenate([member.frequencies for member in members]),
        np.concatenate([member.phases for member in members]),
        np.concatenate([member.weights for member in members]),
        first.energy_zero,
    )


def committee_to_arrays(committee: Committee) -> dict[str, Any]:
    """The arrays that make up a committee; frequencies and phases follow from the seeds and are left out."""
    return {
        "orders": np.array(committee.orders, dtype=np.int64),
        "centre": committee.centre,
        "spread": committee.spread,
        "seeds": np.array(committee.seeds, dtype=np.int64),
        "weights": committee.weights,
        "energy_zero": np.array(committee.energy_zero),
    }


def committee_from_arrays(arrays: Mapping[str, Any]) -> Committee:
    """The inverse of `committee_to_arrays`; nested lists, as JSON gives them, will do for arrays."""
    centre, weights = np.asarray(arrays["centre"]), np.asarray(arrays["weights"])
    seeds = tuple(int(seed) for seed in arrays["seeds"])
    drawn = [random_features(seed, len(centre), weights.shape[1] - len(centre) - 1) for seed in seeds]
    return Committee(
        tuple(tuple(int(atom) for atom in order) for order in arrays["orders"]),
        centre,
        np.asarray(arrays["spread"]),
        seeds,
        np.stack([frequencies for frequencies, _ in drawn]),
        np.stack([phases for _, phases in drawn]),
        weights,
        float(arrays["energy_zero"]),
    )


def save_committee(path: Path | str, committee: Committee) -> None:
    """Write a committee as .npz."""
    with Path(path).open("wb") as out:  # a handle, because np.savez would add ".npz" to another name
        np.savez(out, allow_pickle=False, **committee_to_arrays(committee))


def load_committee(path: Path | str) -> Committee:
    """Read what `save_committee` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return committee_from_arrays({name: stored[name] for name in stored.files})


def rmse(predicted: Array, wanted: Array) -> float:
    """Root mean square difference over all entries."""
    return float(np.sqrt(np.mean((predicted - wanted) ** 2)))
