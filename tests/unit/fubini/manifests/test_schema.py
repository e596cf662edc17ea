"""Our field table has what Argo's CRDs have, and nothing else."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import yaml

from fubini.manifests.argo_fields import PATTERNS
from fubini.manifests.field_help import FIELD_HELP
from fubini.manifests.schema import FieldType, ObjectType, object_type, object_types, type_of_kind
from tests.unit.fubini.manifests.shared import shared_folder

CRDS = {
    "Workflow": "argoproj.io_workflows.yaml.gz",
    "WorkflowTemplate": "argoproj.io_workflowtemplates.yaml.gz",
    "ClusterWorkflowTemplate": "argoproj.io_clusterworkflowtemplates.yaml.gz",
    "CronWorkflow": "argoproj.io_cronworkflows.yaml.gz",
}
# The server writes it; a submitted one is ignored with a warning.
SERVER_OWNED = {"status"}


def crd(kind: str) -> dict[str, Any]:
    path = shared_folder("testbed/argo/crds") / CRDS[kind]
    with gzip.open(path) as stream:
        text = stream.read()
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schema: dict[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


class Comparison:
    """Walks a CRD and our table side by side and lists every difference by path."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.fields = 0

    def object(self, path: str, ours: ObjectType, theirs: dict[str, Any]) -> None:
        names = set(theirs.get("properties", {})) - (SERVER_OWNED if path == "" else set())
        for name in sorted(names ^ set(ours.fields)):
            self.differences.append(f"{path}.{name}: only {'theirs' if name in names else 'ours'}")
        if set(ours.required) != set(theirs.get("required", ())):
            self.differences.append(f"{path}: required {ours.required} != {theirs.get('required')}")
        for name in names & set(ours.fields):
            if path == "" and name == "metadata":
                continue  # the CRD leaves it to the API server
            self.value(f"{path}.{name}", ours.fields[name].type, theirs["properties"][name])

    def value(self, path: str, ours: FieldType, theirs: dict[str, Any]) -> None:
        self.fields += 1
        kind = theirs.get("type")
        same = {
            "minimum": ours.minimum,
            "maximum": ours.maximum,
            "maxLength": ours.max_length,
            "maxItems": ours.most,
            "minItems" if ours.shape == "list" else "minLength": ours.least,
            "pattern": PATTERNS[ours.pattern] if ours.pattern else None,
            "enum": list(ours.words) or None,
        }
        if ours.name == "q":
            same.pop("pattern")
        for key, value in same.items():
            if theirs.get(key) != value:
                self.differences.append(f"{path}: {key} {value!r} != {theirs.get(key)!r}")
        if theirs.get("x-kubernetes-int-or-string"):
            want = "q" if "pattern" in theirs else "is"
        elif theirs.get("x-kubernetes-preserve-unknown-fields"):
            want = "obj" if kind == "object" else "any"
        elif kind == "string":
            want = "s"
        elif kind == "boolean":
            want = "b"
        elif kind == "integer":
            want = "i32" if theirs.get("format") == "int32" else "i64"
        elif kind == "number":
            want = "n"
        elif kind == "array":
            want = "list"
            keys = tuple(theirs.get("x-kubernetes-list-map-keys", ()))
            if keys != ours.unique_by:
                self.differences.append(f"{path}: unique by {ours.unique_by} != {keys}")
            if ours.inner is not None:
                self.value(path + "[]", ours.inner, theirs["items"])
        elif "properties" in theirs:
            want = "type"
            if ours.shape == "type":
                self.object(path, object_type(ours.name), theirs)
        elif "additionalProperties" in theirs:
            want = "map"
            if ours.inner is not None:
                self.value(path + ".*", ours.inner, theirs["additionalProperties"])
        else:
            want = "obj"
        got = ours.name if ours.shape == "scalar" else ours.shape
        if got != want:
            self.differences.append(f"{path}: type {got} != {want}")


@pytest.mark.parametrize("kind", CRDS)
def test_every_field_of_the_crd_is_in_our_table_with_the_same_type_and_limits(kind: str) -> None:
    ours = type_of_kind(kind)
    assert ours is not None
    comparison = Comparison()
    comparison.object("", ours, crd(kind))
    assert comparison.differences[:20] == []
    assert comparison.fields > 8000


def test_a_planted_difference_is_found() -> None:
    theirs = crd("Workflow")
    properties = theirs["properties"]["spec"]["properties"]
    properties["entrypoint"]["type"] = "integer"
    properties["brandNew"] = {"type": "string"}
    del properties["onExit"]
    ours = type_of_kind("Workflow")
    assert ours is not None
    comparison = Comparison()
    comparison.object("", ours, theirs)
    assert sorted(comparison.differences) == [
        ".spec.brandNew: only theirs",
        ".spec.entrypoint: type s != i64",
        ".spec.onExit: only ours",
    ]


def test_every_type_of_the_table_is_used_and_every_help_names_a_field() -> None:
    types = object_types()
    used = {"Workflow", "CronWorkflow"}

    def collect(field_type: FieldType) -> None:
        if field_type.inner is not None:
            collect(field_type.inner)
        elif field_type.shape == "type":
            assert field_type.name in types
            used.add(field_type.name)

    for known in types.values():
        for field in known.fields.values():
            collect(field.type)
    assert set(types) == used
    assert [key for key in FIELD_HELP if key.split(".")[1] not in types[key.split(".")[0]].fields] == []
