"""Fields that an engine does not honour are named, never passed over."""

from __future__ import annotations

from typing import Any

import yaml

from fubini.manifests.supported import SupportedFields
from tests.unit.fubini.manifests.build import check, steps, workflow

FIELDS = SupportedFields(
    {
        "spec.entrypoint",
        "spec.templates[].name",
        "spec.templates[].container.image",
        "spec.templates[].container.args",
        "spec.templates[].container.resources.requests.*",
        "spec.templates[].inputs.**",
        "spec.templates[].steps[][].name",
        "spec.templates[].steps[][].template",
        "spec.templates[].steps[][].templateRef.**",
        "spec.templates[].steps[][].inline",
        "spec.templateDefaults",
    }
)


def unsupported(text: str, library: list[dict[str, Any]] | None = None) -> list[str]:
    return [f.path for f in check(text, supported=FIELDS, library=library or []).unsupported]


def test_a_manifest_of_supported_fields_passes() -> None:
    assert unsupported(steps("{name: a, template: leaf}")) == []
    assert (
        unsupported(workflow("- name: main\n  container: {image: a, args: [b], resources: {requests: {x/y: 1}}}\n"))
        == []
    )


def test_the_highest_unsupported_field_is_named_once() -> None:
    text = workflow("- name: main\n  container: {image: a, resources: {limits: {cpu: 1, memory: 1}}}\n  metrics: {}\n")
    assert unsupported(text) == ["spec.templates[0].container.resources.limits"]


def test_empty_values_are_as_good_as_absent() -> None:
    assert unsupported(workflow("- name: main\n  container: {image: a, env: [], stdin: null}\n  sidecars: []\n")) == []


def test_the_message_begins_with_the_path_and_has_a_place() -> None:
    finding = check(workflow("- name: main\n  daemon: true\n  container: {image: a}\n"), supported=FIELDS).unsupported[
        0
    ]
    assert finding.message.startswith("spec.templates[0].daemon: ")
    assert (finding.line, finding.kind, finding.severity) == (8, "unsupported", "error")


def test_inline_templates_and_defaults_are_judged_as_templates() -> None:
    inline = steps("{name: a, inline: {container: {image: a, tty: true}}}")
    assert unsupported(inline) == ["spec.templates[0].steps[0][0].inline.container.tty"]
    defaults = workflow(
        "- {name: main, container: {image: a}}\n", "entrypoint: main\ntemplateDefaults: {daemon: true}\n"
    )
    assert unsupported(defaults) == ["spec.templateDefaults.daemon"]


def test_an_unknown_field_is_not_reported_twice() -> None:
    text = workflow("- name: main\n  container: {image: a, imge: b}\n")
    assert [f.code for f in check(text, supported=FIELDS).errors] == ["unknown-field"]


def test_only_the_templates_of_a_library_that_are_used_count() -> None:
    library = [
        yaml.safe_load(
            "{kind: WorkflowTemplate, metadata: {name: lib}, spec: {templates: [{name: good, container: {image: a}},"
            "{name: odd, daemon: true, container: {image: a}}]}}"
        )
    ]
    assert unsupported(steps("{name: a, templateRef: {name: lib, template: good}}"), library) == []
    assert unsupported(steps("{name: a, templateRef: {name: lib, template: odd}}"), library) == [
        "library[0].spec.templates[1].daemon"
    ]
