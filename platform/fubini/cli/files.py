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


def show_files(
    client: Client, run_id: str, step: str, path: str, *, follow: bool, tail: int | None, attempt: int | None
) -> None:
    """List a directory, or print a file from its beginning (or `tail` bytes before its end) on."""
    task = tasks_named(client, run_id, step)[-1]["id"]
    ask: dict[str, Any] = {"path": path, "limit": PART_BYTES, **({"attempt": attempt} if attempt else {})}
    found = _look(client, task, {**ask, "offset": -tail if tail else 0})
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
