from __future__ import annotations

import pytest

GOOD = {"rmse-first": "0.2", "rmse-last": "0.035", "labels": "48", "iterations": "4"}


def test_figures_are_read_from_the_runs_global_parameters() -> None:
    from results import figures

    assert figures(GOOD) == {"rmse_first": 0.2, "rmse_last": 0.035, "labels": 48}


def test_a_missing_parameter_is_named_beside_those_there_are() -> None:
    from results import figures

    with pytest.raises(ValueError, match="no output parameter 'rmse-last'; it has: labels, rmse-first"):
        figures({"rmse-first": "0.2", "labels": "48"})


@pytest.mark.parametrize(
    ("change", "steps", "want"),
    [
        pytest.param({}, 73, "", id="a good run breaks no promise"),
        pytest.param({"rmse-last": "0.061"}, 73, "above 0.06 eV", id="an error too large"),
        pytest.param({"rmse-first": "0.05"}, 73, "0.70 of the first", id="too little learned"),
        pytest.param({"rmse-last": "nan"}, 73, "nan", id="an error that is no number"),
        pytest.param({"labels": "24"}, 73, "24 training frames", id="too few labels"),
        pytest.param({"labels": "50"}, 73, "50 training frames", id="too many labels"),
        pytest.param({}, 39, "39 steps", id="too few steps"),
    ],
)
def test_broken_promises_are_said_in_a_sentence(change: dict[str, str], steps: int, want: str) -> None:
    from results import figures, shortfalls

    found = shortfalls(figures({**GOOD, **change}), steps)
    assert bool(found) == bool(want)
    assert want in " ".join(found)
