"""The event stream as the CLI reads it: long polls, resumed by number, so that nothing is missed behind any proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fubini.cli.client import Client

WAIT_S = 20


def event_pages(
    client: Client, *, run: str = "", topic: str = "", after: str = "", follow: bool = False, project: str = ""
) -> Iterator[dict[str, Any]]:
    """Events in commit order; from the beginning unless `after` is given, and without end when `follow`."""
    cursor: Any = after or 0
    while True:
        params = {"run": run, "topic": topic, "project": project or ("" if run else client.project)}
        answer = client.get("/events", wait=f"{WAIT_S}s" if follow else "0s", cursor=str(cursor), **params)
        yield from answer["events"]
        if not follow and (not answer["events"] or answer["cursor"] == cursor):
            return
        cursor = answer["cursor"]
