"""Labels: energy and forces of each frame from density functional theory, by PySCF.

Decides the level of theory: PBE, density fitting, PySCF's coarse integration grid (level 1), one thread; the basis is
the caller's. A frame whose self-consistent field does not converge is left out, never labelled with what it had.
"""

from __future__ import annotations

import sys

import numpy as np

# `pyscf.grad` tries to import the gradients of every method PySCF has and goes on without those it cannot have.
# Only Kohn-Sham gradients are wanted here; refusing the first of the others halves the import's time.
sys.modules.setdefault("pyscf.grad.casci", None)  # type: ignore[arg-type]

from pyscf import gto, lib  # noqa: E402
from pyscf.df.df_jk import density_fit  # noqa: E402
from pyscf.df.grad.rks import Gradients  # noqa: E402
from pyscf.dft.rks import RKS  # noqa: E402

from concurrent_learning.constants import BOHR_ANGSTROM, HARTREE_EV  # noqa: E402
from concurrent_learning.frames import Frames  # noqa: E402

FUNCTIONAL = "pbe"
GRID_LEVEL = 1


def label_frames(frames: Frames, basis: str) -> Frames:
    """The frames of `frames` that converge, with ``energy`` (eV) and forces (eV/angstrom).

    Raises:
        ValueError: not one of the frames converged.
    """
    lib.num_threads(1)
    kept, energies, forces = [], [], []
    density = None
    for k, positions in enumerate(frames.positions):
        molecule = gto.M(atom=list(zip(frames.symbols, positions.tolist(), strict=True)), basis=basis, verbose=0)
        field = density_fit(RKS(molecule, xc=FUNCTIONAL))
        field.grids.level = GRID_LEVEL
        field.with_x2c = None  # asking for it when it is absent makes PySCF import all of itself
        energy = field.kernel(dm0=density)
        if not field.converged:
            print(f"frame {k}: the self-consistent field did not converge; the frame is left out")
            density = None
            continue
        density = field.make_rdm1()  # frames of one step resemble each other: a good guess for the next
        gradient = Gradients(field).kernel()
        kept.append(k)
        energies.append(float(energy) * HARTREE_EV)
        forces.append(-np.asarray(gradient) * HARTREE_EV / BOHR_ANGSTROM)
        print(f"frame {k}: {energies[-1]:.6f} eV, largest force {np.abs(forces[-1]).max():.3f} eV/angstrom")
    if not kept:
        raise ValueError(f"none of the {len(frames)} frames converged; their geometries are too far from bound")
    picked = frames.take(np.array(kept, dtype=np.intp))
    return Frames(
        symbols=picked.symbols,
        positions=picked.positions,
        forces=np.array(forces),
        info={**picked.info, "energy": np.array(energies)},
    )
