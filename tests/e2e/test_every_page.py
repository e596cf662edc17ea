"""Every page there is: nothing serious found by axe, no wider than a phone, itself again after a lost network or a 429,
and no more requests at its opening than are known (`tests/golden/requests.json`, which
`tests/unit/test_one_request_a_page.py` holds to one a page).

The pages come from `tests.support.pages`, so that a new one is visited without a word here. After a change of a page's
requests that is meant, write the file anew:
`UPDATE_BASELINES=1 pytest tests/e2e/test_every_page.py -k requests`.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Eyes
from tests.support.pages import addresses, filled
from tests.support.stack import ROOT, Stack
from tests.unit.test_one_request_a_page import PREVIEWS

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
REQUESTS = ROOT / "tests" / "golden" / "requests.json"
# Of the frame around every page, and of no page: who reads, their projects, their notices, and the live stream.
FRAME = frozenset({"/api/v1/me", "/api/v1/projects", "/api/v1/notices/bell", "/api/v1/events"})
# What an address opens beside its page: a step's panel, that of a step which waits in a live run, two runs to compare.
OPENED = ("/runs/:id/steps?step=:step", "/runs/:stuck/steps?step=:waits", "/runs/compare?a=:run&b=:run")
STUCK = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: stuck-}
spec:
  entrypoint: work
  templates:
  - name: work
    container: {image: busybox, command: ["true"], resources: {requests: {cpu: "5000"}}}
"""
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: seen-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: count, value: "2"}]}
  templates:
  - name: main
    steps: [[{name: work, template: work, withSequence: {count: "3"}}]]
  - name: work
    script: {image: busybox, command: [sh], source: "echo hello > /tmp/out.txt; echo hello"}
    outputs: {artifacts: [{name: out, path: /tmp/out.txt}]}
"""
# Views that a page has behind its path: what was chosen there stands in the address, and a reload shows it again.
CHOSEN = {
    "/money?days=7&by=member": {"7 days", "Member"},
    "/data?search=seen": {"seen"},
    "/launch?source=own": {"Own manifest"},
    "/pipelines/:id?version=1": {"version 1"},
}
LOOKED = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v =>
    `${v.id} (${v.impact}): ` + v.nodes.slice(0, 3).map(n => `${n.target} ${n.html.slice(0, 160)} ${(n.any[0]||{}).message||""}`).join(" | "));
}"""


@pytest.fixture(scope="module")
def things(live: Stack) -> dict[str, str]:
    """One of everything an address can name."""
    post = live.client.post("/api/v1/pipelines", json={"project": live.project, "name": "seen", "manifest": MANIFEST})
    assert post.status_code in (200, 201), post.text
    dataset = live.client.post("/api/v1/datasets", json={"project": live.project, "name": "seen"})
    assert dataset.status_code in (200, 201), dataset.text
    run = live.submit(MANIFEST)
    assert live.wait(run, 240)["state"] == "succeeded"
    stuck = live.submit(STUCK)
    return {
        "runs": run, "pipelines": post.json()["id"], "data": dataset.json()["id"], "pools": live.get("pools")["results"][0]["id"],
        "run": run, "step": live.get(f"runs/{run}/nodes", type="Pod")["results"][0]["node_id"],
        "stuck": stuck, "waits": waiting(live, stuck),
    }  # fmt: skip


def waiting(live: Stack, run: str) -> str:
    """The node of the run's step, once it is known why it waits."""
    for _ in range(300):
        for task in live.get(f"runs/{run}/tasks")["results"]:
            if task["why"]:
                return str(task["node_id"])
        time.sleep(0.1)
    raise TimeoutError(f"no step of {run} was planned")


def visited(things: dict[str, str]) -> list[str]:
    return [filled(path, things) for path in addresses()]


def settle(seen: Eyes, path: str) -> None:
    seen.go(path)
    seen.settle()


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-US"), ("dark", "zh-CN")])
def test_nothing_serious_is_found_by_axe_on_any_page(
    live: Stack, eyes: Callable[..., Eyes], things: dict[str, str], scheme: str, language: str
) -> None:
    source = AXE.read_text()
    seen = eyes(scheme=scheme, language=language)
    found: list[str] = []
    for path in [*visited(things), *(filled(path, things) for path in CHOSEN)]:
        settle(seen, path)
        seen.page.evaluate(source)  # by the debugger, which the pages' policy does not concern
        found += [f"{path}: {finding}" for finding in seen.page.evaluate(LOOKED)]
        seen.look(f"{path.strip('/').replace('/', '-') or 'home'}")
    seen.errors = [e for e in seen.errors if "404" not in e]
    assert not found, "\n".join(found)


def test_a_page_makes_the_requests_it_is_known_to_make(
    live: Stack, eyes: Callable[..., Eyes], things: dict[str, str]
) -> None:
    """At its opening, beside the frame's; so a page that comes to ask for one thing more is seen."""
    seen = eyes()
    asked: set[str] = set()  # whole addresses: what is asked again is one question, two questions to one route are two
    seen.page.on("request", lambda request: asked.add(request.url) if "/api/" in request.url else None)
    found: dict[str, list[str]] = {}
    want = json.loads(REQUESTS.read_text())
    for path in [*addresses(), *OPENED]:
        asked.clear()
        settle(seen, filled(path, things))
        until = time.monotonic() + 20
        while (found.update({path: own_of(asked)}) or found[path]) != want.get(path) and time.monotonic() < until:
            seen.page.wait_for_timeout(200)  # a part of the page that is slow to come
        heard = {route_of(url) for url in asked}
        assert FRAME - {"/api/v1/events"} <= heard, f"{path} asked only for {heard}"  # else nothing was heard
    seen.errors = [e for e in seen.errors if "404" not in e]
    if os.environ.get("UPDATE_BASELINES"):
        REQUESTS.write_text(json.dumps(found, indent=1) + "\n")
        want = found
    assert found == want


def own_of(asked: set[str]) -> list[str]:
    """The routes of a page's own requests; however many previews there are, each route of them once."""
    own = [route for route in map(route_of, asked) if route not in FRAME]
    return sorted([r for r in own if not PREVIEWS.match(r)] + list({r for r in own if PREVIEWS.match(r)}))


def route_of(url: str) -> str:
    """The path asked for, with ids as `{id}` and what names an artifact left out."""
    path = re.sub(r"^https?://[^/]+|[?#].*", "", url)
    path = re.sub(r"(?<=/)[0-9a-z]{20,}(?=/|$)", "{id}", path)
    path = re.sub(r"(?<=/nodes/)[^/]+", "{node}", path)
    return re.sub(r"(?<=/artifacts/\{id\})/.*(?=/)", "", path)


def test_no_page_is_wider_than_a_phone(live: Stack, eyes: Callable[..., Eyes], things: dict[str, str]) -> None:
    seen = eyes(width=360)
    found: list[str] = []
    for path in visited(things):
        settle(seen, path)
        wide: Any = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 1:
            found.append(f"{path} is {wide} px wider than the screen")
        seen.look(f"{path.strip('/').replace('/', '-') or 'home'}")
    seen.errors = [e for e in seen.errors if "404" not in e]
    assert not found, "\n".join(found)


def test_what_was_chosen_on_a_page_is_in_its_address(
    live: Stack, eyes: Callable[..., Eyes], things: dict[str, str]
) -> None:
    seen = eyes()
    for path, want in CHOSEN.items():
        settle(seen, filled(path, things))
        chosen: list[str] = seen.page.evaluate("""() => [...document.querySelectorAll('#content input')]
            .filter(e => !['radio', 'checkbox'].includes(e.type) || e.checked)
            .map(e => ['radio', 'checkbox'].includes(e.type) ? (e.labels?.[0]?.textContent ?? '') : e.value)""")
        assert want <= set(chosen), (path, chosen)
    settle(seen, "/money")
    seen.page.get_by_text("90 days", exact=True).click()
    seen.page.wait_for_url(re.compile(r"[?&]days=90"))
    seen.page.reload()
    expect(seen.page.get_by_role("radio", name="90 days")).to_be_checked()


def test_a_lost_network_is_said_and_over_by_itself(live: Stack, eyes: Callable[..., Eyes]) -> None:
    seen = eyes()
    page = seen.page
    seen.go("/runs")
    page.get_by_text("Live", exact=True).wait_for()
    page.context.set_offline(True)
    page.get_by_text("The server does not answer.").wait_for()
    seen.look("offline")
    run = live.submit(MANIFEST)  # what happens meanwhile is caught up with
    page.context.set_offline(False)
    name = live.get(f"runs/{run}")["name"]
    page.get_by_text(name).first.wait_for()
    page.get_by_text("The server does not answer.").wait_for(state="hidden")
    seen.errors = [e for e in seen.errors if "net::ERR_" not in e]


def test_a_throttled_answer_is_said_and_asked_again_by_itself(live: Stack, eyes: Callable[..., Eyes]) -> None:
    seen = eyes()
    page = seen.page
    throttled = {"on": True}

    def answer(route: Any) -> None:
        if throttled["on"]:
            body = '{"code": "throttled", "title": "Too many requests", "detail": "Too many.", "status": 429, "next_step": "Wait."}'
            route.fulfill(status=429, content_type="application/problem+json", headers={"Retry-After": "1"}, body=body)
        else:
            route.continue_()

    page.route("**/api/v1/runs*", answer)
    seen.go("/runs")
    page.get_by_text("The server asks for a pause.").wait_for()
    seen.look("throttled")
    throttled["on"] = False
    page.locator("#content table tbody tr").first.wait_for(timeout=240_000)
    page.get_by_text("The server asks for a pause.").wait_for(state="hidden")
    seen.errors = [e for e in seen.errors if "429" not in e]


def test_the_way_from_a_pipeline_to_a_runs_log_needs_no_mouse(
    live: Stack, eyes: Callable[..., Eyes], things: dict[str, str]
) -> None:
    seen = eyes(signed_in=False)
    page = seen.page
    seen.sign_in((live.home / "admin.password").read_text().strip())

    def tab_to(accept: str, most: int = 90) -> None:
        """Tab until what has the focus says so."""
        for _ in range(most):
            page.keyboard.press("Tab")
            words = page.evaluate("""() => { const e = document.activeElement;
                return [e.getAttribute('aria-label'), e.textContent, e.getAttribute('data-parameter'), e.labels?.[0]?.textContent]
                  .filter(Boolean).join(' / '); }""")
            if re.search(accept, words):
                shown = page.evaluate("""() => document.activeElement.matches('input, textarea, select') ||
                    getComputedStyle(document.activeElement).outlineStyle !== 'none'""")  # fields change their border
                assert shown, f"{words!r} has the focus and does not show it"
                return
        raise AssertionError(f"no Tab reaches {accept!r}")

    tab_to(r"^Pipelines$")
    page.keyboard.press("Enter")
    page.locator("#content").get_by_role("link", name="Launch seen", exact=True).wait_for()
    tab_to(r"^Launch / Launch$|^Launch$|Launch seen")
    page.keyboard.press("Enter")
    page.get_by_label("Name of the run").wait_for()
    tab_to("Name of the run")
    page.keyboard.type("by-keyboard")
    tab_to(r"^Launch$|Launch now|Submit")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs/\w{20,}"))
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=240_000)
    tab_to(r"^Graph$|^Steps$")
    if page.evaluate("document.activeElement.textContent") != "Steps":
        page.keyboard.press("ArrowRight")
        for _ in range(6):
            if page.evaluate("document.activeElement.textContent") == "Steps":
                break
            page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("listitem").first.wait_for()
    tab_to(r"work\(0:0\)")
    page.keyboard.press("Enter")
    page.get_by_role("log").get_by_text("hello").wait_for()
    seen.look("log")
