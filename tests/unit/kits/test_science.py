"""The science with its real packages: every stage against an independent way to the same number, then the whole run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fubini.runs.engine import NodePhase
from tests.unit.kits.leaves import KIT, SCIENCE_PYTHON
from tests.unit.kits.run_locally import make_data, run_manifest

pytestmark = pytest.mark.needs("science")

ENV = {
    "PYTHONPATH": str(KIT / "code"),
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
}


def science(*argv: object) -> str:
    done = subprocess.run([str(SCIENCE_PYTHON), *map(str, argv)], env=ENV, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_dataset_is_methanol_with_its_source(tmp_path: Path) -> None:
    from concurrent_learning.frames import read_frames

    folder = make_data(tmp_path / "methanol")
    frame = read_frames(folder / "methanol.extxyz")
    assert sorted(frame.symbols) == ["C", "H", "H", "H", "H", "O"]
    assert np.linalg.norm(frame.positions[0, 0] - frame.positions[0, 1]) == pytest.approx(1.42, abs=0.01)
    assert "ase.collections.g2" in (folder / "SOURCE.txt").read_text()


def test_start_structures_have_the_temperature_asked_for(tmp_path: Path) -> None:
    """Twelve vibrations share 6 kT of potential energy; a thermostat that heats the molecule shows here at once."""
    data = make_data(tmp_path / "data")
    out = tmp_path / "frames.extxyz"
    argv = ["--molecule", data / "methanol.extxyz", "--warm-up", 300, "--count", 150, "--every", 20, "--seed", 5]
    science("-m", "concurrent_learning", "start", *argv, "--stream", 1, "--out", out)
    program = """
import json, sys
from ase.io import read
from ase.optimize import BFGS
from tblite.ase import TBLite
def energy(a):
    a.calc = TBLite(method="GFN2-xTB", verbosity=0)
    return a.get_potential_energy()
rest = read(sys.argv[2])
energy(rest)
BFGS(rest, logfile=None).run(fmax=0.01)
low = rest.get_potential_energy()
print(json.dumps([energy(a) - low for a in read(sys.argv[1], ":")]))
"""
    energies = json.loads(science("-c", program, out, data / "methanol.extxyz"))
    temperature = np.mean(energies) / (6 * 8.617e-5)
    assert 220 < temperature < 400


def test_labels_are_what_pyscf_gives_by_its_usual_door(tmp_path: Path) -> None:
    from concurrent_learning.frames import read_frames, write_frames

    from tests.unit.kits.builders import make_frames

    write_frames(tmp_path / "frames.extxyz", make_frames(3, spread=0.03, labelled=False))
    argv = ["--frames", tmp_path / "frames.extxyz", "--part", 1, "--out", tmp_path / "labels.extxyz"]
    science("-m", "concurrent_learning", "label", *argv)
    labelled = read_frames(tmp_path / "labels.extxyz")
    assert len(labelled) == 1  # the second part of three frames
    program = """
import json, sys
from ase.io import read
from ase.units import Bohr, Hartree
from pyscf import dft, gto
a = read(sys.argv[1], "2")
field = dft.RKS(gto.M(atom=list(zip(a.symbols, a.positions)), basis="def2-svp", verbose=0), xc="pbe").density_fit()
field.grids.level = 1
energy = field.kernel()
print(json.dumps([energy * Hartree, (-field.nuc_grad_method().kernel() * Hartree / Bohr).tolist()]))
"""
    energy, forces = json.loads(science("-c", program, tmp_path / "frames.extxyz"))
    assert labelled.energies[0] == pytest.approx(energy, abs=1e-4)
    assert np.allclose(labelled.labelled_forces()[0], forces, atol=1e-3)


def test_the_whole_pipeline_learns_as_promised(tmp_path: Path) -> None:
    from results import figures, shortfalls

    data = make_data(tmp_path / "data")
    run = run_manifest(KIT / "pipeline.yaml", tmp_path / "run", data, parameters={})
    assert run.phase is NodePhase.SUCCEEDED, run.message
    assert shortfalls(figures(run.parameters), len(run.steps)) == []
    result = json.loads(run.artifacts["result"].read_text())
    assert result["labels"] == result["rows"][-1]["labels"]
    assert result["reporting_frames"] == 8
    assert run.artifacts["plot"].read_bytes().startswith(b"\x89PNG")
    assert "Concurrent learning of CH4O" in run.artifacts["report"].read_text()
