"""A live Fubini with the built pages, and a real browser that looks at it; screenshots go to build/e2e."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import ROOT, Stack, stack

SHOTS = ROOT / "build" / "e2e"
SETTLE_MS = 60_000
QUIET_MS = 400

# What spins for as long as something is awaited does not count.
STILL = """() => document.getAnimations().every(a => a.playState !== 'running' || a.effect?.getComputedTiming().endTime === Infinity)"""


@dataclass
class Eyes:
    """One page, and what went wrong on it unseen."""

    page: Any
    base: str
    name: str
    errors: list[str] = field(default_factory=list)
    under_way: set[Any] = field(default_factory=set)  # requests to the API, but for the live stream
    moved_s: float = 0.0  # when one began or ended

    def hear(self) -> None:
        """Note what the page asks the API for, and what goes wrong on it."""
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", self._began)
        self.page.on("requestfinished", self._ended)
        self.page.on("requestfailed", self._ended)

    def _said(self, message: Any) -> None:
        """What the console complains of, with the address it is about.

        Signing in is asked for by a 401. When an address of this machine changes, as in the tests that lay links between name
        spaces, the browser breaks off what it fetches; the page tries again, and that is looked at where it is meant.
        """
        if message.type == "error" and not any(word in message.text for word in ("401", "ERR_NETWORK_CHANGED")):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _began(self, request: Any) -> None:
        if "/api/" in request.url and not request.url.partition("?")[0].endswith("/api/v1/events"):
            self.under_way.add(request)
            self.moved_s = time.monotonic()

    def _ended(self, request: Any) -> None:
        self.under_way.discard(request)
        self.moved_s = time.monotonic()

    def settle(self) -> None:
        """Until the page has its heading, has asked for all it needs, and nothing on it moves any more."""
        self.page.locator("#content").locator("h2, [role=alert]").first.wait_for()
        self.page.wait_for_load_state("networkidle")  # its scripts too; it comes early where a script takes its time
        until = time.monotonic() + SETTLE_MS / 1000
        while self.under_way or time.monotonic() - self.moved_s < QUIET_MS / 1000:
            assert time.monotonic() < until, [request.url for request in self.under_way]
            self.page.wait_for_timeout(50)
        self.page.wait_for_function(STILL)

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def look(self, what: str) -> None:
        """Keep a picture."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.name}-{what}.png")

    def sign_in(self, password: str) -> None:
        self.go("/")
        self.page.locator("input[autocomplete=username]").fill("admin")
        self.page.locator("input[autocomplete=current-password]").fill(password)
        self.page.keyboard.press("Enter")
        self.page.locator("nav a").first.wait_for(timeout=SETTLE_MS)


@pytest.fixture(scope="module")
def live() -> Iterator[Stack]:
    with stack(FUBINI_LOGINS_PER_MINUTE="600") as running:  # all these browsers have one address
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Ended with its module: until then its event loop runs in this thread, where no other test could run one."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SETTLE_MS)
    with sync_playwright() as play:
        # As root Chromium has no sandbox of its own; it only opens our pages on loopback here.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        found = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield found
        found.close()


@pytest.fixture
def eyes(browser: Any, live: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[..., Eyes]]:
    """Opens a page in a language and width; afterwards nothing may have gone wrong on it."""
    opened: list[tuple[Any, Eyes]] = []

    def open_page(language: str = "en-US", width: int = 1440, scheme: str = "light", signed_in: bool = True) -> Eyes:
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=language, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(SETTLE_MS)
        name = request.node.name.replace("[", "-").replace("]", "").removeprefix("test_")
        found = Eyes(page, live.url, name)
        found.hear()
        opened.append((context, found))
        if signed_in:
            found.sign_in(Path(live.home, "admin.password").read_text().strip())
        return found

    yield open_page
    for context, found in opened:
        context.close()
        assert found.errors == [], found.errors
