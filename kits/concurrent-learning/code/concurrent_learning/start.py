"""Start structures: frames of a short GFN2-xTB trajectory from the molecule's given geometry.

Decides nothing about quality: cheap physics good enough to leave the minimum. Labels come later, from DFT.
Source: Bannwarth, Ehlert and Grimme, J. Chem. Theory Comput. 15 (2019) 1652 (GFN2-xTB).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from tblite.ase import TBLite

from concurrent_learning.frames import Frames

TIMESTEP_FS = 0.5
FRICTION_PER_FS = 0.02


def start_frames(
    molecule: Frames, *, temperature_k: float, warm_up: int, count: int, every: int, seed: tuple[int, ...]
) -> Frames:
    """`count` frames, one each `every` steps of 0.5 fs, after `warm_up` steps that are thrown away."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(symbols=list(molecule.symbols), positions=molecule.positions[0])
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature_k, rng=rng)
    # ASE's default removes the centre of mass's motion in a way that heats a molecule of six atoms to almost twice the
    # temperature asked for; without it the molecule drifts, which its internal coordinates do not see.
    dynamics = Langevin(
        atoms,
        TIMESTEP_FS * units.fs,
        temperature_K=temperature_k,
        friction=FRICTION_PER_FS / units.fs,
        rng=rng,
        fixcm=False,
    )
    if warm_up:
        dynamics.run(warm_up)
    positions = []
    for _ in range(count):
        dynamics.run(every)
        positions.append(atoms.positions.copy())
    return Frames(symbols=molecule.symbols, positions=np.array(positions))
