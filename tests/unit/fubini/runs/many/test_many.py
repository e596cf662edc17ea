"""Many runs at once over REST: bulk deeds, the table of what went in and came out, two runs beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.runs.engine import TaskSpec
from fubini.runs.many.table import is_number
from fubini.runs.models import Run
from tests.support.driven import End, drive
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place, make_place

SQUARE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: square-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: x, value: "2"}, {name: method, value: fast}]}
  templates:
    - name: main
      dag:
        tasks: [{name: work, template: work}, {name: check, template: check, depends: "work.Succeeded || work.Failed"}]
      outputs: {parameters: [{name: area, valueFrom: {parameter: "{{tasks.work.outputs.parameters.area}}"}}]}
    - name: work
      container: {image: "python:3.12", command: [work]}
      outputs: {parameters: [{name: area, valueFrom: {path: /tmp/y, default: "none"}}]}
    - name: check
      container: {image: "python:3.12", command: [check]}
"""


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=10_000_000)


@pytest.fixture
def place(house: House) -> Place:
    return make_place()


def submit(house: House, **more: Any) -> Run:
    answer = house.api["member"].post("runs", {"project": house.project.slug, "manifest": SQUARE, **more})
    assert answer.status_code == 201, answer.content
    return Run.objects.select_related("project").get(pk=answer.json()["id"])


def gives(area: str, check: int = 0) -> Any:
    def ends(name: str, _spec: TaskSpec) -> End:
        return End(parameters={"area": area}) if name == "work" else End(code=check)

    return ends


def base(house: House) -> str:
    return f"projects/{house.project.slug}/runs"


def test_a_deed_on_many_runs_answers_for_each(house: House) -> None:
    one, two = submit(house, labels={"kept": "yes", "old": "x"}), submit(house)
    answer = house.api["member"].post(
        f"{base(house)}/bulk",
        {"deed": "label", "runs": [one.pk, two.pk, "0" * 32], "labels": {"set": "a"}, "drop": ["old"]},
    )
    assert [row["done"] for row in answer.json()] == [True, True, False]
    assert {label.key: label.value for label in one.labels.all()} == {"kept": "yes", "set": "a"}
    cancelled = house.api["member"].post(f"{base(house)}/bulk", {"deed": "cancel", "runs": [one.pk, one.pk]})
    assert [row["done"] for row in cancelled.json()] == [True]
    refused = house.api["owner"].post(f"{base(house)}/bulk", {"deed": "delete", "runs": [two.pk]}).json()[0]
    assert not refused["done"] and "pending" in refused["detail"] and "cancel" in refused["next_step"].lower()


def test_many_runs_are_deleted_by_a_maintainer_only(house: House) -> None:
    run = submit(house)
    problem_of(house.api["member"].post(f"{base(house)}/bulk", {"deed": "delete", "runs": [run.pk]}), 403)
    problem_of(house.api["viewer"].post(f"{base(house)}/bulk", {"deed": "cancel", "runs": [run.pk]}), 403)
    other = make_house()
    problem_of(other.api["owner"].post(f"{base(house)}/bulk", {"deed": "cancel", "runs": [run.pk]}), 404)
    found = other.api["owner"].post(f"{base(other)}/bulk", {"deed": "cancel", "runs": [run.pk]}).json()
    assert [row["done"] for row in found] == [False] and found[0]["name"] == ""


def test_a_bulk_deed_that_says_nothing_or_too_much_is_refused(house: House) -> None:
    for body in (
        {"deed": "label", "runs": ["x"]},
        {"deed": "cancel", "runs": ["x"], "labels": {"a": "b"}},
        {"deed": "cancel", "runs": []},
    ):
        problem_of(house.api["member"].post(f"{base(house)}/bulk", body), 422)


def test_the_table_has_what_went_in_and_what_came_out(house: House, place: Place) -> None:
    drive(submit(house, parameters={"x": "3"}, labels={"sweep": "s"}), place, gives("9"))
    drive(submit(house, labels={"sweep": "s"}), place, gives("4"))
    drive(submit(house), place, gives("4"))
    found = house.api["viewer"].get(f"{base(house)}/table?label=sweep%3Ds").json()
    assert [row["parameters"]["x"] for row in found["rows"]] == ["2", "3"]
    assert [row["results"] for row in found["rows"]] == [{"area": "4"}, {"area": "9"}]
    assert [(c["name"], c["varies"], c["numeric"]) for c in found["parameters"]] == [
        ("x", True, True), ("method", False, False),
    ]  # fmt: skip
    assert not found["truncated"]
    ids = [row["run"]["id"] for row in found["rows"]]
    some = house.api["viewer"].get(f"{base(house)}/table?run={ids[1]}").json()
    assert [row["run"]["id"] for row in some["rows"]] == [ids[1]]


def test_an_empty_table_has_no_columns(house: House) -> None:
    found = house.api["viewer"].get(f"{base(house)}/table").json()
    assert found == {"rows": [], "parameters": [], "results": [], "truncated": False}


def test_two_runs_are_compared_by_inputs_results_and_the_fate_of_steps(house: House, place: Place) -> None:
    a = drive(submit(house, parameters={"x": "3"}), place, gives("9"))
    b = drive(submit(house), place, gives("4", check=1))
    found = house.api["viewer"].get(f"{base(house)}/compare?a={a.pk}&b={b.job_number}").json()
    assert found["same_manifest"]
    assert found["parameters"][0] == {"name": "x", "a": "3", "b": "2", "differs": True}
    assert found["results"] == [{"name": "area", "a": "9", "b": None, "differs": True}]  # a failed DAG gives nothing
    assert [(s["path"], s["a_phase"], s["b_phase"]) for s in found["steps"]] == [("check", "Succeeded", "Failed")]
    assert (found["differing"], found["same"]) == (1, 1)
    checks = {t["template"]: (t["a"]["failed"], t["b"]["failed"]) for t in found["templates"]}
    assert checks == {"work": (0, 0), "check": (0, 1)}


def test_a_run_of_another_project_is_not_compared(house: House) -> None:
    run, other = submit(house), make_house()
    problem_of(other.api["owner"].get(f"{base(other)}/compare?a={run.pk}&b={run.pk}"), 404)


@pytest.mark.parametrize("text", ["1", "-2.5e-3", "+4", ".5"])
def test_a_decimal_number_is_one(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["", "1_000", "nan", "1e999", "0x1", "１", "e", "--1"])
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert not is_number(text)
