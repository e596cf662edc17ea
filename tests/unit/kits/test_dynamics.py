from __future__ import annotations

import json
import subprocess
from typing import Any

import numpy as np
import pytest

from tests.unit.kits.leaves import SCIENCE_PYTHON

MASSES = np.array([1.008, 12.011, 15.999])
SPRING = 5.0  # eV/angstrom^2
START = np.array([[0.1, 0.0, 0.0], [0.0, -0.05, 0.02], [0.0, 0.0, 0.08]])


def run(steps: int, *, friction: float, temperature: float = 300.0, every: int = 1, seed: int = 1, **given: Any) -> Any:
    from concurrent_learning.dynamics import langevin

    seen: list[Any] = []

    def look(x: Any) -> bool:
        seen.append(x.copy())
        return True

    langevin(
        given.pop("force", lambda x: -SPRING * x),
        START,
        MASSES,
        temperature_k=temperature,
        timestep_fs=0.5,
        friction_per_fs=friction,
        steps=steps,
        every=every,
        rng=np.random.default_rng(seed),
        go_on=given.pop("go_on", look),
        **given,
    )
    return np.array(seen)


def test_the_thermostat_gives_each_degree_of_freedom_half_a_kt() -> None:
    from concurrent_learning.constants import BOLTZMANN_EV_PER_K

    positions = run(40_000, friction=0.02, every=4)[1000:]
    mean = 0.5 * SPRING * (positions**2).mean()
    assert mean == pytest.approx(0.5 * BOLTZMANN_EV_PER_K * 300.0, rel=0.10)


def test_without_friction_an_oscillator_keeps_its_amplitude() -> None:
    positions = run(20_000, friction=0.0, velocities=np.zeros((3, 3)))
    amplitude = np.abs(positions[-2000:, 0, 0]).max()
    assert amplitude == pytest.approx(0.1, rel=0.01)


def test_the_same_seed_gives_the_same_trajectory_and_another_one_another() -> None:
    assert np.array_equal(run(50, friction=0.02), run(50, friction=0.02))
    assert not np.array_equal(run(50, friction=0.02), run(50, friction=0.02, seed=2))


def test_a_refused_frame_ends_the_trajectory() -> None:
    looks: list[int] = []

    def refuse_the_third(_x: Any) -> bool:
        looks.append(1)
        return len(looks) < 3

    run(1000, friction=0.02, every=10, go_on=refuse_the_third)
    assert len(looks) == 3


@pytest.mark.needs("science")
def test_without_friction_it_is_ases_velocity_verlet() -> None:
    program = f"""
import json, numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.verlet import VelocityVerlet
class Spring(Calculator):
    implemented_properties = ["energy", "forces"]
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions
        self.results = {{"energy": float(0.5 * {SPRING} * (x ** 2).sum()), "forces": -{SPRING} * x}}
atoms = Atoms("HCO", positions={START.tolist()})
atoms.set_masses({MASSES.tolist()})
atoms.calc = Spring()
VelocityVerlet(atoms, 0.5 * units.fs).run(200)
print(json.dumps(atoms.positions.tolist()))
"""
    done = subprocess.run([str(SCIENCE_PYTHON), "-c", program], capture_output=True, text=True, check=True)
    ours = run(200, friction=0.0, velocities=np.zeros((3, 3)))[-1]
    assert np.allclose(ours, json.loads(done.stdout), atol=1e-6)
