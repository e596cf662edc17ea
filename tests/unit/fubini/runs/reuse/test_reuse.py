"""Reuse on real rows: what is taken over, what runs and why, what it saves, and what must never be taken over."""

from __future__ import annotations

from typing import Any

from fubini.common import clock
from fubini.datasets.models import Artifact, Blob
from fubini.datasets.selectors import artifact_resolve
from fubini.ledger.models import Hold
from fubini.ledger.services import ledger_check
from fubini.runs.codec import spec_of
from fubini.runs.engine import TaskSpec
from fubini.runs.models import Attempt, Run, RunNode, Task
from tests.support.driven import End, drive, phases, task_of
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place

CHAIN = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: chain-}
spec:
  entrypoint: main
  arguments:
    parameters:
      - {name: data, value: raw}
      - {name: rate, value: "0.1"}
  templates:
    - name: main
      dag:
        tasks:
          - name: prepare
            template: prepare
          - name: train
            template: train
            dependencies: [prepare]
            arguments:
              artifacts: [{name: data, from: "{{tasks.prepare.outputs.artifacts.data}}"}]
          - name: report
            template: report
            dependencies: [train]
            arguments:
              parameters: [{name: loss, value: "{{tasks.train.outputs.parameters.loss}}"}]
    - name: prepare
      container: {image: "python:3.12", command: [prepare, "{{workflow.parameters.data}}"]}
      outputs:
        artifacts: [{name: data, path: /tmp/data}]
    - name: train
      inputs:
        artifacts: [{name: data, path: /tmp/in}]
      container: {image: "python:3.12", command: [train, --rate, "{{workflow.parameters.rate}}"]}
      outputs:
        parameters: [{name: loss, valueFrom: {path: /tmp/loss}}]
        artifacts: [{name: model, path: /tmp/model}]
    - name: report
      inputs:
        parameters: [{name: loss}]
      container: {image: "python:3.12", command: [report, "{{inputs.parameters.loss}}"]}
"""


def ends(name: str, spec: TaskSpec) -> End:
    """`prepare` leaves its word as bytes, `train` its rate as the loss and the model."""
    word = spec.argv[-1]
    if name.startswith("prepare"):
        return End(files={"data": word.encode()})
    if name.startswith("train"):
        return End(parameters={"loss": f"loss of {word}"}, files={"model": f"model {word}".encode()})
    return End()


def submit(house: House, **more: Any) -> Run:
    body = {"project": house.project.slug, "manifest": CHAIN, **more}
    answer = house.api["member"].post("runs", body)
    assert answer.status_code == 201, answer.content
    return Run.objects.select_related("project").get(pk=answer.json()["id"])


def first(house: House, place: Place, **more: Any) -> Run:
    run = drive(submit(house, **more), place, ends)
    assert run.state == "succeeded"
    return run


def verdicts(plan: dict[str, Any]) -> dict[str, str]:
    return {row["template"]: row["verdict"] for row in plan["rows"]}


def reasons(plan: dict[str, Any]) -> dict[str, str]:
    return {row["template"]: row["examples"][0]["why"] for row in plan["rows"]}


def quote(house: House, **more: Any) -> dict[str, Any]:
    body = {"project": house.project.slug, "manifest": CHAIN, **more}
    found: dict[str, Any] = house.api["viewer"].post("quotes", body).json()
    return found


# --- taking over ---


def test_the_same_again_runs_nothing_and_costs_nothing(house: House, place: Place) -> None:
    old = first(house, place)
    run = drive(submit(house, reuse="any"), place, ends)
    assert run.state == "succeeded" and set(phases(run).values()) == {"Succeeded"}
    assert not Attempt.objects.filter(run_id=run.pk).exists() and not Hold.objects.filter(run_id=run.pk).exists()
    assert (run.settled_micros, run.steps_done, run.steps_reused) == (0, 3, 3)
    assert run.saved_micros == old.settled_micros > 0
    assert ledger_check()["imbalance_micros"] == 0


def test_results_and_files_are_those_of_the_step_taken_over(house: House, place: Place) -> None:
    old = first(house, place)
    run = drive(submit(house, reuse=str(old.pk)), place, ends)
    nodes = {n.display_name: n for n in RunNode.objects.filter(run=run)}
    assert nodes["train"].outputs["parameters"] == [{"name": "loss", "value": "loss of 0.1"}]
    key = nodes["train"].outputs["artifacts"][0]["key"]
    assert key.startswith(f"{run.pk}/")  # a key of its own
    mine, theirs = Artifact.objects.get(pk=key), Artifact.objects.get(run_id=old.pk, name="model")
    assert mine.entries == theirs.entries and mine.pk != theirs.pk  # that names the same bytes
    assert mine.attempt_id == theirs.attempt_id
    assert artifact_resolve(house.project.pk, key).size_bytes == len("model 0.1")


def test_a_reused_node_says_where_it_comes_from(house: House, place: Place) -> None:
    old = first(house, place)
    run = drive(submit(house, reuse="any"), place, ends)
    listed = house.api["viewer"].get(f"runs/{run.pk}/nodes").json()["results"]
    came = {n["display_name"]: n["reused_from"] for n in listed}
    assert came["train"]["run"] == old.pk and came["train"]["node_name"] == "train"
    assert came["train"]["job_number"] == old.job_number and came["train"]["cost_micros"] > 0
    node = next(n for n in listed if n["display_name"] == "train")
    assert house.api["viewer"].get(f"runs/{run.pk}/nodes/{node['node_id']}").json() == node
    assert [n["reused_from"] for n in house.api["viewer"].get(f"runs/{old.pk}/nodes").json()["results"]] == [None] * 4


def test_a_step_taken_over_twice_comes_from_where_it_really_ran(house: House, place: Place) -> None:
    old = first(house, place)
    drive(submit(house, reuse="any"), place, ends)
    third = drive(submit(house, reuse="any"), place, ends)
    assert task_of(third, "train").reuse["from"]["run"] == old.pk
    assert third.saved_micros == old.settled_micros


def test_what_changed_runs_and_what_follows_from_it_too(house: House, place: Place) -> None:
    first(house, place)
    run = drive(submit(house, reuse="any", parameters={"rate": "0.2"}), place, ends)
    ran = {a.task.template for a in Attempt.objects.filter(run_id=run.pk).select_related("task")}
    assert run.state == "succeeded" and ran == {"train", "report"}
    assert run.steps_reused == 1


def test_the_same_bytes_from_a_changed_step_let_the_rest_be_reused(house: House, place: Place) -> None:
    first(house, place)

    def same_data(name: str, spec: TaskSpec) -> End:
        return End(files={"data": b"raw"}) if name == "prepare" else ends(name, spec)

    run = drive(submit(house, reuse="any", parameters={"data": "cooked"}), place, same_data)
    assert run.state == "succeeded" and run.steps_reused == 2
    assert Attempt.objects.get(run_id=run.pk).task.template == "prepare"


def test_without_reuse_everything_runs(house: House, place: Place) -> None:
    first(house, place)
    run = first(house, place)
    assert Attempt.objects.filter(run_id=run.pk).count() == 3 and run.steps_reused == 0


def test_a_retried_step_runs_though_it_could_be_reused(house: House, place: Place) -> None:
    first(house, place)
    run = drive(submit(house, reuse="any"), place, ends)
    body = {"restart_successful": True, "selector": "templateName=train"}
    assert house.api["member"].post(f"runs/{run.pk}/retry", body).status_code == 202
    run = drive(run, place, ends)
    assert run.state == "succeeded"
    assert {a.task.template for a in Attempt.objects.filter(run_id=run.pk).select_related("task")} == {
        "train",
        "report",
    }


# --- before the submit ---


def test_a_quote_lists_what_is_reused_what_runs_and_why_and_the_money(house: House, place: Place) -> None:
    old = first(house, place)
    found = quote(house, reuse="any", parameters={"rate": "0.2"})
    plan = found["reuse"]
    assert verdicts(plan) == {"prepare": "reused", "train": "runs", "report": "later"}
    assert reasons(plan)["train"] == f"word 3 of its command was '0.1' and is '0.2' (compared with {old.name})"
    assert reasons(plan)["report"] == "decided when its inputs are known"
    assert (plan["reused"], plan["runs"], plan["later"]) == (1, 1, 1)
    assert plan["saved_micros"] == 1_000_000 // 1000 and plan["saved_ms"] == 1000  # one second at 1,000 micros
    assert {row["template"] for row in found["rows"]} == {"train", "report"}  # the money is of what runs
    assert Task.objects.count() == 3


def test_a_launch_form_is_told_what_is_saved_as_a_range_of_what_it_would_cost_now(house: House, place: Place) -> None:
    place.pool.projects.add(house.project)
    old = first(house, place)
    body = {"manifest": CHAIN, "parameters": {"rate": "0.2"}}
    path = f"projects/{house.project.slug}/launch/check"
    whole = house.api["viewer"].post(path, body).json()["quote"]
    part = house.api["viewer"].post(path, {**body, "reuse": old.pk}).json()["quote"]
    assert (whole["saved"], whole["reuse"]) == (None, None) and part["steps"] == 2
    for figure in ("money_low_micros", "money_high_micros"):
        assert part["saved"][figure] + part[figure] == whole[figure] and part["saved"][figure] > 0
    assert 0 < part["saved"]["time_low_s"] <= part["saved"]["time_high_s"]  # whole seconds, so no exact sum
    assert part["reuse"]["rows"][0]["examples"][0]["run"] == old.pk


def test_the_launch_page_knows_who_can_turn_reuse_on(house: House, place: Place) -> None:
    path = f"projects/{house.project.slug}/launch"
    assert house.api["viewer"].get(path).json()["reuse"] == {"on": True, "by_maintainers": True}
    house.api["maintainer"].put(f"projects/{house.project.slug}/flags/reuse", {"on": False})
    assert not house.api["viewer"].get(path).json()["reuse"]["on"]
    refused = house.api["member"].post(f"{path}/check", {"manifest": CHAIN, "reuse": "any"})
    assert "can turn it on" in refused.json()["next_step"]


def test_a_run_keeps_what_its_submit_was_told_and_says_what_came_of_it(house: House, place: Place) -> None:
    first(house, place)
    told = quote(house, reuse="any", parameters={"rate": "0.2"})["reuse"]
    run = drive(submit(house, reuse="any", parameters={"rate": "0.2"}), place, ends)
    listing = house.api["viewer"].get(f"runs/{run.pk}/reuse").json()
    assert listing["planned"] == told
    assert verdicts(listing["now"]) == {"prepare": "reused", "train": "runs", "report": "runs"}
    assert "word 2 of its command was 'loss of 0.1' and is 'loss of 0.2'" in reasons(listing["now"])["report"]
    assert listing["now"]["saved_micros"] == told["saved_micros"]


def test_a_quote_without_reuse_says_nothing_of_it(house: House, place: Place) -> None:
    first(house, place)
    assert quote(house)["reuse"] is None and quote(house)["steps"] == 3


def test_with_nothing_to_reuse_everything_runs_for_a_reason(house: House, place: Place) -> None:
    plan = quote(house, reuse="any")["reuse"]
    assert verdicts(plan) == {"prepare": "runs", "train": "later", "report": "later"}
    assert reasons(plan)["prepare"] == "no earlier run of the project has a step of that name"


def test_a_fan_out_is_told_in_rows_with_examples(house: House, place: Place) -> None:
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: fan-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: items, value: '["a", "b", "c"]'}]}
  templates:
    - name: main
      steps:
        - - name: work
            template: work
            arguments: {parameters: [{name: x, value: "{{item}}"}]}
            withParam: "{{workflow.parameters.items}}"
    - name: work
      inputs: {parameters: [{name: x}]}
      container: {image: "python:3.12", command: [work, "{{inputs.parameters.x}}"]}
"""
    first(house, place, manifest=text)
    more = {"items": '["a", "b", "c", "d", "e", "f", "g", "h"]'}
    found = quote(house, manifest=text, reuse="any", parameters=more)
    rows = {row["verdict"]: row for row in found["reuse"]["rows"]}
    assert (rows["reused"]["count"], rows["runs"]["count"]) == (3, 5)
    assert [e["name"] for e in rows["runs"]["examples"]] == ["[0].work(3:d)", "[0].work(4:e)", "[0].work(5:f)"]
    assert found["steps"] == 5
    run = drive(submit(house, manifest=text, reuse="any", parameters=more), place)
    assert run.steps_reused == 3 and Attempt.objects.filter(run_id=run.pk).count() == 5


# --- what must not be taken over ---


def test_bytes_that_were_cleared_are_made_again(house: House, place: Place) -> None:
    old = first(house, place)
    gone = Artifact.objects.get(run_id=old.pk, name="data").entries[0]["sha256"]
    Blob.objects.filter(project_id=house.project.pk, digest=gone).delete()
    assert reasons(quote(house, reuse="any")["reuse"])["prepare"] == "the bytes it left were cleared"
    run = drive(submit(house, reuse="any"), place, ends)
    assert run.state == "succeeded"
    assert task_of(run, "prepare").reuse == {"why": "the bytes it left were cleared"}
    assert Attempt.objects.filter(run_id=run.pk, task__template="prepare").count() == 1
    assert run.steps_reused == 2  # the same bytes came out again


def test_a_changed_environment_runs_again(house: House, place: Place) -> None:
    def at(fingerprint: str) -> Any:
        def ending(name: str, spec: TaskSpec) -> End:
            end = ends(name, spec)
            end.fingerprint = fingerprint
            return end

        return ending

    drive(submit(house), place, at("sha256:one"))
    place.agent.environments = [{"image": "python:*", "fingerprint": "sha256:one"}]
    place.agent.save()
    assert quote(house, reuse="any")["reuse"]["reused"] == 3
    place.agent.environments = [{"image": "python:*", "fingerprint": "sha256:two"}]
    place.agent.save()
    assert reasons(quote(house, reuse="any")["reuse"])["prepare"] == "the environment of python:3.12 has changed since"
    run = drive(submit(house, reuse="any"), place, at("sha256:two"))
    assert run.steps_reused == 0 and run.state == "succeeded"
    assert drive(submit(house, reuse="any"), place, at("sha256:two")).steps_reused == 3


def test_a_step_whose_environment_is_not_known_runs_where_the_image_is(house: House, place: Place) -> None:
    first(house, place)
    place.agent.environments = [{"image": "python:*", "fingerprint": "sha256:one"}]
    place.agent.save()
    why = reasons(quote(house, reuse="any")["reuse"])["prepare"]
    assert why == "it is not known in which environment python:3.12 was then"


def test_a_failed_step_is_not_reused_and_is_named(house: House, place: Place) -> None:
    old = drive(submit(house), place, lambda name, spec: End(code=1) if name == "train" else ends(name, spec))
    assert old.state == "failed"
    plan = quote(house, reuse="any")["reuse"]
    assert verdicts(plan) == {"prepare": "reused", "train": "runs", "report": "later"}
    assert reasons(plan)["train"] == f"it ended Failed in {old.name}"


def test_another_project_has_nothing_to_give(house: House, place: Place) -> None:
    old = first(house, place)
    other = make_house(budget_micros=100_000_000)
    body = {"project": other.project.slug, "manifest": CHAIN, "reuse": "any"}
    assert other.api["member"].post("quotes", body).json()["reuse"]["reused"] == 0
    for ref in (old.pk, str(old.job_number)):
        refused = other.api["member"].post("runs", {**body, "reuse": ref})
        assert "no run" in problem_of(refused, 422)["detail"]


def test_a_deleted_run_has_nothing_to_give(house: House, place: Place) -> None:
    old = first(house, place)
    Run.objects.filter(pk=old.pk).update(deleted_at_ms=clock.now_ms())
    assert quote(house, reuse="any")["reuse"]["reused"] == 0
    problem_of(
        house.api["member"].post("quotes", {"project": house.project.slug, "manifest": CHAIN, "reuse": old.pk}), 422
    )


def test_a_named_run_is_the_only_source(house: House, place: Place) -> None:
    other = first(house, place, parameters={"data": "else"})
    first(house, place)
    plan = quote(house, reuse=str(other.job_number))["reuse"]
    assert (plan["mode"], plan["run_id"], plan["reused"]) == ("run", other.pk, 0)


def test_what_names_its_own_run_differs_by_itself(house: House, place: Place) -> None:
    text = CHAIN.replace('[prepare, "{{workflow.parameters.data}}"]', '[prepare, "{{workflow.uid}}"]')
    first(house, place, manifest=text)
    run = drive(submit(house, manifest=text, reuse="any"), place, ends)
    assert task_of(run, "prepare").reuse is None and task_of(run, "train").reuse is None  # other bytes went in
    assert task_of(run, "report").reuse["from"]["node_name"] == "report"  # the same number came out


def test_steps_of_one_run_do_not_answer_each_other(house: House, place: Place) -> None:
    """Two equal steps of one run may be two draws: both run."""
    twin = "- {name: twin, template: prepare}"
    text = CHAIN.replace(
        "- name: prepare\n            template: prepare\n",
        f"{twin}\n          - name: prepare\n            template: prepare\n",
        1,
    )
    run = drive(submit(house, manifest=text, reuse="any"), place, ends)
    assert run.state == "succeeded" and run.steps_reused == 0
    assert task_of(run, "twin").reuse_key == task_of(run, "prepare").reuse_key
    assert spec_of(task_of(run, "twin").spec).argv == spec_of(task_of(run, "prepare").spec).argv


def test_look_ups_do_not_grow_with_the_steps_of_a_batch(
    house: House, place: Place, django_assert_max_num_queries: Any
) -> None:
    from fubini.runs.reuse.lookup import keyed_of, sources_of

    first(house, place)
    specs = [TaskSpec(template="t", image="python:3.12", argv=("prepare", str(n))) for n in range(800)]
    keys = [k.key for k in keyed_of(house.project.pk, specs)]
    assert len(set(keys)) == 800
    with django_assert_max_num_queries(1):  # nothing found: one look-up for all of them
        assert sources_of(house.project.pk, keys) == {}
