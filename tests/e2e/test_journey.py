"""A scientist's way through the pages: sign in, launch, watch, look at what came out, see what it cost; in both languages."""

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

WORDS = {
    language[:2]: json.loads(Path(ROOT, "frontend", "src", "i18n", language[:2], "base.json").read_text())
    for language in ("en-US", "zh-CN")
}

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: walk-
  annotations:
    fubini.dev/input.steps: '{type: integer, range: [1, 500], unit: steps, help: {en: How far to walk, zh: 走多远}}'
spec:
  entrypoint: main
  arguments: {parameters: [{name: steps, value: "20"}]}
  templates:
  - name: main
    steps:
    - - {name: walk, template: walk, arguments: {parameters: [{name: seed, value: "{{item}}"}]}, withSequence: {count: "3"}}
    - - {name: draw, template: draw}
  - name: walk
    inputs: {parameters: [{name: seed}]}
    script:
      image: python
      command: [python3]
      source: |
        import random
        random.seed({{inputs.parameters.seed}})
        place = 0
        for step in range({{workflow.parameters.steps}}):
            place += random.choice((-1, 1))
            print(f"step {step}: at {place}")
  - name: draw
    script:
      image: python
      command: [python3]
      source: |
        open("/tmp/plot", "w").write('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="15"/></svg>')
        open("/tmp/frame.xyz", "w").write("3\\nwater\\nO 0 0 0\\nH 0.96 0 0\\nH -0.24 0.93 0\\n")
        open("/tmp/table.csv", "w").write("t,x\\n0,1\\n1,4\\n2,9\\n")
    outputs:
      artifacts:
      - {name: plot, path: /tmp/plot}
      - {name: frame, path: /tmp/frame.xyz}
      - {name: table, path: /tmp/table.csv}
"""


def push_pipeline(live: Stack, name: str) -> None:
    found = live.client.post("/api/v1/pipelines", json={"project": live.project, "name": name, "manifest": MANIFEST})
    assert found.status_code in (200, 201), found.text


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_from_the_kit_to_the_plot_and_the_cost(live: Stack, eyes: Callable[..., Eyes], language: str) -> None:
    words = WORDS[language[:2]]
    push_pipeline(live, "walk")
    seen = eyes(language)
    page = seen.page

    page.get_by_role("link", name=words["nav"]["pipelines"], exact=True).click()
    page.locator("#content").get_by_role("link", name=f"{words['pipelines']['launch']} walk", exact=True).click()
    field = page.locator("[data-parameter=steps]")
    field.fill("31")
    page.get_by_text(words["launch"]["basis"]).wait_for()
    expect(page.get_by_text("走多远" if language == "zh-CN" else "How far to walk")).to_have_count(1)
    seen.look("1-launch")
    page.get_by_label(words["launch"]["name"]).fill(f"walk-{language.lower()}")
    page.get_by_role("button", name=words["launch"]["submit"], exact=True).click()

    page.wait_for_url(re.compile(r"/runs/\w+"))
    page.get_by_text(words["state"]["succeeded"], exact=True).first.wait_for(timeout=240_000)  # live: nobody reloads
    seen.look("2-run")
    run = page.url.rpartition("/")[2].partition("?")[0]

    page.get_by_role("tab", name=words["run"]["steps"], exact=True).click()
    page.get_by_role("listitem").filter(has_text="walk(1:1)").get_by_role("button").click()
    log = page.get_by_role("log")
    log.get_by_text("step 30: at").wait_for()
    link = log.get_by_role("link", name=words["logs"]["line"].replace("{{n}}", "7"), exact=True)
    address = page.url + str(link.get_attribute("href"))
    page.goto(address)
    page.reload()
    page.get_by_role("log").get_by_text("step 6: at").wait_for()
    seen.look("3-log")

    seen.go(f"/runs/{run}/artifacts")
    page.get_by_role("img", name="plot").first.wait_for()
    page.locator("canvas[data-atoms='3']").first.wait_for()
    page.get_by_role("img", name="x", exact=True).first.wait_for()  # the table's plot
    seen.look("4-artifacts")

    seen.go(f"/runs/{run}/timeline")
    page.get_by_role("img", name=re.compile(words["run"]["timeline"])).wait_for()
    seen.look("5-timeline")
    seen.go(f"/runs/{run}/cost")
    page.get_by_role("cell", name="walk").first.wait_for()
    seen.go("/money")
    page.get_by_role("rowheader", name="walk", exact=True).wait_for()
    seen.look("6-money")


def test_a_run_is_cancelled_and_says_so(live: Stack, eyes: Callable[..., Eyes]) -> None:
    run = live.submit(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: long-}\n"
        "spec:\n  entrypoint: main\n  templates:\n"
        "  - {name: main, script: {image: busybox, command: [sh], source: 'sleep 600'}}\n"
    )
    seen = eyes()
    seen.go(f"/runs/{run}")
    seen.page.get_by_role("button", name="Cancel").click()
    seen.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    seen.page.get_by_text("Failed", exact=True).first.wait_for(timeout=240_000)
    seen.look("cancelled")
    assert live.wait(run, 240)["state"] == "failed"
    # A dialog that is made as it opens takes the focus, and gives it back to its button.
    retry = seen.page.get_by_role("button", name="Retry")
    retry.focus()
    seen.page.keyboard.press("Enter")
    dialog = seen.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry").wait_for()
    expect(dialog.locator(":focus")).to_have_count(1)
    seen.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(retry).to_be_focused()


ASKING = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: asking-
  annotations: {fubini.dev/input.count: '{"type": "integer", "range": [1, 5]}'}
spec:
  entrypoint: main
  arguments: {parameters: [{name: count, value: "2"}]}
  templates:
  - {name: main, steps: [[{name: approve, template: gate}]]}
  - {name: gate, suspend: {}}
"""


def test_home_begins_with_what_waits_for_an_answer_and_a_refused_value_is_told_at_its_field(
    live: Stack, eyes: Callable[..., Eyes]
) -> None:
    run = live.submit(ASKING)
    seen = eyes()
    page = seen.page
    seen.go("/")
    first = page.get_by_role("region", name="What needs an answer").get_by_role("row").first
    expect(first).to_contain_text("“approve” has waited")
    seen.look("home")
    first.get_by_role("link", name="Answer").click()
    page.get_by_role("button", name="Go on").click()
    assert live.wait(run, 240)["state"] == "succeeded"
    seen.go(f"/launch?from={run}")
    count = page.locator("[data-parameter=count]")
    expect(count).to_have_value("2")
    expect(page.get_by_label("Name of the run")).to_have_value("")
    count.fill("9")
    expect(count).to_have_attribute("aria-invalid", "true")
    seen.settle()
    expect(page.locator("p[id$=-error]")).to_contain_text("1 to 5")
    seen.look("refused")


def test_a_step_that_cannot_start_says_why(live: Stack, eyes: Callable[..., Eyes]) -> None:
    run = live.submit(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: stuck-}\n"
        "spec:\n  entrypoint: main\n  templates:\n"
        "  - name: main\n    nodeSelector: {fubini.dev/site: moon}\n"
        "    script: {image: busybox, command: [sh], source: 'true'}\n"
    )
    seen = eyes()
    seen.go(f"/runs/{run}/steps")
    seen.page.get_by_role("listitem").get_by_role("button").first.click()
    seen.page.get_by_text("Why it waits").wait_for()
    seen.page.get_by_text("What would start it").wait_for()
    seen.look("why")
    seen.go("/")
    seen.page.get_by_text("no place fits its selector").first.wait_for()
    live.client.post(f"/api/v1/runs/{run}/cancel", json={})


def test_hostile_text_runs_nothing(live: Stack, eyes: Callable[..., Eyes]) -> None:
    """Names, logs and artifacts as an attacker would write them: all are shown, none does anything."""
    evil = "<img src=x onerror=window.hit=1>"
    run = live.submit(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: evil-}\n"
        "spec:\n  entrypoint: main\n  templates:\n  - name: main\n"
        "    script:\n      image: python\n      command: [python3]\n      source: |\n"
        f'        print("{evil}</script><script>window.hit=1</script>")\n'
        '        print("\\x1b]8;;javascript:window.hit=1\\x07link\\x1b]8;;\\x07 \\u202etxt")\n'
        f"        __import__('os').mkdir('/tmp/out'); open('/tmp/out/page.html','w').write(\"<script>parent.window.hit=1</script>{evil}\")\n"
        "        open('/tmp/out/pic.svg','w').write(\"<svg xmlns='http://www.w3.org/2000/svg'><script>window.hit=1</script></svg>\")\n"
        "    outputs:\n      artifacts:\n      - {name: out, path: /tmp/out}\n",
        labels={"note": evil},
    )
    live.wait(run, 240)
    seen = eyes()
    page = seen.page
    seen.go(f"/runs/{run}/steps")
    page.get_by_role("listitem").get_by_role("button").first.click()
    page.get_by_role("log").get_by_text("onerror").wait_for()
    seen.go(f"/runs/{run}/artifacts")
    page.locator("iframe[sandbox='']").first.wait_for()
    seen.look("hostile")
    page.wait_for_timeout(500)
    assert page.evaluate("window.hit") is None
    seen.errors = [e for e in seen.errors if "sandbox" not in e and "Content Security Policy" not in e]


def test_the_pages_work_at_phone_width_and_in_the_dark(live: Stack, eyes: Callable[..., Eyes]) -> None:
    seen = eyes(width=390, scheme="dark")
    for path in ("/", "/runs", "/pools", "/launch"):
        seen.go(path)
        seen.page.get_by_role("heading", level=2).first.wait_for()
        wide: Any = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"{path} is {wide} px wider than the screen"
        seen.look(path.strip("/") or "home")


def test_an_ended_session_keeps_what_was_being_edited(live: Stack, eyes: Callable[..., Eyes]) -> None:
    seen = eyes()
    page = seen.page
    seen.go("/launch")
    page.get_by_label("Name of the run").fill("my unsent name")
    who = page.locator("[data-parameter=who]")
    who.wait_for()
    page.context.clear_cookies(name="sessionid")
    who.fill("somebody else")
    page.get_by_text("Your session has ended").wait_for()
    page.locator("input[autocomplete=username]").fill("admin")
    page.locator("input[autocomplete=current-password]").fill(Path(live.home, "admin.password").read_text().strip())
    page.keyboard.press("Enter")
    page.get_by_text("Your session has ended").wait_for(state="hidden")
    expect(page.get_by_label("Name of the run")).to_have_value("my unsent name")
