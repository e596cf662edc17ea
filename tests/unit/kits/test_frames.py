from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.unit.kits.builders import make_frames
from tests.unit.kits.leaves import SCIENCE_PYTHON


def test_labelled_frames_come_back_with_the_same_bits(tmp_path: Path) -> None:
    from concurrent_learning.frames import read_frames, write_frames

    frames = make_frames(5)
    write_frames(tmp_path / "a.extxyz", frames)
    back = read_frames(tmp_path / "a.extxyz")
    assert back.symbols == frames.symbols
    assert np.array_equal(back.positions, frames.positions)
    assert np.array_equal(back.labelled_forces(), frames.labelled_forces())
    assert np.array_equal(back.energies, frames.energies)


def test_frames_without_labels_say_that_they_have_none(tmp_path: Path) -> None:
    from concurrent_learning.frames import FramesError, read_frames, write_frames

    write_frames(tmp_path / "a.extxyz", make_frames(2, labelled=False))
    back = read_frames(tmp_path / "a.extxyz")
    with pytest.raises(FramesError, match="no energy"):
        _ = back.energies
    with pytest.raises(FramesError, match="no forces"):
        back.labelled_forces()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("", "holds no frame", id="an empty file"),
        pytest.param("two\n", ":1: expected a number of atoms", id="no number of atoms"),
        pytest.param("3\n\nH 0 0 0\n", ":1: a frame of 3 atoms does not fit", id="a frame cut short"),
        pytest.param("1\n\nH 0 0\n", ":3: expected 4 columns, found 3", id="a missing column"),
        pytest.param("1\n\nH 0 0 x\n", ":3: could not convert", id="text for a number"),
        pytest.param("1\nProperties=pos:R:3\n0 0 0\n", ":2: Properties names", id="no species"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, want: str) -> None:
    from concurrent_learning.frames import FramesError, read_frames

    path = tmp_path / "broken.extxyz"
    path.write_text(text)
    with pytest.raises(FramesError, match=want):
        read_frames(path)


def test_frames_of_two_molecules_are_not_put_together() -> None:
    from concurrent_learning.frames import Frames, FramesError, concatenate

    other = Frames(symbols=("H", "H"), positions=np.zeros((1, 2, 3)))
    with pytest.raises(FramesError, match="cannot put frames of HH after frames of COHHHH"):
        concatenate([make_frames(1), other])


def test_what_only_some_sets_carry_is_dropped_when_they_are_put_together() -> None:
    from concurrent_learning.frames import concatenate

    merged = concatenate([make_frames(2), make_frames(1, labelled=False)])
    assert len(merged) == 3
    assert merged.forces is None
    assert merged.info == {}


@pytest.mark.needs("science")
def test_ase_reads_the_same_energies_and_forces(tmp_path: Path) -> None:
    from concurrent_learning.frames import write_frames

    frames = make_frames(3)
    write_frames(tmp_path / "a.extxyz", frames)
    program = (
        "import json, sys; from ase.io import read; frames = read(sys.argv[1], ':');"
        "print(json.dumps([[a.get_potential_energy(), a.get_forces().tolist(), a.positions.tolist()] for a in frames]))"
    )
    done = subprocess.run(
        [str(SCIENCE_PYTHON), "-c", program, str(tmp_path / "a.extxyz")], capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert [row[0] for row in seen] == frames.energies.tolist()
    assert np.allclose([row[1] for row in seen], frames.labelled_forces(), atol=1e-12)
    assert np.allclose([row[2] for row in seen], frames.positions, atol=1e-12)
