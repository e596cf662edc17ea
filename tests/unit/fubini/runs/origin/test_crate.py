"""The RO-Crate of an answer: who made what of what, each once, every reference answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.rest import House
from tests.support.rows import Place
from tests.unit.fubini.runs.origin.test_origin import keep, key_of, run_of


def crate(house: House, path: str) -> dict[str, dict[str, Any]]:
    """Entities by id; every reference in it is to one of them."""
    answer = house.api["viewer"].get(f"{path}/ro-crate-metadata.json")
    assert answer.status_code == 200 and "ro-crate-metadata.json" in answer["Content-Disposition"]
    graph = answer.json()["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph)
    outside = {r for r in references(graph) if r not in found}
    assert outside == {"https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/terms/workflow-run#DockerImage"}
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if value.keys() == {"@id"}:
            yield value["@id"]
        for item in value.values():
            yield from references(item)


def actions(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {e["name"].split(" ")[0]: e for e in found.values() if e["@type"] == "CreateAction"}


def test_each_step_is_an_action_with_its_inputs_results_image_and_agent(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    found = crate(house, f"artifacts/{key_of(run, 'train', 'model')}")
    assert found["./"]["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    made = actions(found)
    assert made.keys() == {"prepare", "train", "plot"} and len(found["./"]["mentions"]) == 3
    [model] = made["train"]["result"]
    assert found[model["@id"]]["sha256"] and model in made["plot"]["object"]
    read = [found[r["@id"]] for r in made["train"]["object"]]
    assert {(e["@type"], e["name"]) for e in read} == {("File", "data"), ("PropertyValue", "rate")}
    assert found[made["train"]["agent"]["@id"]]["name"] == house.users["member"].username
    image = found[made["train"]["containerImage"]["@id"]]
    assert (image["registry"], image["name"], image["tag"]) == ("docker.io", "library/python", "3.12")
    assert "sha256" not in image  # no digest was recorded, so none is told


def test_what_was_taken_over_is_a_result_of_the_step_that_ran(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run_of(house, place)
    new = run_of(house, place, reuse="any", parameters={"rate": "0.3"})
    found = crate(house, f"artifacts/{key_of(new, 'train', 'model')}")
    prepare = [e for e in found.values() if e["@type"] == "CreateAction" and e["name"].startswith("prepare")]
    assert len(prepare) == 1
    assert {r["@id"] for r in prepare[0]["result"]} >= {r["@id"] for r in actions(found)["train"]["object"] if "data" in r["@id"]}


def test_a_kept_dataset_version_is_based_on_its_artifact(house: House, place: Place) -> None:
    keep(house, "methanol", b"frames")
    run = run_of(house, place)
    body = {"project": house.project.slug, "name": "models", "artifact": key_of(run, "train", "model")}
    kept = house.api["member"].post("datasets", body).json()
    found = crate(house, f"datasets/{kept['id']}/versions/1")
    [version] = [e for e in found.values() if e.get("name") == "models@1"]
    [artifact] = version["isBasedOn"]
    assert found[artifact["@id"]]["identifier"] == key_of(run, "train", "model")
