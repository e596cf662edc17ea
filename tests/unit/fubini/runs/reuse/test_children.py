"""Runs made by steps of runs, on real rows: what is made, waited for, read, limited and ended."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.dispatch.pump import engines_pump
from fubini.ledger.models import Hold
from fubini.runs import children
from fubini.runs.children import children_step
from fubini.runs.models import Run, RunNode, Task
from tests.support.driven import End, drive, phases, task_of
from tests.support.rest import House, problem_of
from tests.support.rows import Place

CHILD = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: child-, labels: {of: "{{workflow.name}}"}}
spec:
  entrypoint: main
  arguments: {parameters: [{name: rate, value: "{{inputs.parameters.rate}}"}]}
  templates:
    - name: main
      container: {image: "python:3.12", command: [train, "{{=workflow.parameters.rate}}"]}
      outputs: {parameters: [{name: loss, globalName: loss, valueFrom: {path: /tmp/loss}}]}
"""
PARENT = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: parent-}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - name: below
            template: below
            arguments: {parameters: [{name: rate, value: "0.1"}]}
        - - name: tell
            template: tell
            arguments: {parameters: [{name: loss, value: "{{steps.below.outputs.parameters.loss}}"}]}
    - name: below
      inputs: {parameters: [{name: rate}]}
      resource:
        action: create
        successCondition: status.phase == Succeeded
        failureCondition: status.phase in (Failed, Error)
        manifest: |
MANIFEST
      outputs:
        parameters:
          - {name: loss, valueFrom: {jsonPath: '{.status.outputs.parameters[?(@.name=="loss")].value}', default: none}}
          - {name: name, valueFrom: {jsonPath: "{.metadata.name}"}}
    - name: tell
      inputs: {parameters: [{name: loss}]}
      container: {image: "python:3.12", command: [tell, "{{inputs.parameters.loss}}"]}
"""


def text_of(child: str = CHILD, parent: str = PARENT) -> str:
    plain = child.replace("{{=workflow.parameters.rate}}", "0.1")  # the parent would put its own in its place
    return parent.replace("MANIFEST", "\n".join(f"          {line}" for line in plain.splitlines()))


def submit(house: House, text: str, **more: Any) -> Run:
    answer = house.api["member"].post("runs", {"project": house.project.slug, "manifest": text, **more})
    assert answer.status_code == 201, answer.content
    return Run.objects.select_related("project").get(pk=answer.json()["id"])


def until_child(run: Run) -> Run:
    """The parent's first steps, up to its child."""
    engines_pump()
    assert children_step() > 0
    engines_pump()
    return Run.objects.select_related("project").get(parent=run.pk)


def finish(parent: Run, child: Run, place: Place, code: int = 0) -> Run:
    drive(child, place, lambda *_: End(code=code, parameters={"loss": "0.5"}))
    children_step()
    return drive(parent, place)


def test_a_resource_step_is_a_run_of_the_same_project_and_person(house: House, place: Place) -> None:
    run = submit(house, text_of(), priority="interactive")
    child = until_child(run)
    assert (child.project_id, child.submitted_by, child.priority) == (run.project_id, run.submitted_by, "interactive")
    assert (child.depth, child.root) == (1, run.pk)
    assert child.parameters == {} and child.labels.get(key="of").value == run.name
    node = RunNode.objects.get(run=run, display_name="below")
    assert (node.type, node.phase) == ("Pod", "Running")
    run = finish(run, child, place)
    assert run.state == "succeeded" and set(phases(run).values()) == {"Succeeded"}
    outputs = {p["name"]: p["value"] for p in RunNode.objects.get(pk=node.pk).outputs["parameters"]}
    assert outputs == {"loss": "0.5", "name": child.name}
    assert task_of(run, "tell").spec["argv"] == ["tell", "0.5"]
    assert not Hold.objects.filter(pk__in=Task.objects.filter(kind="child")).exists()


def test_the_link_is_shown_both_ways(house: House, place: Place) -> None:
    run = submit(house, text_of())
    child = until_child(run)
    api = house.api["viewer"]
    listed = {n["display_name"]: n["child_run"] for n in api.get(f"runs/{run.pk}/nodes").json()["results"]}
    assert listed["below"] == child.pk and listed[run.name] == ""
    shown = api.get(f"runs/{child.pk}").json()
    assert shown["parent_run"] == run.pk and shown["parent_node"] == task_of(run, "below").node_id
    found = api.get(f"runs?project={house.project.slug}&parent_run={run.pk}").json()["results"]
    assert [r["id"] for r in found] == [child.pk]


def test_a_failed_child_fails_its_step_with_the_condition(house: House, place: Place) -> None:
    run = submit(house, text_of())
    run = finish(run, until_child(run), place, code=1)
    node = RunNode.objects.get(run=run, display_name="below")
    assert (run.state, node.phase) == ("failed", "Failed")
    assert (
        node.message
        == "main: Error (exit code 64): failure condition '{status.phase in (Error,Failed)}' evaluated true"
    )


def test_an_end_no_condition_foresees_fails_instead_of_hanging(house: House, place: Place) -> None:
    run = submit(house, text_of().replace("        failureCondition: status.phase in (Failed, Error)\n", ""))
    run = finish(run, until_child(run), place, code=1)
    assert "no condition of this resource foresees" in RunNode.objects.get(run=run, display_name="below").message


def test_without_conditions_the_step_is_done_once_the_run_is_made(house: House, place: Place) -> None:
    text = text_of()
    for name in ("successCondition: status.phase == Succeeded", "failureCondition: status.phase in (Failed, Error)"):
        text = text.replace(f"        {name}\n", "")
    run = submit(house, text)
    child = until_child(run)
    run = drive(run, place)
    assert run.state == "succeeded" and Run.objects.get(pk=child.pk).state in ("pending", "running")
    assert task_of(run, "tell").spec["argv"] == ["tell", "none"]  # the default: there is no loss yet


@pytest.mark.parametrize(("kind", "want"), [("terminate", "Terminate"), ("stop", "Stop")])
def test_a_child_ends_with_its_parent(house: House, place: Place, kind: str, want: str) -> None:
    run = submit(house, text_of())
    child = until_child(run)
    engines_pump()
    house.api["member"].post(f"runs/{run.pk}/{kind}", {})
    run = drive(run, place)
    child = drive(child, place)
    assert (run.state, child.state, child.shutdown) == ("failed", "failed", want)
    assert child.signals.get().actor == f"run:{run.pk}"


def test_a_child_has_what_is_left_of_its_parents_limit(house: House, place: Place) -> None:
    run = submit(house, text_of(), max_cost_micros=5_000)
    Run.objects.filter(pk=run.pk).update(settled_micros=2_000)
    assert until_child(run).max_cost_micros == 3_000


def test_chains_are_limited_in_depth(house: House, place: Place) -> None:
    run = submit(house, text_of())
    Run.objects.filter(pk=run.pk).update(depth=5)
    engines_pump()
    children_step()
    run = drive(run, place)
    assert "5 deep" in RunNode.objects.get(run=run, display_name="below").message
    assert Run.objects.count() == 1 and run.state == "failed"


def test_runs_below_one_run_are_limited_in_number(house: House, place: Place, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "CHILD_RUNS": 0}
    run = submit(house, text_of())
    engines_pump()
    children_step()
    run = drive(run, place)
    assert "runs below it" in RunNode.objects.get(run=run, display_name="below").message


def test_a_child_manifest_with_errors_fails_the_step_with_them(house: House, place: Place) -> None:
    run = submit(house, text_of(CHILD.replace("  entrypoint: main\n", "  entrypoint: nowhere\n")))
    engines_pump()
    children_step()
    run = drive(run, place)
    assert "nowhere" in RunNode.objects.get(run=run, display_name="below").message
    assert Run.objects.count() == 1


def test_a_run_that_is_there_can_be_read(house: House, place: Place) -> None:
    alone = CHILD.replace("{{workflow.name}}", "x").replace("{{inputs.parameters.rate}}", "1")
    other = drive(submit(house, alone, name="earlier"), place, lambda *_: End(parameters={"loss": "7"}))
    assert other.state == "succeeded"
    read = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: earlier}\n"
    run = submit(house, text_of(read).replace("action: create", "action: get"))
    engines_pump()
    children_step()
    run = drive(run, place)
    assert run.state == "succeeded" and task_of(run, "tell").spec["argv"] == ["tell", "7"]
    assert Run.objects.filter(parent=run.pk).count() == 0


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (("          kind: Workflow", "          kind: ConfigMap"), "spec.templates[1].resource.manifest"),
        (("action: create", "action: delete"), "spec.templates[1].resource.action"),
        (("status.phase == Succeeded", "status.phase is fine"), "spec.templates[1].resource.successCondition"),
        (('"{.metadata.name}"', '"{..name}"'), "spec.templates[1].outputs.parameters[1].valueFrom.jsonPath"),
    ],
)  # fmt: skip
def test_what_is_no_run_is_refused_by_its_path(house: House, place: Place, change: tuple[str, str], path: str) -> None:
    text = text_of()
    assert change[0] in text
    body = {"project": house.project.slug, "manifest": text.replace(*change)}
    found = problem_of(house.api["member"].post("runs", body), 422, "manifest_invalid")
    assert path in [e["path"] for e in found["errors"]]


def test_a_quote_does_not_price_what_a_child_does(house: House, place: Place) -> None:
    found = house.api["viewer"].post("quotes", {"project": house.project.slug, "manifest": text_of()}).json()
    assert [row["template"] for row in found["rows"]] == ["tell"] and found["feasible"]


def test_many_children_that_wait_long_hide_none_that_has_ended(
    house: House, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LOOKED_AT", 2)
    runs = [submit(house, text_of()) for _ in range(5)]
    engines_pump()
    assert children_step() >= 5
    engines_pump()
    last = Run.objects.select_related("project").get(parent=runs[-1].pk)
    drive(last, place, lambda *_: End(parameters={"loss": "0.5"}))
    moved = [children_step() for _ in range(3)]
    assert sum(moved) == 1 and task_of(runs[-1], "below").state == "succeeded"
