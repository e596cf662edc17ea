"""Quotes by objective, and the quote a run keeps: named by a submit, of this project and this submission only."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from fubini.common import clock
from fubini.dispatch.models import RunOutlook, RunTime
from fubini.dispatch.outlooks import outlooks_keep
from fubini.runs import quoted
from fubini.runs.models import Run, RunManifest
from tests.support.rest import House, make_house
from tests.support.rows import Place, make_attempt, make_place, make_run, make_task

pytestmark = pytest.mark.django_db

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: many-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: rate, value: "1"}]}
  templates:
  - name: main
    steps:
    - - {name: work, template: work, withSequence: {count: "12"}}
    - - {name: sum, template: sum}
  - name: work
    metadata: {annotations: {fubini.dev/walltime: "1200"}}
    script: {image: busybox, command: [sh], source: "true", resources: {requests: {cpu: "1"}}}
  - name: sum
    metadata: {annotations: {fubini.dev/walltime: "60"}}
    script: {image: busybox, command: [sh], source: "true", resources: {requests: {cpu: "1"}}}
"""


@pytest.fixture
def house() -> House:
    return make_house(budget_micros=10_000_000)


@pytest.fixture
def places(house: House) -> tuple[Place, Place]:
    """A fast dear place and a slow cheap one, with what steps took at both."""
    fast, slow = make_place("fast", core_hour_micros=7_200_000), make_place("slow", core_hour_micros=36_000)
    for place, work_ms in ((fast, 150_000), (slow, 600_000)):
        for template, mean_ms in (("work", work_ms), ("sum", work_ms // 10)):
            RunTime.objects.create(
                project_id=house.project.pk, template=template, node_group_id=place.group.pk, samples=4, mean_ms=mean_ms
            )
    return fast, slow


def ask(house: House, **more: Any) -> dict[str, Any]:
    answer = house.api["viewer"].post("quotes", {"project": house.project.slug, "manifest": MANIFEST, **more})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def submit(house: House, **more: Any) -> dict[str, Any]:
    answer = house.api["member"].post("runs", {"project": house.project.slug, "manifest": MANIFEST, **more})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


FIGURES = ("money_low_micros", "money_high_micros", "time_low_s", "time_high_s")


def figures(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in FIGURES)


def test_each_objective_has_its_own_figures_and_the_quotes_are_those_of_the_one_asked_for(
    house: House, places: tuple[Place, Place]
) -> None:
    by = {objective: ask(house, objective=objective) for objective in ("fastest", "balanced", "cheapest", "")}
    choices = {c["objective"]: c for c in by[""]["choices"]}
    for objective in choices:
        assert by[objective]["objective"] == objective
        assert figures(by[objective]) == figures(choices[objective])
    assert figures(by[""]) == figures(choices["balanced"])
    assert choices["fastest"]["money_low_micros"] > choices["balanced"]["money_low_micros"]
    assert choices["balanced"]["money_low_micros"] > choices["cheapest"]["money_low_micros"]
    assert choices["fastest"]["time_low_s"] <= choices["balanced"]["time_low_s"] < choices["cheapest"]["time_low_s"]
    assert choices["cheapest"]["pools"] == ["slow/slow"] and choices["cheapest"]["time_low_s"] == 3 * 600 + 60
    cheapest = {row["template"]: {p["pool"]: p["steps"] for p in row["pools"]} for row in by["cheapest"]["rows"]}
    assert cheapest == {"work": {"slow": 12, "fast": 0}, "sum": {"slow": 1, "fast": 0}}
    assert [p["pool"] for p in by[""]["pools"]] == ["slow", "fast"]
    assert figures(by[""]["pools"][0]) == figures(choices["cheapest"])
    assert "each objective as the scheduler would place the steps" in by[""]["basis"]


def test_a_run_keeps_the_quote_its_submit_names_under_the_objective_it_has(
    house: House, places: tuple[Place, Place]
) -> None:
    shown = ask(house)
    for objective in ("fastest", "cheapest", ""):
        kept = submit(house, quote=shown["token"], objective=objective)["quote"]
        want = next(c for c in shown["choices"] if c["objective"] == (objective or "balanced"))
        assert (kept["objective"], kept["steps"], kept["bounded"]) == (objective or "balanced", 13, True)
        assert figures(kept) == figures(want)
    assert len(shown["token"]) < quoted.LENGTH_MAX // 2


def test_a_quote_of_something_else_or_of_another_project_or_an_altered_or_old_one_is_not_kept(
    house: House, places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ask(house)["token"]
    other = make_house(budget_micros=10_000_000)
    assert submit(house, quote=token)["quote"] is not None
    assert submit(other, quote=token)["quote"] is None
    assert submit(house, quote=token, parameters={"rate": "2"})["quote"] is None
    assert submit(house, quote=token, priority="opportunistic")["quote"] is None
    assert submit(house, quote=token[:-1] + ("A" if token[-1] != "A" else "B"))["quote"] is None
    assert submit(house, quote="nonsense")["quote"] is None
    monkeypatch.setattr(quoted, "AGE_S", -1)
    assert submit(house, quote=token)["quote"] is None


def _older(run_id: str) -> int:
    long_ago = clock.now_ms() - 60_000
    Run.objects.filter(pk=run_id).update(created_at_ms=long_ago, state="running")
    return long_ago


def test_lateness_is_measured_against_the_quote_that_was_kept(house: House, places: tuple[Place, Place]) -> None:
    made = submit(house, quote=ask(house)["token"], objective="cheapest")
    long_ago = _older(made["id"])
    RunTime.objects.update(mean_ms=5_000)  # what a quote would say now
    outlooks_keep()
    row = RunOutlook.objects.get(run_id=made["id"])
    assert row.quoted_ms == made["quote"]["time_high_s"] * 1000 and row.quoted_end_ms == long_ago + row.quoted_ms
    assert house.api["viewer"].get(f"runs/{made['id']}").json()["quote"] == made["quote"]


def test_a_run_without_a_quote_gets_one_in_which_its_own_load_does_not_count(
    house: House, places: tuple[Place, Place]
) -> None:
    fast, slow = places
    want = next(c for c in ask(house)["choices"] if c["objective"] == "balanced")
    made = make_run(house.project, submitted_by="user:nobody")
    RunManifest.objects.filter(run=made).update(text=MANIFEST, document=yaml.safe_load(MANIFEST))
    for place in (fast, slow, slow):
        make_attempt(make_task(made), place)
    for _ in range(5):
        make_task(made)
    _older(made.pk)
    outlooks_keep()
    kept = house.api["viewer"].get(f"runs/{made.pk}").json()["quote"]
    assert figures(kept) == figures(want)
    expected = RunOutlook.objects.get(run=made).quote
    assert {name: one["count"] for name, one in expected.items()} == {"work": 12, "sum": 1}
    assert abs(sum(one["time_ms"] for one in expected.values()) - want["time_low_s"] * 1000) <= 2


def test_what_waits_already_is_ahead_of_a_quoted_run(house: House) -> None:
    place = make_place("only")
    before = ask(house)["time_low_s"]
    for _ in range(4):
        make_attempt(make_task(make_run(house.project)), place)
    waits = make_run(house.project)
    for _ in range(4):
        make_task(waits)
    assert ask(house)["time_low_s"] > before
