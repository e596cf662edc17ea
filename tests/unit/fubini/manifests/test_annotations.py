"""Our annotations: unknown ones are warned about, unreadable values refused, forms held to by values."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from fubini.manifests.annotations import KNOWN
from tests.unit.fubini.manifests.build import check, errors, warnings, workflow

MAIN = "- name: main\n  container: {image: a}\n"


def with_annotation(name: str, value: str) -> str:
    return workflow(MAIN + f"  metadata: {{annotations: {{'fubini.dev/{name}': '{value}'}}}}\n")


GOOD = {
    "walltime": ["1h30m", "90m", "3600", "01:30:00", "2-00:00:00", "{{inputs.parameters.hours}}h"],
    "nodes": ["1", "64"],
    "tasks-per-node": ["8"],
    "priority": ["interactive", "normal", "opportunistic"],
    "exclusive": ["true", "false"],
    "checkpoint": ["/data/state"],
    "objective": ["fastest", "cheapest", "balanced"],
    "deadline": ["2027-01-31T18:00:00Z", "2027-01-31", "24h"],
    "title": ["Ising model", "{en: Ising model, zh: 伊辛模型}"],
    "summary": ["A sweep over temperatures", "{en: A sweep, zh: 扫描}"],
    "tags": ["chemistry, sweep", "molecular dynamics"],
    "picture": ["picture.png", "docs/plot.svg"],
    "speedup": ["12", "gpu:12, cpu:1.5"],
}
BAD = {
    "walltime": ["two hours", "", "0", "-5m"],
    "nodes": ["0", "1.5", "many", "99999999"],
    "tasks-per-node": ["-1"],
    "priority": ["high"],
    "exclusive": ["yes"],
    "checkpoint": ["state", "/a/../b"],
    "objective": ["cheap"],
    "deadline": ["tomorrow"],
    "title": ["", "x" * 121],
    "summary": ["", "{en: [not, text]}"],
    "tags": ["a tag of many more words", ",".join("abcdefghijklm")],
    "picture": ["picture.exe", "/etc/plot.png", "../plot.png"],
    "speedup": ["fast", "gpu:0"],
}


def test_every_annotation_is_in_the_tables() -> None:
    assert set(GOOD) == set(BAD) == set(KNOWN)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in GOOD.items() for v in values])
def test_a_good_value_passes(name: str, value: str) -> None:
    codes = [c for c, _ in errors(with_annotation(name, value)) if c != "unknown-variable"]
    assert codes == []


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_bad_value_is_refused(name: str, value: str) -> None:
    path = f"spec.templates[0].metadata.annotations[fubini.dev/{name}]"
    assert errors(with_annotation(name, value)) == [("annotation-value", path)]


def test_an_unknown_annotation_of_ours_is_a_warning_and_others_are_not_our_business() -> None:
    finding = check(with_annotation("waltime", "1h")).warnings[0]
    assert (finding.code, finding.nearest) == ("unknown-annotation", "fubini.dev/walltime")
    assert warnings(workflow(MAIN + "  metadata: {annotations: {example.org/x: y}}\n")) == []


def form(text: str, value: str = "5") -> str:
    manifest = workflow(MAIN, f"entrypoint: main\narguments: {{parameters: [{{name: size, value: '{value}'}}]}}\n")
    return manifest.replace("{name: demo}", f"{{name: demo, annotations: {{fubini.dev/input.size: '{text}'}}}}")


@pytest.mark.parametrize(
    "text",
    [
        "{type: integer}",
        "{type: number, unit: eV, range: [0, 10], help: Energy}",
        "{choices: [5, 6]}",
        "{range: [null, 9]}",
        "{type: integer, group: {en: Size, zh: 尺寸}}",
        "{type: integer, title: {en: Size, zh: 大小}, help: {en: How many, zh: 多少}}",
    ],
)
def test_a_good_form_is_reported_with_its_parameter(text: str) -> None:
    report = check(form(text))
    assert report.ok
    assert report.parameters[0].form


@pytest.mark.parametrize(
    "text",
    ["{help: {fr: Combien}}", "{help: {en: 5}}", "{title: {}}",
     "[1]", "{type: numbr}", "{range: [1]}", "{range: [9, 1]}", "{colour: red}", "{choices: []}", "{help: 5}", "{type: [}",
     "{a: &a 1, b: *a}", "!!python/none x", "{range: [.nan, 1]}"],
)  # fmt: skip
def test_a_bad_form_is_refused(text: str) -> None:
    assert errors(form(text)) == [("form", "metadata.annotations[fubini.dev/input.size]")]


@pytest.mark.parametrize(
    ("text", "value", "good"),
    [
        ("{type: integer, range: [1, 9]}", "9", True),
        ("{type: integer, range: [1, 9]}", "10", False),
        ("{type: integer}", "1.5", False),
        ("{type: number}", "1.5e3", True),
        ("{type: number}", "abc", False),
        ("{type: number}", "nan", False),
        ("{type: boolean}", "yes", False),
        ("{choices: [a, b]}", "c", False),
        ("{choices: [1, true]}", "true", True),
        ("{type: date}", "2027-01-31", True),
        ("{type: date}", "31.1.2027", False),
        ("{type: json}", '{"a": [1]}', True),
        ("{type: json}", "{a: 1}", False),
        ("{type: list}", '{"a": 1}', False),
    ],
)
def test_a_value_is_held_to_the_form(text: str, value: str, good: bool) -> None:
    want = [] if good else [("parameter-value", "spec.arguments.parameters[0].value")]
    assert errors(form(text, value)) == want
    assert errors(form(text, "5"), parameters={"size": value}) == want or not check(form(text, "5")).ok


@pytest.mark.parametrize("kind", ["dataset", "file"])
def test_a_dataset_parameter_must_name_one_of_the_project_when_a_run_starts(kind: str) -> None:
    def claims(names: Collection[str]) -> set[str]:
        return {name for name in names if name == "methanol-v1"}

    text = form(f"{{type: {kind}}}", "methanol-v1")
    want = [("parameter-dataset", "spec.arguments.parameters[0].value")]
    assert errors(text, parameters={}, claims=claims) == []
    assert errors(text, parameters={"size": "methanol-v2"}, claims=claims) == want
    assert errors(text, parameters={"size": "methanol-v2"}) == []  # without a project nobody knows
    assert warnings(form(f"{{type: {kind}}}", "ethanol"), claims=claims) == want


def test_a_form_for_nobody_and_a_form_in_the_wrong_place_are_warnings() -> None:
    lost = form("{type: integer}").replace("input.size", "input.m")
    assert warnings(lost) == [("unknown-parameter", "metadata.annotations[fubini.dev/input.m]")]
    assert [c for c, _ in warnings(with_annotation("input.n", "{}"))] == ["annotation-place"]


def test_a_place_label_that_no_place_has_is_a_warning() -> None:
    finding = check(workflow(MAIN + "  nodeSelector: {fubini.dev/acelerator: a}\n")).warnings[0]
    assert (finding.code, finding.nearest) == ("unknown-place-label", "fubini.dev/accelerator")
    assert warnings(workflow(MAIN + "  nodeSelector: {kubernetes.io/arch: arm64, fubini.dev/site: hpc}\n")) == []
