"""Our field table has what Argo's CRDs have, and nothing else."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import yaml

from fubini.engines.embedded.supported import SUPPORTED
from fubini.manifests.argo_fields import PATTERNS
from fubini.manifests.field_help import FIELD_HELP
from fubini.manifests.schema import FieldType, ObjectType, object_type, object_types, type_of_kind
from tests.unit.fubini.manifests.build import errors, workflow
from tests.unit.fubini.manifests.shared import shared_folder

CRDS = {
    "Workflow": "argoproj.io_workflows.yaml.gz",
    "WorkflowTemplate": "argoproj.io_workflowtemplates.yaml.gz",
    "ClusterWorkflowTemplate": "argoproj.io_clusterworkflowtemplates.yaml.gz",
    "CronWorkflow": "argoproj.io_cronworkflows.yaml.gz",
}
# Every difference between our table and Argo's CRDs, and why it is none of meaning. Anything else fails the test.
SERVER_OWNED = {"status"}  # the server writes it; a submitted one is ignored with a warning
LEFT_TO_KUBERNETES = {"metadata"}  # the CRD says nothing of it; the API server's own rules are in our table and checks
UNEQUAL_KEYWORDS = {
    "description": "our help texts are our own",
    "default": "what is absent means the default where it is used, here as on a cluster",
    "x-kubernetes-map-type": "how server-side apply merges",
    "x-kubernetes-list-type": "how server-side apply merges; 'map' and 'set' are uniqueness: compared below, and RULES",
    "x-kubernetes-validations": "rules over several fields are code: RULES",
    "format": "int32 and int64 are types of ours; byte and date-time: FORMATS",
    "anyOf": "repeats x-kubernetes-int-or-string",
    "items": "walked", "properties": "walked", "additionalProperties": "walked", "required": "compared",
    "type": "compared", "x-kubernetes-int-or-string": "compared", "x-kubernetes-preserve-unknown-fields": "compared",
    "x-kubernetes-list-map-keys": "compared",
}  # fmt: skip
FORMATS = {
    ("byte", "bodyFrom.bytes"): "a check of our own: base64",
    ("date-time", "status.conditions[].lastProbeTime"): "a claim's status is the cluster's to write",
    ("date-time", "status.conditions[].lastTransitionTime"): "a claim's status is the cluster's to write",
}
SETS = {"restartPolicyRules[].exitCodes.values": "a check of our own: each code once"}


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
        self.rules: set[str] = set()

    def object(self, path: str, ours: ObjectType, theirs: dict[str, Any]) -> None:
        self.keywords(path, theirs, ())
        names = set(theirs.get("properties", {})) - (SERVER_OWNED if path == "" else set())
        for name in sorted(names ^ set(ours.fields)):
            self.differences.append(f"{path}.{name}: only {'theirs' if name in names else 'ours'}")
        if set(ours.required) != set(theirs.get("required", ())):
            self.differences.append(f"{path}: required {ours.required} != {theirs.get('required')}")
        for name in names & set(ours.fields):
            if path == "" and name in LEFT_TO_KUBERNETES:
                assert theirs["properties"][name] == {"type": "object"}
                continue
            self.value(f"{path}.{name}", ours.fields[name].type, theirs["properties"][name])

    def keywords(self, path: str, theirs: dict[str, Any], compared: tuple[str, ...]) -> None:
        """A word of the schema that nobody compares or explains would be a rule that we miss."""
        for word in set(theirs) - set(compared) - set(UNEQUAL_KEYWORDS):
            self.differences.append(f"{path}: {word} {theirs[word]!r} is not compared")
        form = theirs.get("format")
        if form not in (None, "int32", "int64") and not any(form == f and path.endswith(end) for f, end in FORMATS):
            self.differences.append(f"{path}: the format {form} is not explained")
        if theirs.get("x-kubernetes-list-type") == "set" and not path.endswith(tuple(SETS)):
            self.differences.append(f"{path}: a set that is not explained")
        self.rules.update(rule["rule"] for rule in theirs.get("x-kubernetes-validations", ()))

    def value(self, path: str, ours: FieldType, theirs: dict[str, Any]) -> None:
        self.fields += 1
        kind = theirs.get("type")
        self.keywords(
            path, theirs, ("minimum", "maximum", "maxLength", "maxItems", "minItems", "minLength", "pattern", "enum")
        )
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


def _one_of(*fields: str) -> str:
    return " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields) + " <= 1"


def _at_most(*fields: str) -> str:
    return "self.all(t, " + " + ".join(f"(has(t.{field}) ? 1 : 0)" for field in fields) + " <= 1)"


# A rule of the CRDs -> the finding of ours, and a template that breaks it.
RULES: dict[str, tuple[str, str]] = {
    _one_of(*("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")): (
        "several-locations",
        "- name: main\n  inputs: {artifacts: [{name: f, path: /f, raw: {data: x}, http: {url: 'http://a'}}]}\n  container: {image: a}\n",
    ),
    "!has(self.realtime) || !self.realtime || !self.value.contains('resourcesDuration.')": (
        "realtime-resources",
        "- name: main\n  metrics: {prometheus: [{name: m, help: h, gauge: {realtime: true, value: '{{resourcesDuration.cpu}}'}}]}\n"
        "  container: {image: a}\n",
    ),
    "!(has(self.count) && has(self.end))": (
        "count-and-end",
        "- name: main\n  steps: [[{name: a, template: leaf, withSequence: {count: 1, end: 2}}]]\n",
    ),
    "!has(self.depends) || !has(self.dependencies)": (
        "depends-and-dependencies",
        "- name: main\n  dag: {tasks: [{name: a, template: leaf}, {name: b, template: leaf, depends: a, dependencies: [a]}]}\n",
    ),
    "!has(self.depends) || !has(self.continueOn)": (
        "continue-on-with-depends",
        "- name: main\n  dag: {tasks: [{name: a, template: leaf}, {name: b, template: leaf, depends: a, continueOn: {failed: true}}]}\n",
    ),
    "!(has(self.depends) || has(self.dependencies)) || !self.name.matches('^[0-9]')": (
        "digit-name",
        "- name: main\n  dag: {tasks: [{name: 1a, template: leaf, dependencies: []}]}\n",
    ),
    "(has(self.manifest) && !has(self.manifestFrom)) || (!has(self.manifest) && has(self.manifestFrom)) || "
    "(!has(self.manifest) && !has(self.manifestFrom))": (
        "two-manifests",
        "- name: main\n  resource: {action: get, manifest: 'a: 1', manifestFrom: {artifact: {name: a}}}\n",
    ),
    _at_most("container", "script", "dag", "steps", "resource", "suspend", "containerSet", "data", "http", "plugin"): (
        "several-types",
        "- name: main\n  container: {image: a}\n  suspend: {}\n",
    ),
    'self.all(t, !(has(t.timeout) && t.timeout != "" && (has(t.steps) || has(t.dag))))': (
        "leaf-only",
        "- name: main\n  timeout: 5s\n  steps: [[{name: a, template: leaf}]]\n",
    ),
    "self.all(t, !(has(t.activeDeadlineSeconds) && (has(t.steps) || has(t.dag))))": (
        "leaf-only",
        "- name: main\n  activeDeadlineSeconds: 5\n  steps: [[{name: a, template: leaf}]]\n",
    ),
}


@pytest.mark.parametrize("kind", CRDS)
def test_every_rule_of_the_crd_over_several_fields_is_one_of_ours(kind: str) -> None:
    ours = type_of_kind(kind)
    assert ours is not None
    comparison = Comparison()
    comparison.object("", ours, crd(kind))
    assert comparison.rules == set(RULES)


@pytest.mark.parametrize(
    ("code", "template"), RULES.values(), ids=[f"{c}-{n}" for n, (c, _) in enumerate(RULES.values())]
)
def test_what_breaks_a_rule_of_the_crd_is_found(code: str, template: str) -> None:
    assert code in [found for found, _ in errors(workflow(template))]


def test_bytes_are_base64_and_exit_codes_are_told_once() -> None:
    body = "- name: main\n  http: {url: 'http://a', bodyFrom: {bytes: '%s'}}\n"
    assert errors(workflow(body % "aGk=")) == []
    assert errors(workflow(body % "hi!")) == [("base64", "spec.templates[0].http.bodyFrom.bytes")]
    rule = "- name: main\n  container: {image: a, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1, %s]}}]}\n"
    assert errors(workflow(rule % "2")) == []
    assert [code for code, _ in errors(workflow(rule % "1"))] == ["duplicate"]


def test_a_planted_difference_is_found() -> None:
    theirs = crd("Workflow")
    properties = theirs["properties"]["spec"]["properties"]
    properties["entrypoint"]["type"] = "integer"
    properties["brandNew"] = {"type": "string"}
    properties["podSpecPatch"]["maxProperties"] = 3
    properties["dnsPolicy"]["format"] = "ipv4"
    del properties["onExit"]
    ours = type_of_kind("Workflow")
    assert ours is not None
    comparison = Comparison()
    comparison.object("", ours, theirs)
    assert sorted(comparison.differences) == [
        ".spec.brandNew: only theirs",
        ".spec.dnsPolicy: the format ipv4 is not explained",
        ".spec.entrypoint: type s != i64",
        ".spec.onExit: only ours",
        ".spec.podSpecPatch: maxProperties 3 is not compared",
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


def _honoured_fields(paths: frozenset[str]) -> set[str]:
    """Type and field of everything that stands on the way to a path an engine honours."""
    found: set[str] = set()
    for path in paths:
        known: ObjectType | None = object_type("Workflow")
        for step in path.replace("[]", "").split("."):
            if known is None or step == "**":
                break
            if step == "*":
                continue
            field = known.fields[step]
            found.add(f"{known.name}.{step}")
            field_type = field.type
            while field_type.inner is not None:
                field_type = field_type.inner
            known = object_type(field_type.name) if field_type.shape == "type" else None
    return found


def test_every_field_that_is_honoured_has_a_help_of_ours() -> None:
    fields = _honoured_fields(frozenset(p for p in SUPPORTED.paths if p.split(".")[0] in ("metadata", "spec")))
    fields = {f for f in fields if not f.startswith("Cron")}
    assert len(fields) > 150
    without = sorted(f for f in fields if not object_type(f.split(".")[0]).fields[f.split(".")[1]].help)
    assert without == []


def test_a_help_is_one_short_sentence() -> None:
    for key, text in FIELD_HELP.items():
        assert 3 <= len(text) <= 100 and text.endswith((".", "'.")), key
