"""The steps' command line: what evaluate decides, what a step says when it cannot do its work, where figures come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.kits.builders import make_frames


def call(*arguments: object) -> int:
    from concurrent_learning.__main__ import main

    return main([str(argument) for argument in arguments])


def write(path: Path, frames: Any) -> Path:
    from concurrent_learning.frames import write_frames

    write_frames(path, frames)
    return path


def evaluate(folder: Path, *, iteration: int, threshold: float, floor: int = 0, cap: int = 3) -> dict[str, str]:
    """Train two members, evaluate them, and return the numbers written."""
    training = write(folder / "training.extxyz", make_frames(12))
    stopping = write(folder / "stopping.extxyz", make_frames(4, seed=8))
    history = folder / "history.json"
    if not history.exists():
        history.write_text("[]")
    members = []
    for member in range(2):
        members.append(folder / f"member-{member}.npz")
        assert call("train", "--training", training, "--seed", 1, "--member", member, "--out", members[-1]) == 0
    code = call(
        "evaluate", "--members", *members, "--held-out", stopping, "--history", history, "--iteration", iteration,
        "--labels", 12, "--threshold", threshold, "--floor", floor, "--cap", cap,
        "--committee-out", folder / "committee.npz", "--history-out", history, "--numbers", folder / "numbers",
    )  # fmt: skip
    assert code == 0
    return {path.name: path.read_text() for path in (folder / "numbers").iterdir()}


@pytest.mark.parametrize(
    ("iteration", "threshold", "floor", "want"),
    [
        pytest.param(0, 1e-9, 0, "true", id="an error above the threshold asks for another round"),
        pytest.param(0, 1e9, 0, "false", id="an error below the threshold ends the run"),
        pytest.param(1, 1e9, 2, "true", id="not before the floor on rounds"),
        pytest.param(2, 1e9, 2, "false", id="but from the floor on"),
        pytest.param(3, 1e-9, 2, "false", id="and never beyond the cap"),
    ],
)
def test_the_stopping_half_decides(tmp_path: Path, iteration: int, threshold: float, floor: int, want: str) -> None:
    numbers = evaluate(tmp_path, iteration=iteration, threshold=threshold, floor=floor)
    assert numbers["go-on"] == want
    assert numbers["next-iteration"] == str(iteration + 1)
    assert float(numbers["rmse-stopping"]) > 0


def test_every_iteration_is_judged_on_the_reporting_half(tmp_path: Path) -> None:
    evaluate(tmp_path, iteration=0, threshold=1e-9)
    evaluate(tmp_path, iteration=1, threshold=1e-9)
    reporting = write(tmp_path / "reporting.extxyz", make_frames(5, seed=9))
    code = call(
        "validate", "--history", tmp_path / "history.json", "--reporting", reporting, "--threshold", 0.04,
        "--out", tmp_path / "result.json", "--parity-out", tmp_path / "parity.npz", "--numbers", tmp_path / "final",
    )  # fmt: skip
    assert code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["iteration"] for row in result["rows"]] == [0, 1]
    assert result["molecule"] == "CH4O"
    assert result["reporting_frames"] == 5
    assert result["rmse_first"] == result["rows"][0]["rmse_reporting"]
    assert result["rmse_last"] == result["rows"][1]["rmse_reporting"]
    assert result["rmse_last"] != result["rows"][1]["rmse_stopping"]
    assert float((tmp_path / "final" / "rmse-last").read_text()) == pytest.approx(result["rmse_last"], abs=1e-6)


def test_a_history_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history.json").write_text('{"rows": 1}')
    reporting = write(tmp_path / "reporting.extxyz", make_frames(2))
    code = call(
        "validate", "--history", tmp_path / "history.json", "--reporting", reporting, "--threshold", 0.04,
        "--out", tmp_path / "result.json", "--parity-out", tmp_path / "p.npz", "--numbers", tmp_path / "numbers",
    )  # fmt: skip
    assert code == 1
    assert "not a history written by the evaluate step" in capsys.readouterr().err


def test_merging_puts_the_earlier_training_set_first(tmp_path: Path) -> None:
    from concurrent_learning.frames import read_frames

    first, second = make_frames(2, seed=1), make_frames(3, seed=2)
    parts = [write(tmp_path / "p0.extxyz", second.take(slice(0, 2))), write(tmp_path / "p1.extxyz", second.take([2]))]
    previous, out = write(tmp_path / "previous.extxyz", first), tmp_path / "out.extxyz"
    code = call("merge", "--previous", previous, "--parts", *parts, "--out", out, "--numbers", tmp_path / "numbers")
    assert code == 0
    merged = read_frames(out)
    assert merged.energies.tolist() == [*first.energies, *second.energies]
    assert (tmp_path / "numbers" / "labels").read_text() == "5"


def test_frames_without_labels_are_not_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = write(tmp_path / "p.extxyz", make_frames(2, labelled=False))
    assert call("merge", "--parts", part, "--out", tmp_path / "o.extxyz", "--numbers", tmp_path / "numbers") == 1
    assert "carry no forces" in capsys.readouterr().err


def test_held_out_frames_go_by_turns_to_the_two_halves(tmp_path: Path) -> None:
    from concurrent_learning.frames import read_frames

    frames = make_frames(4)
    parts = [write(tmp_path / f"p{k}.extxyz", frames.take([2 * k, 2 * k + 1])) for k in range(2)]
    stopping, reporting = tmp_path / "stopping.extxyz", tmp_path / "reporting.extxyz"
    argv = ["--parts", *parts, "--stopping", stopping, "--reporting", reporting, "--numbers", tmp_path / "numbers"]
    assert call("split", *argv) == 0
    assert read_frames(stopping).energies.tolist() == frames.energies[[0, 2]].tolist()
    assert read_frames(reporting).energies.tolist() == frames.energies[[1, 3]].tolist()


def test_a_missing_file_is_said_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = call("train", "--training", tmp_path / "no.extxyz", "--seed", 1, "--member", 0, "--out", tmp_path / "m")
    assert code == 1
    assert "no.extxyz" in capsys.readouterr().err


def test_the_table_has_a_row_for_every_iteration(tmp_path: Path) -> None:
    from concurrent_learning.history import load_history
    from concurrent_learning.report import judge, write_table

    evaluate(tmp_path, iteration=0, threshold=1e-9)
    result = judge(load_history(tmp_path / "history.json"), make_frames(3, seed=9), 1e-9)
    write_table(tmp_path / "report.md", result)
    text = (tmp_path / "report.md").read_text()
    assert f"| 0 | 12 | {result['rmse_last']:.4f} |" in text
    assert "cap on iterations" in text
