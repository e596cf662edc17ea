"""What Argo notices only when it is due is a warning at submit, at its place, and what runs well has none."""

from __future__ import annotations

import pytest

from tests.unit.fubini.manifests.build import check, dag, steps, warnings, workflow

MAIN = "- name: main\n  container: {image: a}\n"


def take(value: str) -> str:
    return f'template: take, arguments: {{parameters: [{{name: x, value: "{value}"}}]}}'


WARNED = {
    "a step of its own group in an expression": (
        steps("{name: a, template: leaf}, {name: b, " + take("{{=steps.a.outputs.result}}") + "}"),
        "same-group", "spec.templates[0].steps[0][1].arguments.parameters[0].value",
    ),
    "a step that is not there in an expression": (
        steps("{name: a-b, template: leaf}", "{name: b, " + take("{{=steps['a-c'].status}}") + "}"),
        "unknown-variable", "spec.templates[0].steps[1][0].arguments.parameters[0].value",
    ),
    "a task it does not depend on in an expression": (
        dag("name: a, template: leaf", "name: b, " + take("{{=tasks.a.outputs.result}}")),
        "missing-dependency", "spec.templates[0].dag.tasks[1].arguments.parameters[0].value",
    ),
    "a condition that cannot be read whatever comes": (
        steps("{name: a, template: leaf, when: '{{workflow.name}} = a'}"),
        "expression", "spec.templates[0].steps[0][0].when",
    ),
    "a quote that is not closed": (
        steps("{name: a, template: leaf, when: \"'{{workflow.name}}' == 'a\"}"),
        "expression", "spec.templates[0].steps[0][0].when",
    ),
    "a misspelt field of the last attempt": (
        workflow("- name: main\n  retryStrategy: {expression: 'asInt(lastRetry.exitcode) > 1'}\n  container: {image: a}\n"),
        "unknown-variable", "spec.templates[0].retryStrategy.expression",
    ),
    "a hook's argument nobody takes": (
        steps("{name: a, template: leaf, hooks: {exit: {template: take, arguments: {parameters: [{name: z, value: a}, {name: x, value: a}]}}}}"),
        "unknown-argument", "spec.templates[0].steps[0][0].hooks.exit.arguments.parameters[0].name",
    ),
    "a hook without what its template takes": (
        steps("{name: a, template: leaf, hooks: {exit: {template: take}}}"),
        "not-supplied", "spec.templates[0].steps[0][0].hooks.exit",
    ),
    "an exit template that takes an input": (
        steps("{name: a, template: leaf, onExit: take}"), "not-supplied", "spec.templates[0].steps[0][0].onExit",
    ),
    "a label's expression": (
        workflow(MAIN, "entrypoint: main\nworkflowMetadata: {labelsFrom: {a: {expression: 'x +'}}}\n"),
        "expression", "spec.workflowMetadata.labelsFrom.a.expression",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "path"), WARNED.values(), ids=WARNED.keys())
def test_what_goes_wrong_when_it_is_due_is_said_at_submit(text: str, code: str, path: str) -> None:
    assert (code, path) in warnings(text)
    assert check(text).ok


SILENT = {
    "an earlier step in an expression": steps(
        "{name: a, template: leaf}", "{name: b, " + take("{{=steps.a.status}}") + "}"
    ),
    "an ancestor in an expression": dag(
        "name: a, template: leaf",
        "name: b, template: leaf, depends: a",
        "name: c, dependencies: [], template: leaf",
        "name: d, depends: b && c, " + take("{{=tasks.a.status + tasks.c.status}}"),
    ),
    "an operator that comes from a variable": steps(
        "{name: a, template: leaf, when: '{{workflow.name}} {{workflow.uid}} x'}"
    ),
    "a condition between variables": steps("{name: a, template: leaf, when: \"'{{workflow.name}}' =~ '^a'\"}"),
    "a whole condition from a variable": steps("{name: a, template: leaf, when: '{{workflow.name}}'}"),
    "an item in a condition": steps("{name: a, template: leaf, withItems: [1], when: '{{item}} > 0 && {{item}} != 2'}"),
    "all of the last attempt": workflow(
        '- name: main\n  retryStrategy: {expression: \'lastRetry.status == "Error" || asInt(lastRetry.exitCode) > 1 || '
        'lastRetry.message matches "x" || asInt(lastRetry.duration) < 5\'}\n  container: {image: a}\n'
    ),
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT.keys())
def test_what_runs_well_has_no_warning(text: str) -> None:
    assert check(text).findings == ()
