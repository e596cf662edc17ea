"""Sets of frames of one molecule, and the extended XYZ files in which steps hand them on.

Decides the file layout: one block per frame; the comment line carries `Properties=`, `pbc=` and any number of
`key=value` scalars; columns are species, positions and, once labelled, forces. Numbers are written so that reading
them back gives the same bits: a label must not change by passing through one more step.
Only what the kit writes, and what ASE writes for an isolated molecule, is read; anything else is a clear error.
Source: the extended XYZ format as ASE's `ase.io.extxyz` documents it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class FramesError(ValueError):
    """A frames file cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Frames:
    """`n` frames of the same molecule; arrays are indexed [frame][atom][xyz].

    `forces` and ``info["energy"]`` are present only on labelled frames. `info` holds one scalar per frame and key.
    """

    symbols: tuple[str, ...]
    positions: Array
    forces: Array | None = None
    info: dict[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def energies(self) -> Array:
        """Energies in eV, [frame].

        Raises:
            FramesError: the frames carry no energies.
        """
        if "energy" not in self.info:
            raise FramesError("these frames carry no energy; run the label step on them first")
        return self.info["energy"]

    def labelled_forces(self) -> Array:
        """Forces in eV/angstrom, [frame][atom][xyz]; an error when the frames are not labelled."""
        if self.forces is None:
            raise FramesError("these frames carry no forces; run the label step on them first")
        return self.forces

    def take(self, index: Sequence[int] | slice | NDArray[np.intp]) -> Frames:
        """The frames at `index`, in that order."""
        picked = np.arange(len(self))[index]
        return Frames(
            symbols=self.symbols,
            positions=self.positions[picked],
            forces=None if self.forces is None else self.forces[picked],
            info={key: values[picked] for key, values in self.info.items()},
        )


def concatenate(sets: Iterable[Frames]) -> Frames:
    """All frames of `sets` in order; keys and forces are kept when every set has them.

    Raises:
        FramesError: no set at all, or sets of different molecules.
    """
    parts = list(sets)
    if not parts:
        raise FramesError("nothing to put together: no set of frames was given")
    symbols = parts[0].symbols
    for part in parts[1:]:
        if part.symbols != symbols:
            raise FramesError(f"cannot put frames of {''.join(part.symbols)} after frames of {''.join(symbols)}")
    keys = [key for key in parts[0].info if all(key in part.info for part in parts)]
    forces = [part.forces for part in parts if part.forces is not None]
    return Frames(
        symbols=symbols,
        positions=np.concatenate([part.positions for part in parts]),
        forces=np.concatenate(forces) if len(forces) == len(parts) else None,
        info={key: np.concatenate([part.info[key] for part in parts]) for key in keys},
    )


def write_frames(path: Path | str, frames: Frames) -> None:
    """Write `frames` as extended XYZ; floats round-trip exactly."""
    columns = "species:S:1:pos:R:3" + (":forces:R:3" if frames.forces is not None else "")
    lines: list[str] = []
    for k in range(len(frames)):
        scalars = " ".join(f"{key}={float(values[k])!r}" for key, values in sorted(frames.info.items()))
        lines.append(str(len(frames.symbols)))
        lines.append(f'Properties={columns} {scalars} pbc="F F F"'.replace("  ", " "))
        for atom, symbol in enumerate(frames.symbols):
            row = [*frames.positions[k, atom]]
            if frames.forces is not None:
                row += [*frames.forces[k, atom]]
            lines.append(" ".join([symbol, *(repr(float(value)) for value in row)]))
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_frames(path: Path | str) -> Frames:
    """Read an extended XYZ file whose frames are all of one molecule.

    Raises:
        FramesError: with the file and line of what is wrong.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    blocks: list[Frames] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        try:
            atoms = int(lines[at])
        except ValueError:
            raise FramesError(f"{path}:{at + 1}: expected a number of atoms, found {lines[at]!r}") from None
        if atoms < 1 or at + 2 + atoms > len(lines):
            raise FramesError(
                f"{path}:{at + 1}: a frame of {atoms} atoms does not fit in the {len(lines)} lines there are"
            )
        blocks.append(_one_frame(path, at, lines[at + 1], lines[at + 2 : at + 2 + atoms]))
        at += 2 + atoms
    if not blocks:
        raise FramesError(f"{path}: holds no frame")
    return concatenate(blocks)


def _one_frame(path: Path | str, at: int, comment: str, rows: list[str]) -> Frames:
    """One block: its comment line is line `at + 2` of the file, its first atom line `at + 3`."""
    pairs = dict(part.split("=", 1) for part in shlex.split(comment) if "=" in part)
    layout = pairs.pop("Properties", "species:S:1:pos:R:3").split(":")
    columns: dict[str, slice] = {}
    start = 0
    for name, width in zip(layout[0::3], layout[2::3], strict=True):
        columns[name] = slice(start, start + int(width))
        start += int(width)
    if "species" not in columns or "pos" not in columns:
        raise FramesError(f"{path}:{at + 2}: Properties names {sorted(columns)}, and species and pos are needed")
    cells = [row.split() for row in rows]
    for offset, row in enumerate(cells):
        if len(row) != start:
            raise FramesError(f"{path}:{at + 3 + offset}: expected {start} columns, found {len(row)}")
    info: dict[str, Array] = {}
    for key, text in pairs.items():
        try:
            info[key] = np.array([float(text)])
        except ValueError:
            continue  # pbc, Lattice and other text: of no use to an isolated molecule
    try:
        positions = np.array([[float(cell) for cell in row[columns["pos"]]] for row in cells])
        forces = None
        if "forces" in columns:
            forces = np.array([[float(cell) for cell in row[columns["forces"]]] for row in cells])[None]
    except ValueError as bad:
        raise FramesError(f"{path}:{at + 3}: {bad}") from None
    symbols = tuple(row[columns["species"]][0] for row in cells)
    return Frames(symbols=symbols, positions=positions[None], forces=forces, info=info)
