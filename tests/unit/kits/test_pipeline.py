"""The manifest itself, through the embedded engine with leaves that only pretend: shape, placement, who reads what."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.check import check_manifest
from fubini.runs.engine import NodePhase
from tests.unit.kits.leaves import KIT, Leaf, LeafFailed, LeafResult
from tests.unit.kits.run_locally import LocalResult, run_manifest

PIPELINE = KIT / "pipeline.yaml"


class Pretend:
    """A leaf runner that writes empty artifacts; `evaluate` asks for another round until `rounds` of them are done."""

    def __init__(self, rounds: int, fails: str = "") -> None:
        self.rounds, self.fails = rounds, fails
        self.leaves: list[Leaf] = []

    def __call__(self, leaf: Leaf, folder: Path) -> LeafResult:
        self.leaves.append(leaf)
        if self.fails and leaf.name.endswith(self.fails):
            raise LeafFailed(f"{leaf.name} exited 1: pretended")
        parameters = dict.fromkeys(leaf.parameters_out, "1")
        if "go-on" in parameters:
            iteration = int(leaf.argv[leaf.argv.index("--iteration") + 1])
            parameters |= {"go-on": str(iteration < self.rounds).lower(), "next-iteration": str(iteration + 1)}
        # The artifact's own path stands for its content, so that a reader shows whom it reads from.
        return LeafResult(parameters, {name: folder / name for name in leaf.artifacts_out}, 0.0)


def pretend(folder: Path, rounds: int, fails: str = "") -> tuple[LocalResult, Pretend]:
    runner = Pretend(rounds, fails)
    return run_manifest(PIPELINE, folder, folder, parameters={}, runner=runner), runner


def test_the_manifest_passes_the_check_without_a_warning() -> None:
    report = check_manifest(PIPELINE.read_text(), supported=SUPPORTED, library=(), parameters={}, values_later=False)
    assert [str(finding) for finding in report.findings] == []


def test_every_parameter_has_a_form_with_help_and_the_kits_page_lists_them_all() -> None:
    document = yaml.safe_load(PIPELINE.read_text())
    names = [parameter["name"] for parameter in document["spec"]["arguments"]["parameters"]]
    forms = {
        key.removeprefix("fubini.dev/input."): yaml.safe_load(text)
        for key, text in document["metadata"]["annotations"].items()
        if key.startswith("fubini.dev/input.")
    }
    assert sorted(forms) == sorted(names)
    assert all(form["help"] and form["type"] for form in forms.values())
    kit = yaml.safe_load((KIT / "kit.yaml").read_text())
    assert sorted(kit["parameters"]) == sorted(names)
    assert set(kit["title"]) == {"en", "zh"}


@pytest.mark.parametrize(("rounds", "want_labels", "want_steps"), [(2, 36, 57), (3, 48, 73)])
def test_two_and_three_rounds_keep_the_promised_numbers(
    tmp_path: Path, rounds: int, want_labels: int, want_steps: int
) -> None:
    run, runner = pretend(tmp_path, rounds)
    assert run.phase is NodePhase.SUCCEEDED
    count = Counter(step.template for step in run.steps)
    held_out = sum("held-out" in leaf.name and leaf.argv[3] == "label" for leaf in runner.leaves)
    assert 2 * (count["label"] - held_out) == want_labels
    assert len(run.steps) == want_steps
    assert count["train"] == 4 * (rounds + 1)
    assert count["explore"] == 3 * rounds
    assert count["validate"] == count["report"] == 1


def test_no_label_step_takes_more_than_two_frames(tmp_path: Path) -> None:
    _, runner = pretend(tmp_path, 1)
    sizes = {leaf.argv[leaf.argv.index("--size") + 1] for leaf in runner.leaves if leaf.argv[3] == "label"}
    assert sizes == {"2"}


def test_every_frame_of_a_set_is_labelled_once(tmp_path: Path) -> None:
    _, runner = pretend(tmp_path, 1)
    parts: dict[object, list[int]] = {}
    wanted: dict[object, int] = {}
    for leaf in runner.leaves:
        command = leaf.argv[3]
        if command == "label":
            source = leaf.inputs["/tmp/in/frames.extxyz"]
            parts.setdefault(source, []).append(int(leaf.argv[leaf.argv.index("--part") + 1]))
        elif command in {"start", "select"}:
            wanted[tmp_path / leaf.name / "frames"] = int(leaf.argv[leaf.argv.index("--count") + 1])
    assert {source: 2 * len(found) for source, found in parts.items()} == wanted
    assert all(sorted(found) == list(range(len(found))) for found in parts.values())


def test_the_reporting_half_reaches_the_validation_and_no_other_step(tmp_path: Path) -> None:
    _, runner = pretend(tmp_path, 2)
    readers = [
        leaf.argv[3]
        for leaf in runner.leaves
        if any(isinstance(source, Path) and source.name == "reporting" for source in leaf.inputs.values())
    ]
    assert readers == ["validate"]


def test_a_round_trains_on_what_the_round_before_it_merged(tmp_path: Path) -> None:
    _, runner = pretend(tmp_path, 2)
    merges = [tmp_path / leaf.name / "training" for leaf in runner.leaves if leaf.argv[3] == "merge"]
    trained = [leaf.inputs["/tmp/in/training.extxyz"] for leaf in runner.leaves if leaf.argv[3] == "train"]
    assert trained == [merge for merge in merges for _ in range(4)]
    previous = [leaf.inputs.get("/tmp/in/previous.extxyz") for leaf in runner.leaves if leaf.argv[3] == "merge"]
    assert previous == [None, *merges[:-1]]


def test_each_kind_of_step_asks_for_its_own_place(tmp_path: Path) -> None:
    run, _ = pretend(tmp_path, 1)
    specs = {step.template: step.spec for step in run.steps}
    key = "fubini.dev/accelerator"
    conditions = {
        name: [[(r.key, r.op, r.values) for r in term] for term in spec.required] for name, spec in specs.items()
    }
    assert conditions["label"] == [[(key, "DoesNotExist", ())]]
    assert conditions["train"] == [[(key, "In", ("sim-gpu",))]]
    assert not conditions["explore"]
    assert [term.weight for term in specs["explore"].preferred] == [50]
    assert all(spec.resources.cpu_millis == 1000 for spec in specs.values())
    assert all(spec.walltime_s for spec in specs.values())
    reads_data = {name for name, spec in specs.items() if any(v.claim == "methanol-v1" for v in spec.volumes)}
    assert reads_data == {"start-structures"}


def test_the_final_outputs_carry_global_names(tmp_path: Path) -> None:
    run, _ = pretend(tmp_path, 1)
    assert set(run.parameters) == {"rmse-first", "rmse-last", "labels", "iterations"}
    assert set(run.artifacts) == {"result", "plot", "report"}


def test_a_failed_label_step_fails_the_run_and_trains_nothing(tmp_path: Path) -> None:
    run, runner = pretend(tmp_path, 1, fails="training.label.label-3")
    assert run.phase is NodePhase.FAILED
    assert not any(leaf.argv[3] == "train" for leaf in runner.leaves)
