"""A step that cannot start says why and what would start it; making that change starts it. In both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SHOTS, Eyes
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]

WORDS = {
    language: {
        name: json.loads(Path(ROOT, "frontend", "src", "i18n", language[:2], f"{name}.json").read_text())
        for name in ("base", "why", "pools", "placement")
    }
    for language in ("en-US", "zh-CN")
}


def manifest(name: str, extra: str, source: str) -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {{generateName: {name}-}}\n"
        "spec:\n  entrypoint: main\n  templates:\n"
        f"  - name: main\n{extra}"
        f"    script: {{image: busybox, command: [sh], source: '{source}'"
    )


TOO_LARGE = manifest("greedy", "", "echo small after all") + ", resources: {requests: {memory: 900Gi}}}\n"
FAILING = manifest("broken", "", "echo the last straw; exit 3") + "}\n"


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_applying_the_offered_change_starts_a_step_that_cannot_start(
    live: Stack, eyes: Callable[..., Eyes], language: str
) -> None:
    words = WORDS[language]
    run = live.submit(TOO_LARGE)
    seen = eyes(language, scheme="dark" if language == "zh-CN" else "light")
    page = seen.page
    seen.go(f"/runs/{run}")
    page.get_by_role("link", name=words["why"]["look"]).click()  # from the run's reason to the step that waits
    page.get_by_text(words["why"]["perPool"]).wait_for()
    option = page.get_by_role("region", name=words["why"]["option"].replace("{{n}}", "1"))
    option.wait_for()
    expect(page.get_by_text(words["why"]["noStart"])).to_have_count(1)
    seen.look("1-waits")
    option.get_by_role("button", name=words["why"]["apply"]).click()
    page.get_by_text(words["base"]["state"]["succeeded"], exact=True).first.wait_for(timeout=240_000)  # nobody reloads
    seen.look("2-started")
    assert live.wait(run, 240)["state"] == "succeeded"
    page.get_by_role("tab", name=words["base"]["run"]["placement"], exact=True).click()
    page.get_by_text(words["placement"]["chosen"], exact=True).wait_for()
    seen.look("3-placement")


def test_a_failed_step_says_why_with_its_last_lines(live: Stack, eyes: Callable[..., Eyes]) -> None:
    run = live.submit(FAILING)
    live.wait(run, 240)
    seen = eyes()
    page = seen.page
    seen.go(f"/runs/{run}/steps")
    page.get_by_role("listitem").get_by_role("button").first.click()
    page.get_by_text("Why it failed").wait_for()
    page.get_by_text("The command itself failed.").wait_for()
    page.locator("pre").get_by_text("the last straw").first.wait_for()
    page.get_by_role("button", name="Run again", exact=True).last.wait_for()
    seen.look("failed")


def test_a_pool_is_cordoned_from_its_page_and_takes_steps_again(live: Stack, eyes: Callable[..., Eyes]) -> None:
    words = WORDS["en-US"]["pools"]
    seen = eyes()
    page = seen.page
    seen.go("/pools")
    pool = page.get_by_role("region", name="edge · edge")
    pool.get_by_text(words["heartbeat"]).wait_for()
    seen.look("1-pools")
    pool.get_by_role("button", name="Cordon edge", exact=True).click()
    page.get_by_label(words["reason"]).fill("new cooling")
    page.get_by_role("dialog").get_by_role("button", name=words["cordon"], exact=True).click()
    pool.get_by_text("Takes no new steps: new cooling").wait_for()
    seen.look("2-cordoned")
    pool.get_by_role("button", name="Uncordon edge", exact=True).click()
    pool.get_by_text("Takes no new steps: new cooling").wait_for(state="hidden")
    page.get_by_role("button", name=words["join"]).first.click()
    page.get_by_role("button", name=words["joinMake"]).click()
    page.locator("pre").get_by_text("fubini-agent join").wait_for()
    for language, width, scheme in (("zh-CN", 1440, "dark"), ("zh-CN", 390, "light")):
        other = eyes(language, width, scheme)
        other.go("/pools")
        other.page.get_by_role("region", name="edge · edge").wait_for()
        other.page.screenshot(path=SHOTS / f"pools-{width}-{scheme}.png", full_page=True)
        wide = other.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1


def test_a_quota_is_raised_from_the_step_that_waits_for_it(live: Stack, eyes: Callable[..., Eyes]) -> None:
    quotas = f"/api/v1/projects/{live.project}/quotas"
    assert live.client.patch(quotas, json={"cpu_millis": 100}, headers={"If-Match": "*"}).status_code == 200
    try:
        run = live.submit(TOO_LARGE.replace("900Gi", "64Mi"))
        seen = eyes("zh-CN")
        page = seen.page
        seen.go(f"/runs/{run}")
        page.get_by_role("link", name=WORDS["zh-CN"]["why"]["look"]).click()
        option = page.get_by_role("region", name=WORDS["zh-CN"]["why"]["option"].replace("{{n}}", "1"))
        option.get_by_text("把项目的配额").wait_for()
        seen.look("1-waits")
        option.get_by_role("button", name=WORDS["zh-CN"]["why"]["apply"]).click()
        assert live.wait(run, 240)["state"] == "succeeded"
        assert live.get(f"projects/{live.project}/quotas")[0]["cpu_millis"] == 1000
    finally:
        live.client.patch(quotas, json={"cpu_millis": None}, headers={"If-Match": "*"})
