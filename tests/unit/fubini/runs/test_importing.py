"""A run reads a cluster's words by the rules it was submitted with, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.manifests.import_rules import ImportRules
from fubini.runs.codec import spec_of, to_json
from fubini.runs.engine import ContainerKind, ContainerSpec, PreferredTerm, Requirement, TaskSpec
from fubini.runs.importing import spec_mapped
from fubini.runs.models import Run
from tests.support.driven import drive, task_of
from tests.support.rest import House, make_house, problem_of
from tests.support.rows import make_place

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: theirs}
spec:
  entrypoint: main
  serviceAccountName: runner
  templates:
    - name: main
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100, kubernetes.io/os: linux}
      container: {image: "registry.group.org/lammps:2024", command: [lmp]}
"""
RULES = {
    "ignored": ["serviceAccountName"],
    "node_labels": {"nvidia.com/gpu.product=NVIDIA-A100": "fubini.dev/accelerator=a100", "kubernetes.io/os": ""},
    "images": {"registry.group.org/lammps:*": "lammps"},
}


def spec(**more: Any) -> TaskSpec:
    return TaskSpec(template="main", argv=("a",), **{"image": "theirs:1", **more})


def test_a_specification_that_no_rule_fits_stays_itself() -> None:
    before = spec(required=((Requirement("a", "In", ("b",)),),))
    assert spec_mapped(before, ImportRules(frozenset({"metrics"}), {}, {"other": "x"})) is before


def test_a_term_whose_conditions_are_all_dropped_is_met_anywhere() -> None:
    rules = ImportRules(node_labels={"a": ""})
    either = ((Requirement("a", "In", ("b",)),), (Requirement("c", "Exists"),))
    mapped = spec_mapped(spec(required=either), rules)
    assert mapped.required == ()
    assert mapped.mapped == (("node_label", "a=b", ""),)
    soft = (PreferredTerm(5, (Requirement("a", "Exists"),)), PreferredTerm(6, (Requirement("c", "Exists"),)))
    assert spec_mapped(spec(preferred=soft), rules).preferred == soft[1:]


def test_the_images_of_all_containers_are_read_alike() -> None:
    beside = ContainerSpec("db", ContainerKind.SIDECAR, "theirs:2", ("b",))
    mapped = spec_mapped(spec(containers=(beside,)), ImportRules(images={"theirs:2": "ours"}))
    assert (mapped.image, mapped.containers[0].image) == ("theirs:1", "ours")
    assert mapped.mapped == (("image", "theirs:2", "ours"),)


def test_what_was_mapped_survives_storing() -> None:
    mapped = spec_mapped(spec(), ImportRules(images={"theirs:*": "ours"}))
    assert spec_of(to_json(mapped)) == mapped
    assert "mapped" not in to_json(spec())


@pytest.fixture
def house(db: None, tmp_path: Any, settings: Any) -> House:
    settings.FUBINI_HOME = tmp_path
    return make_house(budget_micros=10_000_000)


def put(house: House, body: Any, role: str = "maintainer", **headers: str) -> Any:
    return house.api[role].put(f"projects/{house.project.slug}/import-rules", body, If_Match="*", **headers)


def submit(house: House) -> Any:
    return house.api["member"].post("runs", {"project": house.project.slug, "manifest": MANIFEST})


def test_only_maintainers_change_the_rules_and_wrong_ones_are_refused_whole(house: House) -> None:
    problem_of(put(house, RULES, "member"), 403)
    problem = problem_of(put(house, {"ignored": ["podSpecPatch", "hostAliases"]}), 422)
    assert [e["pointer"] for e in problem["errors"]] == ["/ignored", "/ignored"]
    answer = put(house, RULES)
    assert answer.status_code == 200, answer.content
    kept = house.api["viewer"].get(f"projects/{house.project.slug}/import-rules").json()
    assert {k: kept[k] for k in RULES} == RULES
    assert "podSpecPatch" not in kept["may_ignore"] and "metrics" in kept["may_ignore"]
    problem_of(house.api["maintainer"].put(f"projects/{house.project.slug}/import-rules", {}, If_Match='"0"'), 412)


def test_a_run_is_read_by_the_rules_it_was_submitted_with(house: House) -> None:
    place = make_place()
    problem = problem_of(submit(house), 422)
    assert [e["path"] for e in problem["errors"]] == ["spec.serviceAccountName"]
    assert "import-rules --ignore serviceAccountName" in problem["errors"][0]["next_step"]
    put(house, RULES)
    made = submit(house)
    assert made.status_code == 201, made.content
    assert [w["code"] for w in made.json()["warnings"]] == ["cluster-field-ignored"]
    put(house, {})
    run = drive(Run.objects.get(pk=made.json()["id"]), place)
    assert run.state == "succeeded"
    task = task_of(run, "theirs")
    found = spec_of(task.spec)
    assert found.image == "lammps"
    assert found.required == ((Requirement("fubini.dev/accelerator", "In", ("a100",)),),)
    why = house.api["viewer"].get(f"tasks/{task.pk}/why").json()
    assert sorted(why["mapped"], key=str) == [
        {"what": "image", "theirs": "registry.group.org/lammps:2024", "ours": "lammps"},
        {"what": "node_label", "theirs": "kubernetes.io/os=linux", "ours": ""},
        {"what": "node_label", "theirs": "nvidia.com/gpu.product=NVIDIA-A100", "ours": "fubini.dev/accelerator=a100"},
    ]
    manifest = house.api["viewer"].get(f"runs/{run.pk}/manifest").json()
    assert [(w["code"], w["path"]) for w in manifest["warnings"]] == [
        ("cluster-field-ignored", "spec.serviceAccountName")
    ]
    problem_of(submit(house), 422)


def test_a_quote_and_a_lint_read_the_manifest_by_the_project_s_rules(house: House) -> None:
    body = {"project": house.project.slug, "manifest": MANIFEST}
    assert house.api["viewer"].post("lint", body).json()["ok"] is False
    put(house, RULES)
    assert house.api["viewer"].post("lint", body).json()["ok"] is True
    answer = house.api["viewer"].post("quotes", body)
    assert answer.status_code == 200, answer.content
    assert [w["path"] for w in answer.json()["warnings"]] == ["spec.serviceAccountName"]
