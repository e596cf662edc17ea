"""From an empty project to a pipeline of one's own: take the examples, change one, keep it, answer the step that waits."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Eyes
from tests.support.stack import Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

WAITING = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: ask-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: approve, template: approve}]]
  - {name: approve, suspend: {}}
"""


def test_an_empty_project_takes_the_examples_and_one_of_them_is_edited_into_its_next_version(
    live: Stack, eyes: Callable[..., Eyes]
) -> None:
    assert live.client.post("/api/v1/projects", json={"slug": "fresh", "title": "Fresh"}).status_code == 201
    seen = eyes()
    page = seen.page
    seen.go("/pipelines?project=fresh")
    page.get_by_role("button", name="Put the examples into this project").click()
    page.get_by_role("link", name="Launch Ising model over a grid").wait_for(timeout=60_000)
    found = live.client.get("/api/v1/pipelines", params={"project": "fresh"}).json()["results"]
    kept = {p["name"]: p["id"] for p in found}
    assert {"sweep", "approval", "fan-out-reduce"} <= set(kept)
    seen.look("examples")

    seen.go(f"/pipelines/{kept['sweep']}?project=fresh")
    page.get_by_role("button", name="Edit", exact=True).click()
    text = page.locator(".cm-content")
    text.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("# mine\n")
    page.get_by_role("button", name="Save as a pipeline").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_label("Name").input_value() == "sweep"
    dialog.get_by_role("button", name="Save as a pipeline").click()
    page.get_by_text("Saved as sweep, version 2.").wait_for()
    seen.look("saved")
    page.get_by_role("link", name="Open it").click()
    page.get_by_text("# mine").wait_for()

    page.set_viewport_size({"width": 390, "height": 844})
    seen.go("/launch?project=fresh&pipeline=sweep")
    words = page.get_by_role("radiogroup", name="Objective").locator("label")
    words.filter(has_text="Cheapest").wait_for()
    assert words.evaluate_all("all => all.filter(w => w.scrollWidth > w.clientWidth || w.getBoundingClientRect().right > 390).length") == 0
    words.last.scroll_into_view_if_needed()
    seen.look("launch on a phone")


def test_a_run_whose_step_waits_for_a_person_leads_to_the_answer(live: Stack, eyes: Callable[..., Eyes]) -> None:
    run = live.submit(WAITING)
    seen = eyes()
    seen.go(f"/runs/{run}")
    seen.page.get_by_text("approve is suspended").wait_for(timeout=60_000)
    seen.page.get_by_role("link", name="Look and answer").click()
    seen.page.get_by_role("button", name="Go on").click()
    seen.page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=60_000)
    assert re.search(r"/runs/\w+/steps\?step=", seen.page.url)
