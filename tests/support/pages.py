"""The addresses of the pages, read from the router's own source and from the tabs that the pages name themselves, so that
a new page is visited by every test and fuzzer that walks them without a word there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.support.stack import ROOT

SOURCE = ROOT / "frontend" / "src"


def addresses() -> list[str]:
    """The router's paths as they are written, those with a tab once for each that the page has."""
    source = (SOURCE / "app" / "App.tsx").read_text()
    found: list[str] = []
    for path, page in re.findall(r'path: "([^"]+)", element: <(\w+)', source):
        if ":tab" in path:
            found += [path.replace(":tab", tab) for tab in tabs(page)]
        else:
            found.append(path if path != "*" else "/no-such-page")
    assert len(found) >= source.count("path:"), "a route is written in a way that this does not read"
    return found


def tabs(page: str) -> list[str]:
    """What a page's source names as its tabs."""
    listed = re.search(r"^const TABS = \[([^\]]+)\]", (SOURCE / "pages" / f"{page}.tsx").read_text(), re.M)
    assert listed, f"{page} has a tab in its address and names no TABS"
    return re.findall(r'"(\w+)"', listed[1])


def filled(path: str, things: Mapping[str, str]) -> str:
    """With something real in the place of every name; `things` has an id for each kind (``runs``, ``data``, ...)."""
    path = re.sub(r"/(\w+)/:id", lambda m: f"/{m[1]}/{things.get(m[1], 'none')}", path)
    return re.sub(r":(\w+)", lambda m: things.get(m[1], "none"), path)
