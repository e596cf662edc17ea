"""What a project lets pass, how it reads a cluster's words, and what it is told of a manifest."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.cluster_fields import CLUSTER_FIELDS, cluster_field, general_path
from fubini.manifests.explain import explain
from fubini.manifests.import_rules import ImportRules, problems, rules_from
from fubini.manifests.schema import object_type, object_types
from tests.unit.fubini.manifests.build import check, workflow

CLUSTER = """\
- name: main
  serviceAccountName: runner
  securityContext: {runAsUser: 1000}
  container:
    image: registry.group.org/lammps:2024
    securityContext: {privileged: true}
"""
SPEC = """\
entrypoint: main
serviceAccountName: runner
tolerations: [{key: gpu, operator: Exists}]
hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
podGC: {strategy: OnPodCompletion}
nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100}
"""


def findings(rules: ImportRules) -> list[tuple[str, str, str]]:
    report = check(workflow(CLUSTER, SPEC), supported=SUPPORTED, rules=rules)
    return sorted((f.severity, f.code, f.path) for f in report.findings)


def test_by_default_cluster_fields_are_refused_and_the_refusal_names_the_setting() -> None:
    report = check(workflow(CLUSTER, SPEC), supported=SUPPORTED)
    by_path = {f.path: f for f in report.errors}
    assert set(by_path) == {
        "spec.serviceAccountName", "spec.tolerations", "spec.hostAliases", "spec.templates[0].serviceAccountName",
        "spec.templates[0].securityContext", "spec.templates[0].container.securityContext",
    }  # fmt: skip
    assert "fubini project import-rules --ignore tolerations" in by_path["spec.tolerations"].help
    assert "import-rules" not in by_path["spec.hostAliases"].help
    assert not report.warnings


def test_what_a_project_ignores_is_a_named_warning_and_the_rest_stays_refused() -> None:
    assert findings(ImportRules(frozenset({"serviceAccountName", "securityContext"}))) == [
        ("error", "unsupported", "spec.hostAliases"),
        ("error", "unsupported", "spec.tolerations"),
        ("warning", "cluster-field-ignored", "spec.serviceAccountName"),
        ("warning", "cluster-field-ignored", "spec.templates[0].container.securityContext"),
        ("warning", "cluster-field-ignored", "spec.templates[0].securityContext"),
        ("warning", "cluster-field-ignored", "spec.templates[0].serviceAccountName"),
    ]


def test_a_mistake_inside_an_ignored_field_is_still_an_error() -> None:
    text = workflow(CLUSTER, "entrypoint: main\ntolerations: [{kee: gpu}]\n")
    report = check(text, supported=SUPPORTED, rules=ImportRules(frozenset(CLUSTER_FIELDS)))
    assert [(f.code, f.path) for f in report.errors] == [("unknown-field", "spec.tolerations[0].kee")]


def test_templates_in_a_step_and_defaults_of_templates_are_read_alike() -> None:
    text = workflow(
        "- name: main\n  steps: [[{name: a, inline: {tolerations: [{key: x}], container: {image: a}}}]]\n",
        "entrypoint: main\ntemplateDefaults: {schedulerName: kube}\n",
    )
    rules = ImportRules(frozenset({"tolerations", "schedulerName"}))
    assert len(check(text, supported=SUPPORTED).errors) == 2
    assert check(text, supported=SUPPORTED, rules=rules).errors == ()


@pytest.mark.parametrize("name", CLUSTER_FIELDS)
def test_every_path_of_the_table_is_a_field_of_argo_and_none_is_honoured(name: str) -> None:
    field = CLUSTER_FIELDS[name]
    assert field.means and field.means[-1] != "."
    for text in field.paths:
        known = object_type("WorkflowSpec")
        for step in text.split("."):
            found = known.fields[step.replace("[]", "")].type
            for _ in range(step.count("[]")):
                assert found.inner is not None
                found = found.inner
            if found.shape == "type":
                known = object_types()[found.name]
        path = tuple(s for step in text.split(".") for s in ([step[:-2], 0] if step.endswith("[]") else [step]))
        assert cluster_field(("spec", *path)) is field
        assert cluster_field(("spec", *path, "below", 0)) is field


def test_a_field_is_not_taken_for_one_that_begins_alike() -> None:
    assert cluster_field(("spec", "metricsOfOurs")) is None
    assert cluster_field(("spec", "affinity", "nodeAffinity")) is None
    assert cluster_field(()) is None
    assert general_path(("spec", "templates", 0, "steps", 1, 0, "inline", "name")) == "spec.templates[].name"


RULES = ImportRules(
    node_labels={
        "nvidia.com/gpu.product=NVIDIA-A100": "fubini.dev/accelerator=a100",
        "nvidia.com/gpu.product=NVIDIA-H100": "fubini.dev/accelerator=h100",
        "topology.kubernetes.io/region": "fubini.dev/region",
        "kubernetes.io/os": "",
        "kubernetes.io/arch=amd64": "",
    },
    images={"registry.group.org/lammps:2024": "lammps", "registry.group.org/*": "mirror/*", "old/*": "new"},
)


@pytest.mark.parametrize(
    ("key", "values", "want"),
    [
        ("nvidia.com/gpu.product", ("NVIDIA-A100",), ("fubini.dev/accelerator", ("a100",))),
        ("nvidia.com/gpu.product", ("NVIDIA-A100", "NVIDIA-H100"), ("fubini.dev/accelerator", ("a100", "h100"))),
        ("nvidia.com/gpu.product", ("NVIDIA-A100", "T4"), ("nvidia.com/gpu.product", ("NVIDIA-A100", "T4"))),
        ("topology.kubernetes.io/region", ("eu",), ("fubini.dev/region", ("eu",))),
        ("topology.kubernetes.io/region", (), ("fubini.dev/region", ())),
        ("kubernetes.io/os", ("linux",), None),
        ("kubernetes.io/arch", ("amd64",), None),
        ("kubernetes.io/arch", ("arm64",), ("kubernetes.io/arch", ("arm64",))),
        ("other", ("x",), ("other", ("x",))),
    ],
)
def test_conditions_are_read_by_value_then_by_label(key: str, values: tuple[str, ...], want: Any) -> None:
    assert RULES.label(key, values) == want


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("registry.group.org/lammps:2024", "lammps"),
        ("registry.group.org/vasp:6", "mirror/vasp:6"),
        ("old/anything", "new"),
        ("python:3.12", "python:3.12"),
    ],
)
def test_images_are_read_by_their_whole_name_then_by_their_longest_begin(name: str, want: str) -> None:
    assert RULES.image(name) == want


@pytest.mark.parametrize(
    ("rules", "want"),
    [
        ({"ignored": ["podSpecPatch"]}, "'podSpecPatch' cannot be ignored."),
        ({"ignored": ["toleration"]}, "Did you mean 'tolerations'?"),
        ({"ignored": "tolerations"}, "ignored is not a list"),
        ({"ignore": []}, "There is no 'ignore'"),
        ({"images": {"a b": "c"}}, "cannot be mapped"),
        ({"images": {"a": ""}}, "cannot be mapped"),
        ({"images": ["a"]}, "not a mapping"),
        ({"node_labels": {"a=b": "c"}}, "differ in form"),
        ({"node_labels": {"a=b": "c=d", "a=e": "f=g"}}, "map to two labels"),
        ({"node_labels": {"-a": "b"}}, "cannot be mapped"),
        ({"node_labels": {f"k{i}": "v" for i in range(201)}}, "not a mapping"),
    ],
)
def test_what_is_wrong_with_rules_is_said(rules: dict[str, Any], want: str) -> None:
    found = list(problems(rules))
    assert any(want in what for _, what, _ in found), found
    assert all(allowed for _, _, allowed in found)


def test_good_rules_survive_storing_and_unknown_names_do_not() -> None:
    stored = {**RULES.as_json(), "ignored": ["tolerations", "gone"]}
    assert rules_from(stored) == ImportRules(frozenset({"tolerations"}), RULES.node_labels, RULES.images)
    assert list(problems(RULES.as_json())) == []
    assert not rules_from({}) and not rules_from(None)


def test_a_manifest_is_explained_field_by_field() -> None:
    document = check(workflow(CLUSTER, SPEC)).document
    assert document is not None
    rules = ImportRules(frozenset({"securityContext"}), RULES.node_labels, RULES.images)
    explained = explain(document, SUPPORTED, rules)
    rows = {(r.path, r.verdict): r for r in explained}
    verdicts = dict(rows.keys())
    assert verdicts["spec.hostAliases"] == verdicts["spec.tolerations"] == "refused"
    assert verdicts["spec.templates[].container.securityContext"] == "ignored"
    assert verdicts["spec.podGC.strategy"] == "mapped"
    assert verdicts["spec.entrypoint"] == verdicts["spec.templates[].name"] == "honoured"
    assert rows["spec.templates[].name", "honoured"].count == 3
    label = rows["spec.nodeSelector.nvidia.com/gpu.product", "mapped"]
    assert "read as fubini.dev/accelerator=a100" in label.note
    notes = [r.note for r in explained if r.path == "spec.templates[].container.image"]
    assert any("registry.group.org/lammps:2024 is read as lammps" in note for note in notes)
    assert [r.verdict for r in explained] == sorted(
        (r.verdict for r in explained), key=["refused", "ignored", "mapped", "honoured"].index
    )
