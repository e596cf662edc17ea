"""Fields: known, of the right type, within their limits; and the nearest name where they are not."""

from __future__ import annotations

import pytest

from fubini.manifests.structure import MAX_NAME_CHARS
from tests.unit.fubini.manifests.build import HEAD, check, errors, steps, warnings, workflow

MAIN = "- name: main\n  container: {image: a, CONTAINER}\n  TEMPLATE\n"


def main(container: str = "", template: str = "", spec: str = "entrypoint: main\n") -> str:
    return workflow(MAIN.replace("CONTAINER", container).replace("TEMPLATE", template), spec)


BASE = "spec.templates[0]"
FIELDS: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("an unknown field", main(template="retires: 1"), [("unknown-field", f"{BASE}.retires")]),
    ("a wrong case", main(template="Timeout: 1s"), [("unknown-field", f"{BASE}.Timeout")]),
    ("text for a list", main("args: x"), [("wrong-type", f"{BASE}.container.args")]),
    ("a number in args", main("args: [x, 1]"), [("wrong-type", f"{BASE}.container.args[1]")]),
    ("null in args", main("args: [x, null]"), [("wrong-type", f"{BASE}.container.args[1]")]),
    ("a list for a mapping", main("resources: []"), [("wrong-type", f"{BASE}.container.resources")]),
    ("a number in a label", main(template="metadata: {labels: {a: 1}}"), [("wrong-type", f"{BASE}.metadata.labels.a")]),
    ("text for a boolean", main(template="daemon: 'true'"), [("wrong-type", f"{BASE}.daemon")]),
    (
        "a fraction for a whole number",
        main(spec="entrypoint: main\nparallelism: 1.5\n"),
        [("wrong-type", "spec.parallelism")],
    ),
    (
        "zero where one is least",
        main(spec="entrypoint: main\nparallelism: 0\n"),
        [("number-range", "spec.parallelism")],
    ),
    ("too large a number", main(spec="entrypoint: main\npriority: 3000000000\n"), [("number-range", "spec.priority")]),
    (
        "a bad quantity",
        main("resources: {requests: {cpu: 1 core}}"),
        [("quantity", f"{BASE}.container.resources.requests.cpu")],
    ),
    ("two variables of a name", main("env: [{name: A}, {name: A}]"), [("duplicate", f"{BASE}.container.env[1].name")]),
    (
        "a mount without path",
        main("volumeMounts: [{name: d}]"),
        [("missing", f"{BASE}.container.volumeMounts[0].mountPath")],
    ),
    (
        "two stores",
        main(template="outputs: {artifacts: [{name: a, path: /a, raw: {data: x}, s3: {key: k}}]}"),
        [("several-locations", f"{BASE}.outputs.artifacts[0]")],
    ),
    (
        "an unknown word",
        main(spec="entrypoint: main\npodGC: {strategy: Always}\n"),
        [("not-allowed", "spec.podGC.strategy")],
    ),
    (
        "memoize without age",
        main(template="memoize: {key: k, cache: {configMap: {name: c}}}"),
        [("missing", f"{BASE}.memoize.maxAge")],
    ),
]


@pytest.mark.parametrize(("name", "text", "want"), FIELDS, ids=[f[0] for f in FIELDS])
def test_a_wrong_field_is_named_by_its_path(name: str, text: str, want: list[tuple[str, str]]) -> None:
    assert errors(text) == want


def test_a_good_manifest_has_no_findings() -> None:
    assert check(main()).findings == ()


def test_null_is_as_good_as_absent() -> None:
    assert errors(main("args: null", "timeout: null")) == []
    assert errors(main().replace("image: a, ", "image: null, ")) == [("no-image", f"{BASE}.container.image")]


def test_numbers_without_fraction_count_as_whole() -> None:
    assert errors(main(spec="entrypoint: main\npriority: 5.0\n")) == []


def test_all_errors_come_at_once_and_are_capped() -> None:
    report = check(main("args: [" + ",".join(str(i) for i in range(200)) + "]"))
    assert len(report.findings) == 50
    assert report.truncated
    assert {f.code for f in report.findings} == {"wrong-type"}


def test_errors_push_out_warnings_and_stand_in_the_order_of_the_text() -> None:
    text = main(template="Timeout: 1s\n  bogus: 1").replace("args", "args")
    lines = [f.line for f in check(text).errors]
    assert lines == sorted(lines)


def test_the_nearest_name_is_offered_and_not_one_that_is_there() -> None:
    finding = check(main(template="retrystrategy: {}")).errors[0]
    assert finding.nearest == "retryStrategy"
    taken = check(main(template="Container: {image: b}")).errors[0]
    assert taken.nearest != "container"


def test_a_word_that_yaml_reads_as_something_else_is_to_be_quoted() -> None:
    finding = check(main("args: [no]")).errors[0]
    assert finding.found == "no, which YAML reads as false"
    assert finding.help == "Quote it: 'no'."


def test_unknown_fields_of_inline_templates_are_warnings_as_argo_ignores_them() -> None:
    text = steps("{name: a, inline: {container: {image: a, imge: b}}}")
    assert errors(text) == []
    assert warnings(text) == [("unknown-field", f"{BASE}.steps[0][0].inline.container.imge")]
    wrong = steps("{name: a, inline: {container: {image: [a]}}}")
    assert ("wrong-type", f"{BASE}.steps[0][0].inline.container.image") in errors(wrong)


KINDS = [
    ("kind: Workflow", "kind: Job", [("kind", "kind")]),
    ("kind: Workflow", "", [("kind", "kind")]),
    ("kind: Workflow", "kind: [a]", [("kind", "kind")]),
    ("v1alpha1", "v1beta1", [("api-version", "apiVersion")]),
]


@pytest.mark.parametrize(("old", "new", "want"), KINDS)
def test_only_pipelines_of_the_right_version_are_read(old: str, new: str, want: list[tuple[str, str]]) -> None:
    assert errors(main().replace(old, new)) == want


NAMES = [
    ("Demo", ["object-name"]),
    ("demo_1", ["object-name"]),
    ("-demo", ["object-name"]),
    ("a" * (MAX_NAME_CHARS + 1), ["object-name"]),
    ("a" * MAX_NAME_CHARS, []),
    ("demo.v1", []),
]


@pytest.mark.parametrize(("name", "want"), NAMES)
def test_a_manifests_name_fits_kubernetes(name: str, want: list[str]) -> None:
    text = main().replace("{name: demo}", f"{{name: '{name}'}}")
    assert [code for code, _ in errors(text)] == want


def test_labels_and_annotations_fit_kubernetes() -> None:
    metadata = (
        "metadata: {name: demo, labels: {ok: a.b_c, 'a b': x, long: 'deep sea'}, annotations: {'/x': a, Good.One/x: b}}"
    )
    text = main().replace("metadata: {name: demo}", metadata)
    assert {(code, path) for code, path in errors(text)} == {
        ("label-name", "metadata.labels[a b]"),
        ("label-value", "metadata.labels.long"),
        ("annotation-name", "metadata.annotations[/x]"),
    }


def test_a_status_is_ignored_with_a_warning() -> None:
    assert warnings(main() + "status: {phase: Succeeded}\n") == [("status-ignored", "status")]


def test_schedules_are_checked_with_the_workflow_they_run() -> None:
    text = HEAD.replace("kind: Workflow", "kind: CronWorkflow") + "spec:\n  schedules: [daily]\n  workflowSpec: {}\n"
    found = {(f.code, f.path) for f in check(text).errors}
    assert {("name-pattern", "spec.schedules[0]"), ("no-entrypoint", "spec.workflowSpec.entrypoint")} <= found


def test_more_items_than_argos_crd_takes_are_a_warning() -> None:
    tasks = "\n".join(f"      - {{name: t{i}, template: leaf}}" for i in range(201))
    text = workflow(f"- name: main\n  dag:\n    tasks:\n{tasks}\n")
    assert errors(text) == []
    assert warnings(text) == [("many-items", f"{BASE}.dag.tasks")]
