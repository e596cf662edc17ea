"""Accounts in the browser: a second factor from its key to the next sign-in, members and tokens of a project, the trail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import expect

from tests.e2e.conftest import Eyes
from tests.support.stack import Stack

pytestmark = [pytest.mark.needs("browser"), pytest.mark.needs("pages")]
PASSWORD = "a long enough password"


def codes_of(secret: str) -> list[str]:
    """The codes of the half minute before, of this one, and of the next. Those of the edges may be too old, or too new,
    by the time they are read: the middle one is good for a whole half minute, and the last for as long."""
    return [format_hotp_value(hotp_value(secret, counter)) for counter in yield_hotp_counters_from_time()]


def test_a_second_factor_is_set_up_and_asked_for(live: Stack, eyes: Callable[..., Eyes]) -> None:
    live.client.post("/api/v1/users", json={"username": "ann", "password": PASSWORD})
    seen = eyes(signed_in=False)
    page = seen.page

    def sign_in() -> None:
        page.locator("input[autocomplete=username]").fill("ann")
        page.locator("input[autocomplete=current-password]").fill(PASSWORD)
        page.keyboard.press("Enter")

    seen.go("/account")
    sign_in()
    page.get_by_role("button", name="Set it up").click()
    secret = page.locator("[data-secret]").inner_text()
    page.get_by_role("img", name="QR code of the key").wait_for()
    seen.look("1-enrol")
    page.get_by_label("Code the app shows now").fill(codes_of(secret)[1])
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Recovery codes: each signs in once").wait_for()
    page.get_by_text("10 recovery codes left").wait_for()
    seen.look("2-recovery")

    page.get_by_role("button", name="Sign out").click()
    page.locator("input[autocomplete=username]").wait_for()
    sign_in()
    page.get_by_label("Code of your authenticator app").fill(codes_of(secret)[2])
    page.keyboard.press("Enter")
    page.get_by_role("link", name="My account: ann").wait_for()


def test_a_passkey_is_added_and_signs_in_alone_and_behind_the_password(live: Stack, eyes: Callable[..., Eyes]) -> None:
    live.client.post("/api/v1/users", json={"username": "pat", "password": PASSWORD})
    seen = eyes(signed_in=False)
    page = seen.page
    seen.base = seen.base.replace("127.0.0.1", "localhost")  # a bare address is no domain
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    authenticator = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def password() -> None:
        page.locator("input[autocomplete=username]").fill("pat")
        page.locator("input[autocomplete=current-password]").fill(PASSWORD)
        page.keyboard.press("Enter")

    def out() -> None:
        page.get_by_role("button", name="Sign out").click()
        page.locator("input[autocomplete=username]").wait_for()

    seen.go("/account")
    password()
    page.locator("nav a").first.wait_for()
    other = httpx.Client(base_url=live.url, trust_env=False, headers={"User-Agent": "curl/8"})
    token = other.get("/api/v1/login").json()["csrf_token"]
    body = {"username": "pat", "password": PASSWORD}
    assert other.post("/api/v1/login", json=body, headers={"X-CSRFToken": token}).status_code == 200
    page.reload()
    page.get_by_text("Chrome on Linux").wait_for()
    page.get_by_role("button", name="End the session: curl").wait_for()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("My laptop")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("Recovery codes: each signs in once").wait_for()
    page.get_by_role("button", name="Remove the passkey My laptop").wait_for()
    page.get_by_role("button", name="End the session: curl").wait_for(state="detached")
    assert other.get("/api/v1/me").status_code == 401
    seen.look("1-added")

    out()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("link", name="My account: pat").wait_for()
    out()
    password()
    page.get_by_role("button", name="Use a passkey instead").click()
    page.get_by_role("link", name="My account: pat").wait_for()

    out()
    device.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_text("No passkey was used.").wait_for()
    seen.look("2-not-verified")


def test_members_and_tokens_are_kept_on_the_project_page_and_the_trail_tells(
    live: Stack, eyes: Callable[..., Eyes]
) -> None:
    live.client.post("/api/v1/users", json={"username": "bob", "password": PASSWORD})
    seen = eyes("zh-CN")
    page = seen.page
    seen.go("/project")
    page.get_by_label("用户名").fill("bob")
    page.get_by_role("button", name="添加", exact=True).click()
    page.get_by_role("combobox", name="bob 的角色").wait_for()
    page.get_by_label("令牌名称").fill("nightly")
    page.get_by_role("button", name="创建令牌").click()
    page.get_by_text("请立即复制").wait_for()
    seen.look("1-project")
    page.get_by_role("button", name="撤销令牌 nightly").click()
    page.get_by_role("cell", name="已撤销").wait_for()

    seen.go("/admin/trail")
    page.get_by_role("cell", name="令牌：撤销").first.wait_for()
    page.get_by_text("token.revoke", exact=True).first.wait_for()
    page.get_by_role("button", name="检查链条").click()
    page.get_by_text("完整：").wait_for()
    seen.look("2-trail")
    seen.go("/admin/users")
    page.get_by_role("cell", name="bob", exact=True).wait_for()
    seen.look("3-users")
    seen.go("/admin/state")
    page.get_by_text("平台工作正常。").wait_for()
    password = Path(live.home, "admin.password").read_text().strip()
    assert password not in page.content()


def test_a_view_is_shared_with_a_member_and_a_stranger_is_told_whom_to_ask(
    live: Stack, eyes: Callable[..., Eyes]
) -> None:
    live.client.post("/api/v1/users", json={"username": "eve", "password": PASSWORD})
    seen = eyes()
    page = seen.page
    seen.go("/runs/table?state=failed")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_label("Note").fill("what failed")
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_role("status").locator("code").inner_text()
    seen.look("5-share")
    seen.go(address.removeprefix(seen.base))
    page.wait_for_url("**/runs/table?state=failed&project=*")
    page.get_by_text("No runs to show.").wait_for()
    seen.go("/project")
    page.get_by_role("link", name="what failed").wait_for()
    page.get_by_role("heading", name="Feature flags").wait_for()
    seen.look("6-project-links-flags")
    seen.go("/admin/flags")
    page.get_by_text("Argo-compatible door").wait_for()
    seen.look("7-admin-flags")

    stranger = eyes("zh-CN", width=420, scheme="dark", signed_in=False)
    stranger.go(address.removeprefix(stranger.base))
    stranger.page.locator("input[autocomplete=username]").fill("eve")
    stranger.page.locator("input[autocomplete=current-password]").fill(PASSWORD)
    stranger.page.keyboard.press("Enter")
    stranger.page.get_by_text("请询问发给您链接的人").wait_for()
    stranger.look("8-stranger")
    [said] = stranger.errors  # the browser's own word for the answer that was meant
    assert "404" in said
    stranger.errors.clear()


SYNCED = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: beam-}
spec:
  entrypoint: main
  templates:
  - name: main
    synchronization: {mutexes: [{name: beam}]}
    script: {image: busybox, command: [sh], source: "sleep 300"}
"""
SECRET = "a-value-nobody-reads-back"
NAMING = SYNCED.replace("    synchronization: {mutexes: [{name: beam}]}\n", "").replace(
    'source: "sleep 300"}', 'source: "true", env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]}'
)


def test_a_secret_is_set_and_named_and_its_value_is_nowhere_on_the_page(live: Stack, eyes: Callable[..., Eyes]) -> None:
    seen = eyes()
    page = seen.page
    seen.go("/project/secrets")
    page.get_by_text("No secret yet").wait_for()
    page.get_by_role("textbox", name="Name", exact=True).fill("db")
    page.get_by_role("textbox", name="Key", exact=True).fill("password")
    page.get_by_role("textbox", name="Value").fill(SECRET)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("db/password is kept.").wait_for()
    page.get_by_role("cell", name="db", exact=True).wait_for()
    everything = "[...document.querySelectorAll('input')].map(i => i.value).join() + document.documentElement.outerHTML"
    assert SECRET not in page.evaluate(everything) and SECRET not in page.evaluate("JSON.stringify(localStorage)")
    made = live.client.post("/api/v1/pipelines", json={"project": live.project, "name": "loader", "manifest": NAMING})
    assert made.status_code in (200, 201), made.text
    page.reload()
    page.get_by_role("link", name="loader").wait_for()
    seen.look("1-secrets")
    dark = eyes("zh-CN", scheme="dark", width=400)
    dark.go("/project/secrets")
    dark.page.get_by_role("link", name="loader").wait_for()
    dark.look("2-secrets-phone")


def test_a_schedule_says_when_it_comes_is_made_and_run_by_hand(live: Stack, eyes: Callable[..., Eyes]) -> None:
    live.client.post("/api/v1/pipelines", json={"project": live.project, "name": "beamline", "manifest": SYNCED})
    seen = eyes()
    page = seen.page
    seen.go("/project/schedules")
    page.get_by_role("button", name="New schedule").first.click()
    page.get_by_role("combobox", name="Pipeline").click()
    page.get_by_role("option", name="beamline").click()
    page.get_by_text("At 02:00 every day").wait_for()
    line = page.get_by_role("textbox", name="When (cron)")
    line.fill("0 25 * * *")
    page.get_by_text("'25' is not a hour: allowed is 0-23").wait_for()
    expect(page.get_by_role("button", name="Make the schedule")).to_be_disabled()
    line.fill("0 9 * * 1-5")
    page.get_by_text("At 09:00, Monday to Friday").wait_for()
    page.get_by_text("Next, in").wait_for()
    seen.look("1-form")
    page.get_by_role("button", name="Make the schedule").click()
    page.get_by_role("heading", name="beamline").wait_for()
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("Started:").wait_for()
    page.get_by_role("link", name="beamline-").first.wait_for()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("button", name="Resume").wait_for()
    seen.look("2-schedule")
    dark = eyes("zh-CN", scheme="dark", width=400)
    dark.go("/project/schedules")
    dark.page.get_by_text("周一至周五 09:00").wait_for()
    dark.look("3-schedules-phone")


def test_a_lock_shows_who_holds_it_and_is_taken_for_the_next(live: Stack, eyes: Callable[..., Eyes]) -> None:
    first, second = (live.submit(SYNCED.replace("name: beam}", "name: optics}")) for _ in range(2))
    seen = eyes()
    page = seen.page
    seen.go("/project/locks")
    card = page.get_by_role("region", name="Mutex optics")
    card.get_by_text("waiting 1").wait_for()
    seen.look("1-locks")
    names = {run: live.get(f"runs/{run}")["name"] for run in (first, second)}
    holder = next(run for run in (first, second) if card.get_by_role("button", name=names[run]).count())
    card.get_by_role("button", name="Take the lock from").click()
    page.get_by_text("is not stopped and goes on").wait_for()
    seen.look("2-take")
    page.get_by_role("button", name="Take it away").click()
    card.get_by_text("waiting 0").wait_for()
    other = second if holder == first else first
    card.get_by_role("button", name=f"Take the lock from {names[other]}").wait_for()
    for run in (first, second):
        live.post(f"runs/{run}/cancel", {})
    dark = eyes("zh-CN", scheme="dark", width=400)
    dark.go("/project/locks")
    dark.page.get_by_role("heading", name="锁", exact=True).wait_for()
    dark.look("3-locks-phone")
