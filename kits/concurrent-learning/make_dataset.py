"""Write the kit's input dataset: methanol's geometry from ASE's G2 collection, as extended XYZ.

Run with the science environment: ``python make_dataset.py FOLDER``, then
``fubini data upload FOLDER --name methanol``. The folder gets `methanol.extxyz` and a note on where it comes from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "code"))

from ase.collections import g2
from concurrent_learning.frames import Frames, write_frames

NOTE = """Methanol (CH3OH), one frame in angstrom.
Taken from ase.collections.g2 of the Atomic Simulation Environment (LGPL-2.1-or-later), which holds the MP2(full)/6-31G*
geometries of the G2 set: Curtiss, Raghavachari, Redfern and Pople, J. Chem. Phys. 106 (1997) 1063.
"""


def write_dataset(folder: Path) -> Path:
    """Write the dataset's files into `folder` and return the geometry's path."""
    folder.mkdir(parents=True, exist_ok=True)
    atoms = g2["CH3OH"]
    path = folder / "methanol.extxyz"
    write_frames(path, Frames(symbols=tuple(atoms.get_chemical_symbols()), positions=atoms.positions[None]))
    (folder / "SOURCE.txt").write_text(NOTE, encoding="utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    print(write_dataset(parser.parse_args().folder))
