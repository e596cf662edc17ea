"""Many runs in the browser: chosen together, laid side by side, answered, and run again with a change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

SQUARE = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: square-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: x, value: "2"}, {name: method, value: exact}]}
  templates:
  - name: main
    script:
      image: python
      command: [python3]
      source: "open('/tmp/area', 'w').write(str({{workflow.parameters.x}} ** 2))"
    outputs: {parameters: [{name: area, valueFrom: {path: /tmp/area}}]}
"""
ASK = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: ask-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: approve, template: approve}
    - - {name: tell, template: tell, arguments: {parameters: [{name: go, value: "{{steps.approve.outputs.parameters.go}}"}]}}
  - name: approve
    inputs: {parameters: [{name: go, value: "no", enum: ["yes", "no"], description: "Is the model good enough?"}]}
    suspend: {}
    outputs: {parameters: [{name: go, valueFrom: {supplied: {}}}]}
  - name: tell
    inputs: {parameters: [{name: go}]}
    script: {image: busybox, command: [sh], source: 'test "{{inputs.parameters.go}}" = yes'}
"""
FAILS = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: wrong-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: code, value: "3"}]}
  templates:
  - {name: main, script: {image: busybox, command: [sh], source: 'exit {{workflow.parameters.code}}'}}
"""


def words(language: str, namespace: str) -> Any:
    return json.loads(Path(ROOT, "frontend", "src", "i18n", language[:2], f"{namespace}.json").read_text())


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_chosen_runs_become_a_table_with_a_plot_and_two_are_compared(
    live: Stack, eyes: Callable[..., Eyes], language: str
) -> None:
    many, base = words(language, "many"), words(language, "base")
    label = {"sweep": language}
    runs = [live.submit(SQUARE, parameters={"x": str(x)}, labels=label) for x in (1, 2, 3)]
    for run in runs:
        live.wait(run, 240)
    seen = eyes(language)
    page = seen.page
    seen.go(f"/runs?label=sweep%3D{language}")
    page.get_by_role("checkbox", name=base["runs"]["selectAll"]).check()
    page.get_by_role("region", name=many["chosen"].replace("{{count}}", "3")).wait_for()
    seen.look("1-chosen")

    page.get_by_role("button", name=many["saved"]).click()
    page.get_by_label(many["savedName"]).fill(f"the sweep {language}")
    page.get_by_role("button", name=many["savedKeep"], exact=True).click()
    page.get_by_role("link", name=f"the sweep {language}").wait_for()
    page.keyboard.press("Escape")

    page.get_by_role("region").get_by_role("link", name=many["table"]).click()
    page.get_by_role("cell", name="9", exact=True).wait_for()
    expect(page.get_by_role("link", name=re.compile(r"x 3.*area 9"))).to_have_count(1)
    with page.expect_download() as saved:
        page.get_by_role("button", name=many["csv"]).click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0].startswith("number,name,state,x,method,area,") and len(lines) == 4
    seen.look("2-table")

    seen.go(f"/runs/compare?a={runs[0]}&b={runs[2]}")
    page.get_by_text(many["stepsSame"]).wait_for()
    expect(page.get_by_role("row").filter(has_text="area").locator("td")).to_have_text(["1", "9"])
    seen.look("3-compare")


def test_a_bulk_cancel_answers_for_each(live: Stack, eyes: Callable[..., Eyes]) -> None:
    sleeps = SQUARE.replace("open('/tmp/area'", "__import__('time').sleep(600); open('/tmp/area'")
    runs = [live.submit(sleeps, labels={"bulk": "yes"}) for _ in range(2)]
    seen = eyes()
    page = seen.page
    seen.go("/runs?label=bulk%3Dyes")
    page.get_by_role("checkbox", name="Choose all shown").check()
    page.get_by_role("region").get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    for run in runs:
        assert live.wait(run, 240)["state"] == "failed"


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_suspended_step_is_a_form_and_records_who_answered(
    live: Stack, eyes: Callable[..., Eyes], language: str
) -> None:
    again = words(language, "again")
    run = live.submit(ASK)
    seen = eyes(language)
    page = seen.page
    seen.go(f"/runs/{run}/steps")
    page.get_by_role("listitem").filter(has_text="approve").get_by_role("button").click()
    page.get_by_text("Is the model good enough?").wait_for()
    seen.look("1-asks")
    page.get_by_role("combobox", name="go", exact=True).click()
    page.get_by_role("option", name="yes").click()
    page.get_by_label(again["message"]).fill("looks right")
    page.get_by_role("button", name=again["goOn"], exact=True).click()
    assert live.wait(run, 240)["state"] == "succeeded"
    page.get_by_text(again["deed"]["resume"].replace("{{who}}", "admin")).wait_for()
    page.get_by_text("— looks right").wait_for()
    seen.look("2-answered")


def test_a_failed_run_is_retried_with_a_change_and_a_quote(live: Stack, eyes: Callable[..., Eyes]) -> None:
    run = live.submit(FAILS, parameters={"code": "3"})
    live.wait(run, 240)
    seen = eyes()
    page = seen.page
    seen.go(f"/runs/{run}")
    page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("The command itself failed (exit code 3)").wait_for()
    dialog.get_by_label("code").fill("0")
    dialog.get_by_text("1 steps").wait_for()
    seen.look("retry")
    dialog.get_by_role("button", name="Retry").click()
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=240_000)
