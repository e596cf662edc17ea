"""The ten worked patterns really run, as real processes, and compute what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hera.trees import tree_of
from tests.support.stack import ENDED, ROOT, Stack

FOLDER = ROOT / "kits" / "patterns"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def text(number: str) -> str:
    return next(FOLDER.glob(f"{number}-*.yaml")).read_text()


@pytest.fixture(scope="module")
def runs(running: Stack) -> Iterator[dict[str, str]]:
    """All patterns submitted, a person's answer given, and all of them ended; ids by what they are."""
    running.post("pipelines", {"project": running.project, "manifest": (FOLDER / "10-reuse.yaml").read_text()})
    found = {number: running.submit(text(number)) for number in ("01", "02", "03", "04", "05", "06", "07", "08", "09")}
    found["06-nobody"] = running.submit(text("06"), parameters={"patience": "2"})
    found["07-failed"] = running.submit(text("07"), parameters={"intervals": "63"})
    found["10"] = running.submit((FOLDER / "10-reuse-run.yaml").read_text())
    until = time.monotonic() + 600
    while time.monotonic() < until:
        waiting = [
            n for n in running.get(f"runs/{found['06']}/nodes", type="Suspend")["results"] if n["phase"] == "Running"
        ]
        if waiting:
            running.post(
                f"runs/{found['06']}/resume", {"selector": "displayName=review", "outputs": {"verdict": "accept"}}
            )
            break
        time.sleep(0.3)
    going = set(found.values())
    while going and time.monotonic() < until:
        going = {pk for pk in going if running.get(f"runs/{pk}")["state"] not in ENDED}
        time.sleep(0.5)
    assert not going, [name for name, pk in found.items() if pk in going]
    yield found


def nodes(running: Stack, run_id: str) -> dict[str, Any]:
    """A run's nodes by the last part of their names; of nodes of one name the last."""
    tree = tree_of(running, run_id)
    return {re.split(r"\.|\[\d+\]", name)[-1]: node for name, node in tree.items() if name} | {"": tree[""]}


def test_a_fan_out_with_a_reduce_estimates_pi_within_five_of_its_errors(runs: dict[str, str], running: Stack) -> None:
    value = nodes(running, runs["01"])["RUN"]["outputs"]["parameters"]["pi"]
    estimate, error = map(float, value.split(" +- "))
    assert abs(estimate - 3.14159265) < 5 * error and 0 < error < 0.02


def test_active_learning_ends_when_the_model_is_sure_enough(runs: dict[str, str], running: Stack) -> None:
    tree = tree_of(running, runs["02"])
    errors = [float(n["outputs"]["parameters"]["error"]) for name, n in tree.items() if name.endswith(".measure")]
    assert tree[""][0] == "Succeeded" and 2 <= len(errors) <= 12
    assert errors[-1] <= 0.05 < errors[0] and all(error > 0.05 for error in errors[:-1])


def test_a_retry_by_cause_goes_on_from_elsewhere_until_it_converges(runs: dict[str, str], running: Stack) -> None:
    tree = tree_of(running, runs["03"])
    tries = {name: node for name, node in tree.items() if re.fullmatch(r"RUN\(\d\)", name)}
    assert [node["outputs"]["exitCode"] for _, node in sorted(tries.items())] == ["75", "75", "75", "0"]
    assert tree["RUN"]["outputs"]["parameters"]["root"] == "0.000000"


def test_a_sweep_shows_that_the_magnet_is_ordered_when_cold_and_not_when_hot(
    runs: dict[str, str], running: Stack
) -> None:
    tree = tree_of(running, runs["04"])
    rows = [n["outputs"]["parameters"]["row"].split() for name, n in tree.items() if ".simulate(" in name]
    assert len(rows) == 6
    for _, temperature, magnetisation in rows:
        assert (
            float(magnetisation) > 0.9
            if temperature == "1.5"
            else float(magnetisation) < (0.6 if temperature == "3.5" else 1)
        )
    assert tree["RUN"]["outputs"]["artifacts"] == ["table"]


def test_a_cached_step_is_made_once_and_the_largest_gap_below_2000_is_34(runs: dict[str, str], running: Stack) -> None:
    tasks = running.get(f"runs/{runs['05']}/tasks")["results"]
    assert sorted(task["template"] for task in tasks) == ["gaps", "primes"]
    assert nodes(running, runs["05"])["RUN"]["outputs"]["parameters"] == {"largest-gap": "34"}


def test_only_what_a_person_accepts_is_published(runs: dict[str, str], running: Stack) -> None:
    accepted, unanswered = nodes(running, runs["06"]), nodes(running, runs["06-nobody"])
    assert (accepted["publish"]["phase"], accepted["set-aside"]["phase"]) == ("Succeeded", "Skipped")
    assert accepted["fit"]["outputs"]["result"] == "y = 2.01 x + 0.02"
    assert (unanswered["publish"]["phase"], unanswered["set-aside"]["phase"]) == ("Skipped", "Succeeded")


def test_cleanup_runs_however_the_work_ended(runs: dict[str, str], running: Stack) -> None:
    good, bad = nodes(running, runs["07"]), nodes(running, runs["07-failed"])
    assert good[""][0] == "Succeeded" and abs(float(good["RUN"]["outputs"]["parameters"]["integral"]) - 2) < 1e-5
    assert bad[""][0] == "Failed"
    assert good["onExit"]["phase"] == bad["onExit"]["phase"] == "Succeeded"


def test_nested_pipelines_score_every_fold_near_the_noise_of_the_data(runs: dict[str, str], running: Stack) -> None:
    tree = tree_of(running, runs["08"])
    assert sum(name.endswith(".train") for name in tree) == 3
    assert 0.1 < float(tree["RUN"]["outputs"]["parameters"]["score"]) < 0.3


def test_a_big_fan_out_in_batches_finds_the_longest_sequence(runs: dict[str, str], running: Stack) -> None:
    tree = tree_of(running, runs["09"])
    assert tree["RUN"]["outputs"]["parameters"] == {"longest": "279 steps from 17673"}, tree


def test_a_stored_template_serves_two_calls(runs: dict[str, str], running: Stack) -> None:
    # The elliptic integral gives 1.3289 for an amplitude of 2 and 1.0006 for 0.1.
    assert nodes(running, runs["10"])["RUN"]["outputs"]["parameters"] == {"ratio": "1.3281"}


def test_every_pattern_is_on_the_page_and_passes_the_check_without_a_finding(
    running: Stack, runs: dict[str, str]
) -> None:
    page = (ROOT / "docs" / "authoring.md").read_text()
    assert len(FILES) == 11
    for name in FILES:
        assert f"kits/patterns/{name}" in page, name
        report = running.post("lint", {"manifest": (FOLDER / name).read_text(), "project": running.project})
        assert report["ok"] and report["findings"] == [], (name, report["findings"])
