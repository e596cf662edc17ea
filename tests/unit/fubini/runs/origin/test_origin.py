"""Provenance on real rows, over REST: both directions, across runs, and nothing of another project."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from fubini.datasets.models import Artifact
from fubini.datasets.services import artifacts_delete, blob_record
from fubini.runs.engine import TaskSpec
from fubini.runs.models import Run, RunInput
from tests.support.driven import End, drive, task_of
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import Place

CHAIN = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: chain-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: rate, value: "0.1"}]}
  volumes:
    - {name: frames, persistentVolumeClaim: {claimName: methanol}}
  templates:
    - name: main
      dag:
        tasks:
          - {name: prepare, template: prepare}
          - name: train
            template: train
            dependencies: [prepare]
            arguments:
              parameters: [{name: rate, value: "{{workflow.parameters.rate}}"}]
              artifacts: [{name: data, from: "{{tasks.prepare.outputs.artifacts.data}}"}]
          - name: plot
            template: plot
            dependencies: [train]
            arguments: {artifacts: [{name: model, from: "{{tasks.train.outputs.artifacts.model}}"}]}
    - name: prepare
      container: {image: "python:3.12", command: [prepare], volumeMounts: [{name: frames, mountPath: /data, readOnly: true}]}
      outputs: {artifacts: [{name: data, path: /tmp/data}]}
    - name: train
      inputs: {parameters: [{name: rate}], artifacts: [{name: data, path: /tmp/in}]}
      container: {image: "docker.io/library/python:3.12", command: [train, "{{inputs.parameters.rate}}"]}
      outputs: {artifacts: [{name: model, path: /tmp/model}]}
    - name: plot
      inputs: {artifacts: [{name: model, path: /tmp/model}]}
      container: {image: "python:3.12", command: [plot]}
      outputs: {artifacts: [{name: picture, path: /tmp/picture}]}
"""


def ends(name: str, spec: TaskSpec) -> End:
    end = End(files={a.name: f"{a.name} {spec.argv[-1]}".encode() for a in spec.artifacts_out})
    end.fingerprint = "sha256:here"
    return end


def keep(house: House, name: str, content: bytes) -> dict[str, Any]:
    """A dataset version of one file."""
    digest = hashlib.sha256(content).hexdigest()
    blob_record(project_id=house.project.pk, digest=digest, size_bytes=len(content))
    body = {"project": house.project.slug, "name": name, "entries": [{"path": "f", "size": len(content), "sha256": digest}]}
    answer = house.api["member"].post("datasets", body)
    assert answer.status_code in (200, 201), answer.content
    found: dict[str, Any] = answer.json()
    return found


def run_of(house: House, place: Place, text: str = CHAIN, **more: Any) -> Run:
    body = {"project": house.project.slug, "manifest": text, **more}
    answer = house.api["member"].post("runs", body)
    assert answer.status_code == 201, answer.content
    run = drive(Run.objects.select_related("project").get(pk=answer.json()["id"]), place, ends)
    assert run.state == "succeeded", run.message
    return run


def key_of(run: Run, step: str, name: str) -> str:
    return f"{run.pk}/{task_of(run, step).node_id}/0/{name}"


def origin(house: House, path: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = house.api["viewer"].get(f"{path}/origin{query}").json()
    return found


def told(found: dict[str, Any], side: str) -> list[str]:
    """"kind name" of what is on a side, nearest first."""
    return [f"{p['kind']} {p['name']}" for p in found["places"] if p["side"] == side]


def links(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    names = {p["id"]: p["name"] for p in found["places"]}
    return {(names[link["before"]], link["how"], names[link["after"]]) for link in found["links"]}


def test_an_artifact_names_all_it_came_from_and_all_that_was_made_of_it(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    found = origin(house, f"artifacts/{key_of(run, 'train', 'model')}")
    assert told(found, "start") == ["artifact model"]
    assert told(found, "behind") == ["step train", "artifact data", "step prepare", "dataset methanol@1"]
    assert told(found, "ahead") == ["step plot", "artifact picture"]
    assert ("methanol@1", "read", "prepare") in links(found) and ("train", "left", "model") in links(found)
    assert not found["incomplete"] and not any(p["more"] for p in found["places"])


def test_a_step_tells_where_and_in_what_it_ran_and_its_run_who_and_with_what(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place, parameters={"rate": "0.2"})
    found = origin(house, f"artifacts/{key_of(run, 'train', 'model')}")
    train = next(p for p in found["places"] if p["name"] == "train")
    assert train["step"]["image"] == "docker.io/library/python:3.12" and train["step"]["parameters"] == {"rate": "0.2"}
    assert (train["step"]["attempt"]["pool"], train["step"]["attempt"]["fingerprint"]) == (place.pool.name, "sha256:here")
    [told_run] = found["runs"]
    assert told_run["submitted_by"] == f"user:{house.users['member'].username}" and told_run["parameters"] == {"rate": "0.2"}
    assert told_run["manifest_sha256"] == hashlib.sha256(CHAIN.encode()).hexdigest()
    model = found["places"][0]["content"]
    assert model["file"]["sha256"] == hashlib.sha256(b"model 0.2").hexdigest() and model["size_bytes"] == len("model 0.2")


def test_a_dataset_version_names_the_steps_that_read_it_and_not_those_of_another_version(house: House, place: Place) -> None:
    made = keep(house, "methanol", b"frames")
    first = run_of(house, place)
    keep(house, "methanol", b"other frames")
    second = run_of(house, place)
    found = origin(house, f"datasets/{made['id']}/versions/1", "?direction=ahead")
    assert told(found, "ahead")[0] == "step prepare" and {r["id"] for r in found["runs"]} == {first.pk}
    found = origin(house, f"datasets/{made['id']}/versions/2", "?direction=ahead")
    assert {r["id"] for r in found["runs"]} == {second.pk} and told(found, "behind") == []


def test_an_artifact_kept_as_a_dataset_is_followed_into_the_runs_that_read_it(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    body = {"project": house.project.slug, "name": "models", "artifact": key_of(run, "train", "model")}
    kept = house.api["member"].post("datasets", body).json()
    assert kept["version"] == 1 and kept["created"]
    later = run_of(house, place, CHAIN.replace("claimName: methanol", "claimName: models"))
    found = origin(house, f"artifacts/{key_of(run, 'train', 'model')}")
    assert ("model", "kept", "models@1") in links(found) and ("models@1", "read", "prepare") in links(found)
    back = origin(house, f"artifacts/{key_of(later, 'plot', 'picture')}", "?direction=behind&depth=30")
    assert told(back, "behind")[-1] == "dataset methanol@1" and {r["id"] for r in back["runs"]} == {run.pk, later.pk}


def test_a_result_taken_over_leads_to_the_step_that_ran_and_back_to_its_copy(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    old = run_of(house, place)
    new = run_of(house, place, reuse="any", parameters={"rate": "0.3"})
    assert new.steps_reused == 1
    back = origin(house, f"artifacts/{key_of(new, 'train', 'model')}")
    assert ("prepare", "taken_over", "prepare") in links(back)
    assert {p["run"] for p in back["places"] if p["name"] == "prepare"} == {old.pk, new.pk}
    copies = [p for p in back["places"] if p["name"] == "prepare"]
    assert copies[0]["step"]["attempt"] == copies[1]["step"]["attempt"] is not None  # the try that really ran
    ahead = origin(house, f"artifacts/{key_of(old, 'prepare', 'data')}", "?direction=ahead")
    assert {p["run"] for p in ahead["places"]} == {old.pk}  # another key over the same bytes
    both = origin(house, f"datasets/{house.api['viewer'].get('datasets').json()['results'][0]['id']}/versions/1")
    assert {r["id"] for r in both["runs"]} == {old.pk, new.pk}


def test_a_run_as_a_whole_names_the_datasets_and_runs_it_drew_on(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    old = run_of(house, place)
    new = run_of(house, place, reuse=str(old.pk), parameters={"rate": "0.3"})
    found = origin(house, f"runs/{new.pk}")
    assert (old.name, "taken_over", new.name) in links(found) and ("methanol@1", "read", new.name) in links(found)
    assert (old.name, "taken_over", new.name) in links(origin(house, f"runs/{old.pk}", "?direction=ahead"))


def test_a_source_is_one_row_a_run_however_many_steps_read_it(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    text = CHAIN.replace("{name: prepare, template: prepare}", '{name: prepare, template: prepare, withSequence: {count: "6"}}')
    text = text.replace('from: "{{tasks.prepare.outputs.artifacts.data}}"', "raw: {data: x}")
    run = run_of(house, place, text)
    assert list(RunInput.objects.filter(run=run).values_list("key", "source_run")) == [("dataset/methanol@1", "")]


def test_a_cut_answer_says_where_more_is_and_the_look_goes_on_from_there(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    path = f"artifacts/{key_of(run, 'plot', 'picture')}"
    found = origin(house, path, "?direction=behind&depth=2")
    assert [(p["name"], p["more"]) for p in found["places"]] == [("picture", False), ("plot", False), ("model", True)]
    assert [p["more"] for p in origin(house, path, "?direction=behind&limit=1")["places"]] == [False, True]
    problem_of(house.api["viewer"].get(f"{path}/origin?limit=100000"), 422)


def test_what_was_cleared_is_named_as_gone(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    key = key_of(run, "plot", "picture")
    artifacts_delete(run_ids=[run.pk], keep=Artifact.objects.filter(pk=key).values("key"))
    found = origin(house, f"artifacts/{key}")
    assert {p["name"]: p["content"]["gone"] for p in found["places"] if p["kind"] == "artifact"} == {
        "picture": False, "model": True, "data": True,
    }  # fmt: skip
    assert "dataset methanol@1" in told(found, "behind")  # the chain has no hole


def test_two_projects_with_the_same_names_and_bytes_see_nothing_of_each_other(house: House, place: Place) -> None:
    other = make_house(budget_micros=100_000_000)
    ids = {}
    for of in (house, other):
        made = keep(of, "methanol", b"frames")
        ids[of.project.pk] = (made["id"], run_of(of, place))
    dataset, run = ids[house.project.pk]
    theirs, their_run = ids[other.project.pk]
    text = house.api["viewer"].get(f"datasets/{dataset}/versions/1/origin").content.decode()
    assert run.pk in text
    for stranger in (their_run.pk, theirs, their_run.name, str(other.project.pk), other.users["member"].username):
        assert stranger not in text
    for path in (f"datasets/{theirs}/versions/1", f"artifacts/{key_of(their_run, 'train', 'model')}", f"runs/{their_run.pk}"):
        for end in ("origin", *(("ro-crate-metadata.json",) if not path.startswith("runs") else ())):
            problem_of(house.api["owner"].get(f"{path}/{end}"), 404)
    stolen = {"project": house.project.slug, "name": "mine", "artifact": key_of(their_run, "train", "model")}
    problem_of(house.api["owner"].post("datasets", stolen), 404)


def test_a_wider_graph_takes_no_more_queries(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")

    def wide(count: int) -> int:
        text = CHAIN.replace(
            "          - name: plot\n", f'          - name: plot\n            withSequence: {{count: "{count}"}}\n'
        )
        run = run_of(house, place, text)
        path = f"artifacts/{key_of(run, 'train', 'model')}"
        origin(house, path)  # a token's first use is written down
        with CaptureQueriesContext(connection) as queries:
            found = origin(house, path, "?direction=ahead")
        assert len(found["places"]) == 1 + 2 * count
        return len(queries)

    assert wide(12) == wide(2) < 30
