from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.kits.builders import METHANOL, REST, make_committee, make_frames

METHYL_SWAP = [0, 1, 4, 3, 2, 5]  # two hydrogens of the methyl group change places


def test_methanol_has_the_six_orders_of_its_methyl_hydrogens() -> None:
    from concurrent_learning.model import equivalent_orders

    orders = equivalent_orders(METHANOL, REST)
    assert orders[0] == (0, 1, 2, 3, 4, 5)
    assert len(set(orders)) == 6
    assert all(order[3] == 3 for order in orders)  # the hydroxyl's hydrogen stays where it is


def test_a_molecule_with_too_many_equivalent_orders_is_refused() -> None:
    from concurrent_learning.model import equivalent_orders

    symbols = ("C", "C", *["H"] * 6)
    positions = np.array(
        [[0.0, 0, 0], [1.5, 0, 0], *[[-0.3, k, 1] for k in range(3)], *[[1.8, k, 1] for k in range(3)]]
    )
    with pytest.raises(ValueError, match="36 equivalent orders of its hydrogens; at most 24"):
        equivalent_orders(symbols, positions)


def test_forces_are_minus_the_gradient_of_the_energy() -> None:
    committee = make_committee(members=2)
    x = make_frames(1, seed=9).positions[0]
    forces = committee.predict(x[None])[1][:, 0]
    h = 1e-5
    for atom in range(len(x)):
        for axis in range(3):
            up, down = x.copy(), x.copy()
            up[atom, axis] += h
            down[atom, axis] -= h
            slope = (committee.predict(up[None])[0] - committee.predict(down[None])[0])[:, 0] / (2 * h)
            assert np.allclose(forces[:, atom, axis], -slope, atol=1e-6)


def test_moving_turning_and_exchanging_equal_hydrogens_changes_no_energy() -> None:
    committee = make_committee(members=2)
    x = make_frames(1, seed=9).positions[0]
    energy, forces = committee.predict(x[None])
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    moved = committee.predict((x @ turn + 5.0)[None])
    assert np.allclose(moved[0], energy, atol=1e-9)
    assert np.allclose(moved[1][:, 0], forces[:, 0] @ turn, atol=1e-9)
    swapped = committee.predict(x[METHYL_SWAP][None])
    assert np.allclose(swapped[0], energy, atol=1e-9)
    assert np.allclose(swapped[1][:, 0], forces[:, 0][:, METHYL_SWAP], atol=1e-9)


def test_more_labels_make_the_error_on_unseen_frames_smaller() -> None:
    from concurrent_learning.model import rmse

    unseen = make_frames(20, seed=77)
    errors = [
        rmse(make_committee(count, seed=5).mean_forces(unseen.positions), unseen.labelled_forces()) for count in (4, 40)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_members_disagree_more_far_from_the_training_frames() -> None:
    from concurrent_learning.model import force_deviation

    committee = make_committee(12, spread=0.03)
    near = force_deviation(committee.predict(make_frames(10, seed=2, spread=0.03).positions)[1])
    far = force_deviation(committee.predict(make_frames(10, seed=2, spread=0.15).positions)[1])
    assert np.median(far) > 3 * np.median(near)


def test_the_deviation_is_the_largest_spread_over_the_atoms() -> None:
    from concurrent_learning.model import force_deviation

    forces = np.zeros((2, 1, 3, 3))
    forces[0, 0, 1] = [3.0, 0.0, 4.0]
    forces[1, 0, 1] = [-3.0, 0.0, -4.0]
    assert force_deviation(forces) == pytest.approx([5.0])


def test_a_stored_committee_predicts_the_same_bits(tmp_path: Path) -> None:
    from concurrent_learning.model import load_committee, save_committee

    committee = make_committee()
    save_committee(tmp_path / "committee", committee)
    back = load_committee(tmp_path / "committee")
    x = make_frames(3, seed=4).positions
    assert np.array_equal(back.predict(x)[1], committee.predict(x)[1])
    assert back.seeds == committee.seeds


def test_members_of_different_training_sets_make_no_committee() -> None:
    from concurrent_learning.model import train_member, unite

    with pytest.raises(ValueError, match="different training sets"):
        unite([train_member(make_frames(5), 0), train_member(make_frames(6), 1)])
