"""Langevin dynamics of one molecule under a given force function, in NumPy alone.

Decides the integrator: the BAOAB splitting (half kick, half drift, thermostat, half drift, half kick), whose
configurations are sampled well at large time steps and which is velocity Verlet when the friction is zero.
Source: Leimkuhler and Matthews, Applied Mathematics Research eXpress 2013 (1), 34-56.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from concurrent_learning.constants import ACCELERATION, BOLTZMANN_EV_PER_K
from concurrent_learning.frames import Array


def thermal_velocities(masses: Array, temperature_k: float, rng: np.random.Generator) -> Array:
    """Maxwell-Boltzmann velocities, [atom][xyz], angstrom/fs."""
    spread = np.sqrt(BOLTZMANN_EV_PER_K * temperature_k * ACCELERATION / masses)
    return np.asarray(rng.normal(size=(len(masses), 3)) * spread[:, None])


def langevin(
    force: Callable[[Array], Array],
    positions: Array,
    masses: Array,
    *,
    temperature_k: float,
    timestep_fs: float,
    friction_per_fs: float,
    steps: int,
    every: int,
    rng: np.random.Generator,
    go_on: Callable[[Array], bool],
    velocities: Array | None = None,
) -> None:
    """Run `steps` steps, showing the positions to `go_on` after each `every` of them; it ends the run by False.

    `force` maps positions [atom][xyz] to forces in eV/angstrom. Velocities are drawn at `temperature_k` unless given.
    """
    x = positions.copy()
    v = thermal_velocities(masses, temperature_k, rng) if velocities is None else velocities.copy()
    per_mass = ACCELERATION / masses[:, None]
    keep = np.exp(-friction_per_fs * timestep_fs)
    noise = np.sqrt((1.0 - keep * keep) * BOLTZMANN_EV_PER_K * temperature_k * per_mass)
    f = force(x)
    for step in range(1, steps + 1):
        v += 0.5 * timestep_fs * per_mass * f
        x += 0.5 * timestep_fs * v
        v = keep * v + noise * rng.normal(size=v.shape)
        x += 0.5 * timestep_fs * v
        f = force(x)
        v += 0.5 * timestep_fs * per_mass * f
        if step % every == 0 and not go_on(x):
            return
