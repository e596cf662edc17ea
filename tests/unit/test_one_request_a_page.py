"""A page opens with one request of its own and a tab of it with one more, as `tests/golden/requests.json` has them.

What each page asks is written there by a browser (`tests/e2e/test_every_page.py`, which fails where it is not so any more);
here it is held to the rule. A page's answer is one aggregate: see `docs/developer.md`, "The pages".
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUESTS = ROOT / "tests" / "golden" / "requests.json"
ROUTER = ROOT / "frontend" / "src" / "app" / "App.tsx"

# The bytes of what a page shows, for every preview that is open; and what a step printed, which is followed.
PREVIEWS = re.compile(r"^/api/v1/(artifacts/\{id\}/content|datasets/\{id\}/versions/\w+/(content|files)|tasks/\{id\}/logs)$")
# What holds a live run back: its reasons are read anew by themselves, and an ended run has none.
REASONS = "/api/v1/runs/{id}/why"
# What a form as filled in would do: asked whenever it changes, and so once when it opens with something in it.
FORMS = re.compile(r"^/api/v1/projects/[\w-]+/launch/check$")


def known() -> dict[str, list[str]]:
    """What each page asks for beside the bytes of its previews, what its form would do, and a live run's reasons."""
    found: dict[str, list[str]] = json.loads(REQUESTS.read_text())

    def beside(request: str) -> bool:
        return request == REASONS or any(one.match(request) for one in (PREVIEWS, FORMS))

    return {page: [request for request in asked if not beside(request)] for page, asked in found.items()}


def allowed(page: str, router: str) -> int:
    """Requests a page may open with: a tab, which is no path of the router's own, has the page it is of around itself, and
    so has a step's panel."""
    path, _, query = page.partition("?")
    return 1 if (f'path: "{path}"' in router or page == "/no-such-page") and "step=" not in query else 2


def test_a_page_opens_with_one_request_and_its_tabs_with_one_more() -> None:
    router = ROUTER.read_text()
    more = {page: asked for page, asked in known().items() if len(asked) > allowed(page, router)}
    new = [f"{page} opens with {len(asked)}: {', '.join(asked)}" for page, asked in more.items()]
    assert not new, "ask for it in one aggregate (GET /projects/{ref}/..., or below its entity):\n" + "\n".join(new)


def test_the_tab_a_page_opens_with_asks_for_no_more_than_the_page() -> None:
    """They are one thing under two addresses."""
    found = known()
    first = {"/runs/:id": "/runs/:id/graph", "/admin": "/admin/users", "/money": "/money/spending"}
    assert {page: found[page] for page in first} == {page: found[tab] for page, tab in first.items()}
