from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.kits.builders import make_committee, make_frames


def seen_with(deviations: list[float]) -> Any:
    from concurrent_learning.frames import Frames

    frames = make_frames(len(deviations), seed=31, labelled=False)
    return Frames(symbols=frames.symbols, positions=frames.positions, info={"deviation": np.array(deviations)})


def explore_with(highest: float, temperature: float = 300.0, steps: int = 200) -> Any:
    from concurrent_learning.explore import explore

    return explore(
        make_committee(12),
        make_frames(12),
        temperature_k=temperature,
        steps=steps,
        every=5,
        highest_deviation=highest,
        seed=(1, 0, 300),
    )


def test_only_frames_within_the_window_are_chosen() -> None:
    from concurrent_learning.explore import select

    deviations = [0.01, 0.04] * 5 + [0.2, 0.3, 0.4, 0.5, 0.6] + [3.0] * 5
    chosen = select(seen_with(deviations), make_frames(4), count=4, low=0.05, high=2.0)
    assert len(chosen.frames) == 4
    assert ((chosen.frames.info["deviation"] > 0.05) & (chosen.frames.info["deviation"] < 2.0)).all()
    assert (chosen.seen, chosen.accurate, chosen.candidates) == (20, 10, 5)


def test_too_few_candidates_are_made_up_with_the_least_known_frames() -> None:
    from concurrent_learning.explore import select

    chosen = select(seen_with([0.01, 0.02, 0.03, 0.04, 0.3]), make_frames(4), count=3, low=0.05, high=2.0)
    assert sorted(chosen.frames.info["deviation"]) == [0.03, 0.04, 0.3]


def test_no_frame_is_chosen_twice() -> None:
    from concurrent_learning.explore import select

    chosen = select(seen_with([0.5] * 12), make_frames(4), count=12, low=0.05, high=2.0)
    assert len({frame.tobytes() for frame in chosen.frames.positions}) == 12


def test_too_few_physical_frames_are_an_error_that_says_what_to_change() -> None:
    from concurrent_learning.explore import select
    from concurrent_learning.frames import FramesError

    with pytest.raises(FramesError, match="saw 2 frames below a deviation of 2 eV/angstrom and 3 are wanted"):
        select(seen_with([0.5, 0.6, 2.0, 9.0]), make_frames(4), count=3, low=0.05, high=2.0)


def test_exploration_sees_one_frame_for_each_look_while_the_committee_agrees() -> None:
    frames = explore_with(1e6)
    assert len(frames) == 40
    assert (frames.info["deviation"] >= 0).all()


def test_exploration_begins_again_where_the_committee_lost_its_way() -> None:
    whole = explore_with(1e6, temperature=2000.0)
    limit = float(np.median(whole.info["deviation"]))
    again = explore_with(limit, temperature=2000.0)
    assert (again.info["deviation"] < limit).all()
    crossed = int(np.argmax(whole.info["deviation"] >= limit))  # where the first trajectory was given up
    assert np.array_equal(again.positions[:crossed], whole.positions[:crossed])
    assert crossed < len(again) < 40


def test_exploration_that_agrees_nowhere_is_an_error() -> None:
    from concurrent_learning.frames import FramesError

    with pytest.raises(FramesError, match="no trajectory at 300 K stayed below"):
        explore_with(1e-12)
