"""The launch page's two answers: what it opens with, and what the form as filled in would do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rest import House, make_house
from tests.support.rows import make_place

pytestmark = pytest.mark.django_db

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who}]}
  templates:
  - name: main
    script: {image: busybox, command: [sh], source: "echo {{workflow.parameters.who}}"}
"""


@pytest.fixture
def house() -> House:
    made = make_house(budget_micros=10_000_000)
    make_place("one").pool.projects.add(made.project)
    return made


def check(house: House, **body: Any) -> dict[str, Any]:
    answer = house.api["viewer"].post(f"projects/{house.project.slug}/launch/check", body)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_sound_form_is_checked_and_quoted_for_every_objective_in_one_answer(house: House) -> None:
    found = check(house, manifest=MANIFEST, parameters={"who": "world"})
    assert (found["findings"], found["value_errors"]) == ([], [])
    assert [p["name"] for p in found["parameters"]] == ["who"]
    assert [n["template"] for n in found["sketch"]["nodes"]] == ["main"]
    quote = found["quote"]
    assert quote["feasible"] and quote["steps"] == 1
    assert {c["objective"] for c in quote["choices"]} == {"fastest", "balanced", "cheapest"}
    for choice in quote["choices"]:
        assert choice["money_low_micros"] <= choice["money_high_micros"]
        assert [p.partition("/")[0] for p in choice["pools"]] == ["one"]


def test_what_quotes_and_lint_answer_apart_is_what_the_form_is_told(house: House) -> None:
    api, slug = house.api["viewer"], house.project.slug
    found = check(house, manifest=MANIFEST, parameters={"who": "world"})
    quote = api.post("quotes", {"project": slug, "manifest": MANIFEST, "parameters": {"who": "world"}}).json()
    lint = api.post("lint", {"project": slug, "manifest": MANIFEST}).json()
    changing = ("token", "at_ms")  # they say when
    assert {k: v for k, v in found["quote"].items() if k not in changing} == {
        k: v for k, v in quote.items() if k not in changing
    }
    same = ("findings", "sketch", "kind", "name")
    assert {k: found[k] for k in same} == {k: lint[k] for k in same}
    assert [p | {"value": "world"} for p in lint["parameters"]] == found["parameters"]


def test_a_manifest_with_faults_has_its_findings_and_no_quote(house: House) -> None:
    found = check(house, manifest=MANIFEST.replace("entrypoint: main", "entrypoint: nowhere"))
    assert [f["severity"] for f in found["findings"]] == ["error"]
    assert found["quote"] is None


def test_a_missing_value_is_no_fault_of_the_manifest(house: House) -> None:
    found = check(house, manifest=MANIFEST)
    assert found["findings"] == [] and found["quote"] is None
    assert ["who" in f["detail"] for f in found["value_errors"]] == [True]


def test_a_value_that_is_refused_names_its_parameter(house: House) -> None:
    form = "metadata: {generateName: hello-, annotations: {fubini.dev/input.who: '{\"type\": \"integer\", \"range\": [1, 5]}'}}"
    held = MANIFEST.replace("metadata: {generateName: hello-}", form)
    found = check(house, manifest=held, parameters={"who": "9"})
    assert [(e["parameter"], e["found"], e["allowed"]) for e in found["value_errors"]] == [("who", "9", "1 to 5")]


def test_a_value_the_manifest_does_not_declare_is_left_out_as_the_form_leaves_it_out(house: House) -> None:
    """It is of an earlier text, and has no field any more in which to clear it."""
    found = check(house, manifest=MANIFEST, parameters={"who": "world", "gone": "1"})
    assert found["value_errors"] == [] and found["quote"] is not None


def test_what_is_only_kept_as_a_schedule_is_not_quoted(house: House) -> None:
    cron = "apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\nmetadata: {name: nightly}\nspec:\n  schedules: ['0 3 * * *']\n"
    cron += "  workflowSpec:\n    entrypoint: a\n    templates: [{name: a, container: {image: busybox, command: ['true']}}]\n"
    found = check(house, manifest=cron)
    assert found["quote"] is None and [f["path"] for f in found["value_errors"]] == ["kind"]


def test_the_page_opens_with_all_it_shows_and_what_it_is_asked_to_begin_with(house: House) -> None:
    member, slug = house.api["member"], house.project.slug
    saved = member.post("pipelines", {"project": slug, "manifest": MANIFEST, "name": "hello"}).json()
    member.post("datasets", {"project": slug, "name": "frames"})
    run = member.post("runs", {"project": slug, "pipeline": "hello", "parameters": {"who": "me"}, "priority": "interactive"}).json()
    page = member.get(f"projects/{slug}/launch?pipeline=hello&run={run['id']}").json()
    assert [p["id"] for p in page["pipelines"]["results"]] == [saved["id"]]
    assert [d["name"] for d in page["datasets"]["results"]] == ["frames"]
    assert page["may_launch"] and page["pipeline"]["id"] == saved["id"]
    again = page["run"]
    assert (again["pipeline"], again["parameters"], again["priority"]) == ("hello", {"who": "me"}, "interactive")
    assert again["manifest"] == MANIFEST


def test_a_viewer_may_not_launch_and_what_another_project_has_is_not_there(house: House) -> None:
    other = make_house(budget_micros=1)
    theirs = other.api["member"].post("pipelines", {"project": other.project.slug, "manifest": MANIFEST, "name": "theirs"})
    page = house.api["viewer"].get(f"projects/{house.project.slug}/launch?pipeline={theirs.json()['id']}").json()
    assert page["may_launch"] is False and page["pipeline"] is None and page["pipelines"]["results"] == []
    assert house.api["viewer"].get(f"projects/{other.project.slug}/launch").status_code == 404
