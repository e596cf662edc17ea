"""`fubini run files`: the working directory of a step, and its text files as they grow."""

from __future__ import annotations

import sys
import time
from typing import Any

from fubini.cli import output
from fubini.cli.client import Client, new_key, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit
from fubini.cli.watch import tasks_named

FOLLOW_S = 1.0
PART_BYTES = 256 * 1024
TAIL_MAX_BYTES = 4 * 1024 * 1024


def show_files(
    client: Client, run_id: str, step: str, path: str, *, follow: bool, tail: int | None, attempt: int | None
) -> None:
    """List a directory, or print a file from its beginning (or `tail` lines before its end) on."""
    task = tasks_named(client, run_id, step)[-1]["id"]
    ask: dict[str, Any] = {"path": path, "limit": PART_BYTES, **({"attempt": attempt} if attempt else {})}
    found = _tail(client, task, ask, tail) if tail else _look(client, task, ask)
    if OPTIONS.json:
        output.print_json(found)
        return
    if found["kind"] == "directory":
        _list(found)
        return
    if found["binary"]:
        raise CliError(
            f"{found['path']} is no text ({output.size(found['size_bytes'])})",
            try_="declare it as an output artifact of the step, and download that",
            exit_code=Exit.FAILED,
        )
    while True:
        sys.stdout.write(found["text"])
        sys.stdout.flush()
        more = found["next_offset"] < found["size_bytes"] and found["text"] != ""
        if not more:
            if not (follow and found["live"]):
                return
            time.sleep(FOLLOW_S)
        found = _look(client, task, {**ask, "offset": found["next_offset"]})


def _tail(client: Client, task: str, ask: dict[str, Any], lines: int) -> dict[str, Any]:
    """The last `lines` lines of a file as one piece; of a directory what there is. At most `TAIL_MAX_BYTES` are read."""
    found = _look(client, task, {**ask, "offset": -PART_BYTES})
    if found["kind"] != "file" or found["binary"]:
        return found
    end, start, text = found["size_bytes"], found["offset"], found["text"]
    while start > 0 and line_count(text) <= lines and end - start < TAIL_MAX_BYTES:
        before = max(0, start - PART_BYTES)
        part = _look(client, task, {**ask, "offset": before, "limit": start - before})
        if part["next_offset"] <= before:  # it was cut meanwhile
            break
        start, text = before, part["text"] + text
    if start > 0 and line_count(text) <= lines:
        output.note(f"the lines are long: only the last {output.size(end - start)} are shown")
    return {**found, "offset": start, "text": last_lines(text, lines)}


def line_count(text: str) -> int:
    """As `tail` counts: what follows the last line end is a line."""
    return text.count("\n") + (not text.endswith("\n") and text != "")


def last_lines(text: str, lines: int) -> str:
    """The end of a text from its last so-many lines on."""
    at = len(text) - 1 if text.endswith("\n") else len(text)
    for _ in range(lines):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return text
    return text[at + 1 :]


def _look(client: Client, task: str, body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.post(f"/tasks/{segment(task)}/files", body, key=new_key())
    return found


def _list(found: dict[str, Any]) -> None:
    rows = [
        [
            row["name"] + ("/" if row["kind"] == "directory" else ""),
            "" if row["kind"] == "file" else row["kind"],
            output.size(row["size_bytes"]) if row["kind"] == "file" else "",
        ]
        for row in found["entries"]
    ]
    state = "the step may still write" if found["live"] else "kept from a step that ended"
    output.note(f"{found['path']} ({state}{'; there is more than is listed' if found['truncated'] else ''})")
    print(output.table(rows, ["name", "kind", "size"]))
