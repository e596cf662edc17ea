"""What the controller would refuse, beyond fields: names, references, dependencies, arguments, loops."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.fubini.manifests.build import check, dag, errors, steps, warnings, workflow

BASE = "spec.templates[0]"
STEP = f"{BASE}.steps"
TASK = f"{BASE}.dag.tasks"


def given(value: str) -> str:
    """Arguments that give `take` its input."""
    return f"arguments: {{parameters: [{{name: x, value: '{value}'}}]}}"


GRAPHS: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("two steps", steps("{name: a, template: leaf}", "{name: b, template: leaf}"), []),
    (
        "a step's result",
        steps("{name: a, template: leaf}", "{name: b, template: leaf, when: '{{steps.a.outputs.result}} == 1'}"),
        [],
    ),
    (
        "a result of steps",
        steps("{name: a, template: main}", "{name: b, template: leaf, when: '{{steps.a.outputs.result}} == 1'}"),
        [("unknown-variable", f"{STEP}[1][0].when")],
    ),
    (
        "a later step",
        steps("{name: a, template: leaf, when: '{{steps.b.id}} == 1'}", "{name: b, template: leaf}"),
        [("unknown-variable", f"{STEP}[0][0].when")],
    ),
    (
        "one group",
        steps("{name: a, template: leaf}, {name: b, template: leaf, when: '{{steps.a.id}} == 1'}"),
        [("same-group", f"{STEP}[0][1].when")],
    ),
    (
        "itself",
        steps("{name: a, template: leaf, when: '{{steps.a.status}} == 1'}"),
        [("same-group", f"{STEP}[0][0].when")],
    ),
    (
        "its own hook",
        steps(
            "{name: a, template: leaf, hooks: {exit: {template: take, " + given("{{steps.a.outputs.result}}") + "}}}"
        ),
        [],
    ),
    (
        "status of an earlier group",
        steps("{name: a, template: leaf}", "{name: b, template: leaf, when: '{{steps.a.status}} == Succeeded'}"),
        [],
    ),
    (
        "tasks. in steps",
        steps("{name: a, template: leaf}", "{name: b, template: leaf, when: '{{tasks.a.id}} == 1'}"),
        [("unknown-variable", f"{STEP}[1][0].when")],
    ),
    ("an unknown word is left alone", steps("{name: a, template: leaf, when: '{{whatever.this}} == 1'}"), []),
    (
        "an open brace of a variable",
        steps("{name: a, template: leaf, when: '{{workflow.name == 1'}"),
        [("unclosed-variable", f"{STEP}[0][0].when")],
    ),
    ("an item's key", steps("{name: a, template: take, " + given("{{item.k}}") + ", withItems: [{k: 1}, {l: 2}]}"), []),
    (
        "an item's unknown key",
        steps("{name: a, template: take, " + given("{{item.q}}") + ", withItems: [{k: 1}]}"),
        [("unknown-variable", f"{STEP}[0][0].arguments.parameters[0].value")],
    ),
    (
        "any key of withParam",
        steps("{name: a, template: take, " + given("{{item.q}}") + ", withParam: '{{workflow.name}}'}"),
        [],
    ),
    ("no template", steps("{name: a}"), [("no-template", f"{STEP}[0][0]")]),
    ("an unknown template", steps("{name: a, template: laef}"), [("unknown-template", f"{STEP}[0][0].template")]),
    ("not supplied", steps("{name: a, template: take}"), [("not-supplied", f"{STEP}[0][0].arguments")]),
    (
        "an argument without value",
        steps("{name: a, template: take, arguments: {parameters: [{name: x}]}}"),
        [("not-supplied", f"{STEP}[0][0].arguments"), ("no-value", f"{STEP}[0][0].arguments.parameters[0]")],
    ),
    (
        "items as text",
        steps("{name: a, template: leaf, withItems: abc}"),
        [("items-not-list", f"{STEP}[0][0].withItems")],
    ),
    (
        "two loops",
        steps("{name: a, template: leaf, withItems: [1], withSequence: {count: 2}}"),
        [("several-loops", f"{STEP}[0][0].withSequence")],
    ),
    (
        "too long a sequence",
        steps("{name: a, template: leaf, withSequence: {start: 1, end: '50001'}}"),
        [("too-many-items", f"{STEP}[0][0].withSequence")],
    ),
    ("the longest sequence", steps("{name: a, template: leaf, withSequence: {start: 1, end: '50000'}}"), []),
    ("recursion", steps("{name: a, template: main, when: 'false'}"), []),
    ("a dag", dag("name: a, template: leaf", "name: b, template: leaf, depends: a"), []),
    (
        "a circle",
        dag("name: a, template: leaf, depends: b", "name: b, template: leaf, depends: a.Failed"),
        [("cycle", f"{TASK}[0].depends")],
    ),
    ("on itself", dag("name: a, template: leaf, dependencies: [a]"), [("cycle", f"{TASK}[0].dependencies")]),
    (
        "an unknown task",
        dag("name: a, template: leaf, dependencies: [z]"),
        [("unknown-dependency", f"{TASK}[0].dependencies")],
    ),
    (
        "an unknown result",
        dag("name: a, template: leaf", "name: b, template: leaf, depends: a.Done"),
        [("unknown-result", f"{TASK}[1].depends")],
    ),
    (
        "both words",
        dag(
            "name: a, template: leaf",
            "name: b, template: leaf, dependencies: [a]",
            "name: c, template: leaf, depends: a",
        ),
        [("depends-and-dependencies", f"{TASK}[1].dependencies")],
    ),
    (
        "continueOn with depends",
        dag("name: a, template: leaf, continueOn: {failed: true}", "name: c, template: leaf, depends: a"),
        [("continue-on-with-depends", f"{TASK}[0].continueOn")],
    ),
    (
        "AnySucceeded without loop",
        dag("name: a, template: leaf", "name: c, template: leaf, depends: a.AnySucceeded"),
        [("not-a-loop", f"{TASK}[1].depends")],
    ),
    (
        "AnySucceeded of a loop",
        dag("name: a, template: leaf, withItems: [1]", "name: c, template: leaf, depends: a.AnySucceeded"),
        [],
    ),
    (
        "a digit",
        dag("name: 1a, template: leaf", "name: c, template: leaf, depends: 1a"),
        [("digit-name", f"{TASK}[0].name")],
    ),
    ("a digit without dependencies", dag("name: 1a, template: leaf"), []),
    (
        "status without dependency",
        dag("name: a, template: leaf", "name: b, template: leaf, when: '{{tasks.a.status}} == 1'"),
        [("not-an-ancestor", f"{TASK}[1].when")],
    ),
    (
        "status of a grandparent",
        dag(
            "name: a, template: leaf",
            "name: b, template: leaf, depends: a",
            "name: c, template: leaf, depends: b, when: '{{tasks.a.status}} == 1'",
        ),
        [],
    ),
    (
        "output without dependency",
        dag("name: a, template: leaf", "name: b, template: take, " + given("{{tasks.a.outputs.result}}")),
        [("missing-dependency", f"{TASK}[1].arguments.parameters[0].value")],
    ),
    ("duplicate tasks", dag("name: a, template: leaf", "name: a, template: leaf"), [("duplicate", f"{TASK}[1].name")]),
    ("a plugin of two keys", workflow("- {name: main, plugin: {a: {}, b: {}}}\n"), [("plugin-keys", f"{BASE}.plugin")]),
    ("a plugin", workflow("- {name: main, plugin: {a: {}}}\n"), []),
    ("no type", workflow("- {name: main}\n"), [("no-type", BASE)]),
    (
        "parallelism of a leaf",
        workflow("- {name: main, parallelism: 2, container: {image: a}}\n"),
        [("not-a-leaf", f"{BASE}.parallelism")],
    ),
    (
        "an image from the defaults",
        workflow("- {name: main, container: {}}\n", "entrypoint: main\ntemplateDefaults: {container: {image: a}}\n"),
        [],
    ),
    (
        "an output with path in steps",
        workflow("- {name: main, steps: [[{name: a, template: leaf}]], outputs: {artifacts: [{name: o, path: /o}]}}\n"),
        [("artifact-path", f"{BASE}.outputs.artifacts[0].path")],
    ),
    (
        "a container set without main",
        workflow(
            "- {name: main, containerSet: {containers: [{name: a, image: b}]}, outputs: {parameters: [{name: o, valueFrom: {path: /o}}]}}\n"
        ),
        [("no-main", f"{BASE}.containerSet.containers")],
    ),
    (
        "a circle of containers",
        workflow(
            "- {name: main, containerSet: {containers: [{name: a, image: b, dependencies: [c]}, {name: c, image: b, dependencies: [a]}]}}\n"
        ),
        [("cycle", f"{BASE}.containerSet.containers[0]")],
    ),
    (
        "a reserved container",
        workflow("- {name: main, container: {image: a}, sidecars: [{name: wait, image: b}]}\n"),
        [("reserved-name", f"{BASE}.sidecars[0].name")],
    ),
    (
        "pod resources",
        workflow("- {name: main, container: {image: a}, podResources: {limits: {nvidia.com/gpu: 1}}}\n"),
        [("pod-resources", f"{BASE}.podResources.limits[nvidia.com/gpu]")],
    ),
]


@pytest.mark.parametrize(("name", "text", "want"), GRAPHS, ids=[g[0] for g in GRAPHS])
def test_a_graph_is_judged_as_the_controller_judges_it(name: str, text: str, want: list[tuple[str, str]]) -> None:
    assert errors(text) == want


SKIPPED = "{name: a, template: leaf, when: '1 == 2'}"


def test_the_result_of_a_step_that_is_always_skipped_is_refused_where_nobody_has_a_default() -> None:
    result = "{{steps.a.outputs.result}}"
    passed = steps(SKIPPED, f"{{name: b, template: take, {given(result)}}}")
    assert errors(passed) == [("never-there", f"{STEP}[1][0].arguments.parameters[0].value")]
    assert errors(passed.replace("{name: x}", "{name: x, default: '0'}")) == []
    assert errors(passed.replace("1 == 2", "1 == 1")) == []
    asked = steps(SKIPPED, f"{{name: b, template: leaf, when: '{result} == 1'}}")
    assert errors(asked) == [("never-there", f"{STEP}[1][0].when")]
    task = dag("name: a, template: leaf, when: 'false'", f"name: b, template: leaf, depends: a, when: '{result}'")
    assert errors(task.replace("steps.a", "tasks.a")) == [("never-there", f"{TASK}[1].when")]


def test_values_of_the_entrypoint_do_not_leak_into_other_templates() -> None:
    text = workflow(
        "- name: main\n  inputs: {parameters: [{name: which, value: leaf}]}\n"
        "  steps: [[{name: a, template: '{{inputs.parameters.which}}'}, {name: b, template: other,"
        " arguments: {parameters: [{name: which, value: leaf}]}}]]\n"
        "- name: other\n  inputs: {parameters: [{name: which}]}\n"
        "  steps: [[{name: c, template: '{{inputs.parameters.which}}'}]]\n"
    )
    assert errors(text) == [("unknown-template", "spec.templates[1].steps[0][0].template")]


def test_global_outputs_are_known_after_the_step_that_makes_them() -> None:
    make = "- name: make\n  container: {image: a}\n  outputs: {parameters: [{name: o, globalName: seed, valueFrom: {path: /o}}]}\n"
    use = "- name: use\n  container: {image: a, args: ['{{workflow.outputs.parameters.seed}}']}\n"
    good = workflow("- name: main\n  steps: [[{name: a, template: make}], [{name: b, template: use}]]\n" + make + use)
    bad = workflow("- name: main\n  steps: [[{name: b, template: use}], [{name: a, template: make}]]\n" + make + use)
    assert errors(good) == []
    assert errors(bad) == [("unknown-variable", "spec.templates[2].container.args[0]")]


def test_inline_templates_see_the_inputs_around_them() -> None:
    text = workflow(
        "- name: main\n  inputs: {parameters: [{name: p, value: a}]}\n"
        "  steps: [[{name: a, inline: {container: {image: '{{inputs.parameters.p}}'}}}]]\n"
    )
    assert errors(text) == []


def test_a_second_inline_template_is_only_warned_about_as_argo_looks_at_the_first() -> None:
    inline = "inline: {script: {image: a, source: 'echo {{inputs.parameters.gone}}'}}"
    text = steps(f"{{name: a, {inline}}}")
    assert [code for code, _ in errors(text)] == ["unknown-variable"]


LIBRARY: list[dict[str, Any]] = [
    yaml.safe_load(
        "{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, metadata: {name: lib}, spec: {entrypoint: go, "
        "arguments: {parameters: [{name: sample}, {name: rate, value: '2'}]}, templates: ["
        "{name: go, inputs: {parameters: [{name: sample}]}, container: {image: a, args: ['{{workflow.parameters.rate}}']}},"
        "{name: odd, daemon: true, container: {image: a}}]}}"
    )
]


def test_a_template_of_the_library_is_found_and_held_to_its_inputs() -> None:
    good = steps("{name: a, templateRef: {name: lib, template: odd}}")
    assert errors(good, library=LIBRARY) == []
    missing = steps("{name: a, templateRef: {name: lib, template: od}}")
    finding = check(missing, library=LIBRARY).errors[0]
    assert (finding.code, finding.nearest) == ("unknown-template", "odd")
    absent = steps("{name: a, templateRef: {name: libs, template: odd}}")
    finding = check(absent, library=LIBRARY).errors[0]
    assert (finding.code, finding.nearest) == ("unknown-workflow-template", "lib")
    scoped = steps("{name: a, templateRef: {name: lib, template: odd, clusterScope: true}}")
    assert check(scoped, library=LIBRARY).errors[0].help == "There is one of that name with clusterScope: false."


def test_a_library_templates_variables_are_judged_where_it_is_used() -> None:
    text = steps(
        "{name: a, templateRef: {name: lib, template: go}, arguments: {parameters: [{name: sample, value: s}]}}"
    )
    found = check(text, library=LIBRARY).errors
    assert [(f.code, f.path, f.line) for f in found] == [
        ("unknown-variable", "library[0].spec.templates[0].container.args[0]", 0)
    ]


REFERRING = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec: {workflowTemplateRef: {name: lib}}\n"
)


def test_a_manifest_made_of_a_template_needs_its_parameters() -> None:
    assert errors(REFERRING, library=LIBRARY)[0][0] == "no-value"
    report = check(REFERRING, library=LIBRARY, parameters={"sample": "s1"})
    assert report.ok
    assert [(p.name, p.value, p.required) for p in report.parameters] == [("sample", "s1", True), ("rate", "2", False)]
    assert errors(REFERRING) == [("unknown-workflow-template", "spec.workflowTemplateRef.name")]


WITH_PARAMETER = workflow(
    "- name: main\n  container: {image: a, args: ['{{workflow.parameters.rate}}']}\n",
    "entrypoint: main\narguments: {parameters: [{name: rate, enum: ['1', '2'], description: how fast}]}\n",
)


def test_values_may_come_at_submit_or_later() -> None:
    assert [c for c, _ in errors(WITH_PARAMETER)] == ["no-value"]
    assert errors(WITH_PARAMETER, values_later=True) == []
    assert errors(WITH_PARAMETER, parameters={"rate": "2"}) == []
    assert errors(WITH_PARAMETER, parameters={"rate": "3"}) == [("not-allowed", "spec.arguments.parameters[0].value")]
    finding = check(WITH_PARAMETER, parameters={"rate": "2", "rat": "2"}).warnings[0]
    assert (finding.code, finding.nearest) == ("unknown-parameter", "rate")


def test_declared_parameters_are_reported() -> None:
    parameter = check(WITH_PARAMETER, values_later=True).parameters[0]
    assert (parameter.name, parameter.value, parameter.enum, parameter.required) == ("rate", None, ("1", "2"), True)
    assert parameter.description == "how fast"


def test_a_stored_template_need_not_have_values_but_a_submitted_one_must() -> None:
    text = WITH_PARAMETER.replace("kind: Workflow", "kind: WorkflowTemplate")
    assert errors(text) == []
    assert [c for c, _ in errors(text, parameters={})] == ["no-value"]
    assert errors(text, parameters={"rate": "1"}) == []


def test_a_template_name_may_be_a_parameter_with_a_value() -> None:
    body = "- name: main\n  steps: [[{name: a, template: '{{workflow.parameters.which}}'}]]\n"
    arguments = "entrypoint: main\narguments: {parameters: [{name: which, value: %s}]}\n"
    assert errors(workflow(body, arguments % "leaf")) == []
    assert [c for c, _ in errors(workflow(body, arguments % "laef"))] == ["unknown-template"]
    unknown = body.replace("workflow.parameters.which", "workflow.name")
    assert [c for c, _ in errors(workflow(unknown))] == ["unknown-template"]


@pytest.mark.parametrize(
    ("label", "key", "want"),
    [
        ("workflows.argoproj.io/configmap-type: Parameter", "site", []),
        ("other: x", "site", ["config-map"]),
        ("workflows.argoproj.io/configmap-type: Parameter", "absent", ["config-map"]),
    ],
)
def test_a_parameter_from_a_config_map_needs_map_label_and_key(label: str, key: str, want: list[str]) -> None:
    library = [yaml.safe_load(f"{{kind: ConfigMap, metadata: {{name: s, labels: {{{label}}}}}, data: {{site: a}}}}")]
    text = workflow(
        "- {name: main, container: {image: a}}\n",
        f"entrypoint: main\narguments: {{parameters: [{{name: p, valueFrom: {{configMapKeyRef: {{name: s, key: {key}}}}}}}]}}\n",
    )
    assert [c for c, _ in errors(text, library=library)] == want


def test_too_many_parts_are_refused_before_the_long_checks() -> None:
    tasks = "\n".join(f"      - {{name: t{i}, template: leaf}}" for i in range(12_001))
    assert [c for c, _ in errors(workflow(f"- name: main\n  dag:\n    tasks:\n{tasks}\n"))] == ["too-many-parts"]


HINTS: list[tuple[str, str, str]] = [
    ("an item without loop", steps("{name: a, template: leaf, when: '{{item}} == 1'}"), "item-outside-loop"),
    (
        "an argument nobody takes",
        steps("{name: a, template: leaf, arguments: {parameters: [{name: q, value: a}]}}"),
        "unknown-argument",
    ),
    ("a condition that cannot be read", steps("{name: a, template: leaf, when: 'a b'}"), "expression"),
    (
        "a depends that cannot be read",
        dag("name: a, template: leaf", "name: b, template: leaf, depends: 'a &&'"),
        "expression",
    ),
    ("an expression that cannot be read", steps("{name: a, template: leaf, when: '{{=1 +}}'}"), "expression"),
    ("withParam that is no list", steps("{name: a, template: leaf, withParam: '{}'}"), "not-a-list"),
    ("a bad format", steps("{name: a, template: leaf, withSequence: {count: 1, format: '%q%'}}"), "expression"),
    ("an onExit that is not there", steps("{name: a, template: leaf, onExit: bye}"), "unknown-template"),
    (
        "an output in the midst of text",
        dag("name: a, template: leaf", "name: b, template: take, " + given("v {{tasks.a.outputs.result}}")),
        "missing-dependency",
    ),
]


@pytest.mark.parametrize(("name", "text", "code"), HINTS, ids=[h[0] for h in HINTS])
def test_what_argo_accepts_and_stumbles_over_is_a_warning(name: str, text: str, code: str) -> None:
    assert errors(text) == []
    assert [c for c, _ in warnings(text)] == [code]


def test_a_literal_list_over_the_limit_is_an_error() -> None:
    text = steps("{name: a, template: leaf, withParam: '[" + "1," * 50_000 + "1]'}")
    assert [c for c, _ in errors(text)] == ["too-many-items"]


ONE_PATH = """
- name: main
  container:
    image: a
    volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /b, subPath: one}]
  sidecars:
  - name: side
    image: a
    volumeMounts: [{name: OTHER}]
"""


@pytest.mark.parametrize(
    ("other", "want"),
    [
        pytest.param("a, mountPath: /a/", [], id="the same volume"),
        pytest.param("b, mountPath: /a/b", [], id="one inside the other"),
        pytest.param("'{{inputs.parameters.v}}', mountPath: /a", [], id="not known yet"),
        pytest.param("b, mountPath: /a", ["mountPath"], id="another volume"),
        pytest.param("b, mountPath: /b, subPath: two", ["mountPath"], id="another part of it"),
    ],
)
def test_two_volumes_at_one_path_of_a_step_are_refused_with_both_paths(other: str, want: list[str]) -> None:
    volumes = "entrypoint: main\nvolumes: [{name: a, emptyDir: {}}, {name: b, emptyDir: {}}]\n"
    report = check(workflow(ONE_PATH.replace("OTHER", other), volumes))
    found = [f for f in report.findings if f.code == "path-taken"]
    assert [f.path for f in found] == [f"{BASE}.sidecars[0].volumeMounts[0].{field}" for field in want]
    for finding in found:
        assert f"{BASE}.container.volumeMounts[" in finding.found and finding.kind == "unsupported"
