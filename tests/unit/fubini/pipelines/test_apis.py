"""Pipelines and lint over REST: every bad manifest is an answer with path, line and column."""

from __future__ import annotations

from typing import Any

import pytest

from fubini.pipelines.models import PipelineVersion
from tests.support.checking import HELLO, TEMPLATE
from tests.support.rest import House, make_house, problem_of

pytestmark = pytest.mark.usefixtures("check_only_engine")

USES = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: user}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - name: a
            templateRef: {name: tools, template: say}
"""


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def save(house: House, text: str = HELLO, **more: Any) -> Any:
    return house.api["member"].post("pipelines", {"project": house.project.slug, "manifest": text, **more})


def test_a_new_text_makes_a_version_and_the_same_text_does_not(house: House) -> None:
    first = save(house, title="Hello")
    assert first.status_code == 201, first.content
    assert (first.json()["name"], first.json()["version"]) == ("hello", 1)
    assert first.json()["parameters"][0]["name"] == "who"
    assert save(house).status_code == 200
    second = save(house, HELLO.replace("world", "moon"))
    assert (second.status_code, second.json()["version"], second.json()["title"]) == (201, 2, "Hello")
    base = f"pipelines/{first.json()['id']}"
    api = house.api["viewer"]
    assert [v["number"] for v in api.get(f"{base}/versions").json()["results"]] == [2, 1]
    assert api.get(f"{base}/versions/1").json()["text"] == HELLO
    assert house.api["member"].post(f"{base}/versions", {"manifest": HELLO}).json()["number"] == 3
    problem_of(api.get(f"{base}/versions/9"), 404)


def test_a_parameter_without_a_value_may_be_stored(house: House) -> None:
    text = HELLO.replace("{name: who, value: world}", "{name: who}")
    made = save(house, text)
    assert made.status_code == 201, made.content
    assert made.json()["parameters"][0]["required"] is True


@pytest.mark.parametrize(
    ("text", "want_line"),
    [
        (HELLO.replace("entrypoint: main", "entrypont: main"), 7),
        (HELLO.replace("image: busybox", "imag: busybox"), 14),
        (HELLO.replace("entrypoint: main", "entrypoint: mian"), 7),
        ("a: [1,\n", 2),
        ("a: &x [*x]\n", 1),
        ("key: 1\nkey: 2\n", 2),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place_of_each_mistake(house: House, text: str, want_line: int) -> None:
    found = problem_of(save(house, text, name="x"), 422, "manifest_invalid")
    assert want_line in [e["line"] for e in found["errors"]], found["errors"]
    assert all(e["column"] >= 1 and e["path"] and e["detail"] for e in found["errors"])
    assert PipelineVersion.objects.count() == 0
    lint = house.api["viewer"].post("lint", {"manifest": text})
    assert lint.status_code == 200
    assert [f["line"] for f in lint.json()["findings"] if f["severity"] == "error"] == [
        e["line"] for e in found["errors"]
    ]


HOSTILE = [
    "", " ", "\x00", "\ufeff", "null", "[]", "3", "- a\n- b", "a: *nope", "!!python/object:os.system x", "{{=1}}",
    "\t- x", "a" * 100_000, "[" * 5000, "{" * 5000, "? " * 3000, "- " * 3000, "&a " * 100, "a: 1e999999", "a: .nan",
    "kind: Workflow", "kind: [Workflow]", "apiVersion: 3\nkind: {}\n", "kind: Workflow\nspec: 3\n",
    "kind: Workflow\nmetadata: []\nspec: {}\n", "kind: Workflow\nspec: {templates: {}}\n", "---\na: 1\n---\nb: 2\n",
    "kind: Workflow\nspec: {templates: [null, 3, []], entrypoint: []}\n", "a: \ud800",
    "%YAML 9.9\n---\na: 1", "x: " + "&a [" + "*a," * 1000 + "]", "\u2028: \u2029", "<<: {a: 1}", "? {a: 1}\n: 2",
    "x: &a1 [1,2,3,4,5,6,7,8,9]\n" + "\n".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(2, 9)),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[f"hostile {n}" for n in range(len(HOSTILE))])
def test_no_text_makes_the_server_fail(house: House, text: str) -> None:
    lint = house.api["viewer"].post("lint", {"manifest": text})
    assert lint.status_code == 200, lint.content[:300]
    assert lint.json()["ok"] is False
    assert lint.json()["findings"], "a wrong manifest has at least one finding"
    found = problem_of(save(house, text, name="x"), 422)
    assert found["errors"]
    problem_of(house.api["member"].post("runs", {"project": house.project.slug, "manifest": text}), 422)


def test_a_manifest_over_the_limit_is_refused_by_its_size(house: House) -> None:
    found = problem_of(house.api["viewer"].post("lint", {"manifest": "#" * (2 * 1024 * 1024 + 1)}), 422)
    assert found["errors"][0]["pointer"] == "/manifest"
    problem_of(house.api["viewer"].post("lint", {"manifest": "#" * (5 * 1024 * 1024)}), 413, "too_large")


def test_a_template_is_used_from_the_projects_library_and_from_no_other(house: House) -> None:
    other = make_house()
    assert save(other, TEMPLATE).status_code == 201
    problem_of(save(house, USES), 422, "manifest_invalid")
    assert save(house, TEMPLATE).status_code == 201
    assert save(house, USES).status_code == 201
    lint = house.api["viewer"].post("lint", {"manifest": USES, "project": house.project.slug}).json()
    assert lint["ok"], lint
    assert not house.api["viewer"].post("lint", {"manifest": USES}).json()["ok"]


def test_two_pipelines_cannot_hold_templates_of_one_name(house: House) -> None:
    assert save(house, TEMPLATE).status_code == 201
    problem_of(save(house, TEMPLATE + "# changed\n", name="tools-again"), 409)
    assert save(house, TEMPLATE + "# changed\n").json()["version"] == 2


def test_lint_warns_without_calling_it_an_error_and_tells_the_parameters(house: House) -> None:
    found = house.api["viewer"].post("lint", {"manifest": HELLO, "parameters": {"who": "moon"}}).json()
    assert found["ok"] and found["kind"] == "Workflow"
    assert found["parameters"][0]["value"] == "moon"
    bad = house.api["viewer"].post("lint", {"manifest": HELLO, "parameters": {"whom": "moon"}}).json()
    assert "who" in [f["nearest"] for f in bad["findings"]], bad


def test_a_name_that_is_no_name_is_refused(house: House) -> None:
    problem_of(save(house, name="Not A Name"), 422)
    problem_of(save(house, HELLO.replace("generateName: hello-", "annotations: {}")), 422)


def test_other_projects_pipelines_answer_not_found(house: House) -> None:
    id = save(house).json()["id"]
    stranger = make_house().api["owner"]
    for path in (f"pipelines/{id}", f"pipelines/{id}/versions", f"pipelines/{id}/versions/1"):
        problem_of(stranger.get(path), 404)
    problem_of(stranger.patch(f"pipelines/{id}", {"title": "x"}), 404)
    problem_of(stranger.delete(f"pipelines/{id}"), 404)
    problem_of(stranger.post(f"pipelines/{id}/versions", {"manifest": "not even read"}), 404)
    problem_of(stranger.post("lint", {"manifest": USES, "project": house.project.slug}), 404)
    assert stranger.get("pipelines").json()["results"] == []


def test_roles_decide_who_changes_pipelines(house: House) -> None:
    body = {"project": house.project.slug, "manifest": HELLO}
    problem_of(house.api["viewer"].post("pipelines", body), 403)
    id = save(house).json()["id"]
    assert house.api["member"].patch(f"pipelines/{id}", {"title": "New"}).json()["title"] == "New"
    problem_of(house.api["member"].delete(f"pipelines/{id}"), 403)
    assert house.api["maintainer"].delete(f"pipelines/{id}").status_code == 204


def test_a_list_of_pipelines_costs_few_queries_whatever_its_length(
    house: House, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        save(house, name=f"p{n}")
    house.api["viewer"].get("pipelines")
    with django_assert_max_num_queries(4):
        found = house.api["viewer"].get("pipelines?page_size=10").json()
    assert len(found["results"]) == 10 and found["next"]
