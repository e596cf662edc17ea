"""Following a run: stages instead of steps, redrawn on a terminal, one line a change elsewhere; and its logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fubini.cli import output, progress
from fubini.cli.client import Client, segment
from fubini.cli.config import OPTIONS
from fubini.cli.errors import CliError, Exit

ENDED = frozenset({"succeeded", "failed", "error"})
LEAF_TYPES = frozenset({"Pod", "Container", "Suspend", "HTTP", "Plugin", ""})
POLL_FIRST_S, POLL_MAX_S = 0.15, 1.0
FOLLOW_S = 10
LATE_S = 5
TASK_ENDED = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(slots=True)
class Stage:
    """All leaves of one template: what people call a stage."""

    name: str
    done: int = 0
    running: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0
    started_ms: int | None = None
    finished_ms: int | None = None

    @property
    def total(self) -> int:
        return self.done + self.running + self.waiting + self.failed + self.skipped

    def row(self) -> list[object]:
        seconds = (self.finished_ms - self.started_ms) / 1000 if self.finished_ms and self.started_ms else None
        done = f"{self.done}/{self.total}" + (f" ({self.skipped} skipped)" if self.skipped else "")
        return [self.name, done, self.running or "-", self.waiting or "-", self.failed or "-", output.duration(seconds)]


def stages(summary: Iterable[Mapping[str, Any]]) -> list[Stage]:
    """Counts by template, in the order the stages began."""
    found: dict[str, Stage] = {}
    for row in summary:
        if row["type"] not in LEAF_TYPES:
            continue
        stage = found.setdefault(row["template"] or "(inline)", Stage(row["template"] or "(inline)"))
        phase, count = row["phase"], row["count"]
        if phase == "Succeeded":
            stage.done += count
        elif phase == "Running":
            stage.running += count
        elif phase in {"Failed", "Error"}:
            stage.failed += count
        elif phase in {"Skipped", "Omitted"}:
            stage.skipped += count
        else:
            stage.waiting += count
        first, last = row["started_at_ms"], row["finished_at_ms"]
        stage.started_ms = min(filter(None, [stage.started_ms, first]), default=None)
        stage.finished_ms = max(filter(None, [stage.finished_ms, last]), default=None)
    return sorted(found.values(), key=lambda stage: (stage.started_ms or sys.maxsize, stage.name))


def places(tasks: Iterable[Mapping[str, Any]]) -> str:
    """Where steps run now: ``edge 1, hpc 2``."""
    counts: dict[str, int] = {}
    for task in tasks:
        counts[task["site"] or "?"] = counts.get(task["site"] or "?", 0) + 1
    return ", ".join(f"{site} {count}" for site, count in sorted(counts.items())) or "none"


def head_line(run: Mapping[str, Any]) -> str:
    seconds = None
    if run["started_at_ms"]:
        seconds = ((run["finished_at_ms"] or int(time.time() * 1000)) - run["started_at_ms"]) / 1000
    money = output.money(run["settled_micros"])
    held = f" + {output.money(run['held_micros'])} held" if run["held_micros"] else ""
    steps = f"{run['steps_done']}/{run['steps_total']} steps"
    return output.plain(f"{run['name']}  {run['phase']}  {steps}  {output.duration(seconds)}  cost {money}{held}")


@dataclass(slots=True)
class View:
    """What one look at a run gives."""

    run: dict[str, Any]
    stages: list[Stage]
    places: str
    why: str


def look(client: Client, run_id: str) -> View:
    """The run, its stages, where steps run and why others wait: four small requests."""
    base = f"/runs/{segment(run_id)}"
    run = client.get(base)
    summary = client.get(f"{base}/summary")
    running = (
        list(client.pages(f"{base}/tasks", state="placed,running", limit=100)) if run["state"] not in ENDED else []
    )
    why = ""
    if run["state"] not in ENDED:
        found = client.get(f"{base}/why", limit=1)
        if found["waiting"] and found["groups"]:
            why = f"{found['waiting']} waiting: {found['groups'][0]['sentence'] or found['groups'][0]['code']}"
        elif not found["running"]:
            why = str(found["sentence"])
    return View(run, stages(summary), places(running), why)


def watch(client: Client, run_id: str, *, timeout_s: float | None = None) -> dict[str, Any]:
    """Follow a run until it has ended and give it back.

    Raises:
        CliError: `timeout_s` passed (exit 7), or a person interrupted (exit 130); the run goes on.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        if progress.wanted():
            return _watch_live(client, run_id, deadline)
        return _watch_lines(client, run_id, deadline)
    except KeyboardInterrupt:
        raise CliError(
            "detached; the run goes on",
            why="you interrupted the watching, not the run",
            try_=f"fubini run watch {run_id}   or end it: fubini run cancel {run_id}",
            exit_code=Exit.INTERRUPTED,
        ) from None


def _wait(deadline: float | None, delay_s: float, run_id: str) -> float:
    """Sleep before the next look; the next delay.

    Raises:
        CliError: there is no time left.
    """
    if deadline is not None and time.monotonic() + delay_s > deadline:
        left = deadline - time.monotonic()
        if left <= 0:
            raise CliError(
                "the time given has passed; the run goes on",
                why="--timeout ends the waiting, not the run",
                try_=f"fubini run watch {run_id}   or end it: fubini run cancel {run_id}",
                exit_code=Exit.STILL_RUNNING,
            )
        delay_s = left
    time.sleep(delay_s)
    return min(POLL_MAX_S, delay_s * 1.3 if delay_s < POLL_MAX_S else POLL_MAX_S)


def _watch_lines(client: Client, run_id: str, deadline: float | None) -> dict[str, Any]:
    """One line when something changed; nothing at all under --quiet or --json."""
    silent = OPTIONS.quiet or OPTIONS.json
    said = ""
    delay_s = POLL_FIRST_S
    while True:
        run: dict[str, Any] = client.get(f"/runs/{segment(run_id)}")
        line = f"{run['phase']}: {run['steps_done']}/{run['steps_total']} steps, {run['steps_failed']} failed"
        if line != said and not silent:
            output.note(f"{time.strftime('%H:%M:%S')} {line}, cost {output.money(run['settled_micros'])}")
        said = line
        if run["state"] in ENDED:
            return run
        delay_s = _wait(deadline, max(delay_s, 0.5 if not silent else 0.0), run_id)


def render(view: View) -> Any:
    """A view as something rich can draw: head, stages, where, why."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("STAGE", "DONE", "RUNNING", "WAITING", "FAILED", "TIME"):
        table.add_column(name)
    for stage in view.stages:
        style = "red" if stage.failed else "green" if stage.done == stage.total else ""
        table.add_row(*(output.plain(cell) for cell in stage.row()), style=style)
    parts: list[Any] = [Text(head_line(view.run), style="bold"), table]
    if view.run["state"] not in ENDED:
        parts.append(Text(f"running at: {view.places}", style="blue"))
    if view.why:
        parts.append(Text(output.plain(view.why), style="yellow"))
    return Group(*parts)


def _watch_live(client: Client, run_id: str, deadline: float | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        delay_s = POLL_FIRST_S
        while True:
            view = look(client, run_id)
            live.update(render(view), refresh=True)
            if view.run["state"] in ENDED:
                return view.run
            delay_s = _wait(deadline, max(delay_s, 0.3), run_id)


# --- logs --------------------------------------------------------------------------------------------------------


def tasks_named(client: Client, run_id: str, node: str) -> list[dict[str, Any]]:
    """The tasks of a step, by its display name or id, oldest first.

    Raises:
        CliError: there is none; the nearest names are in it.
    """
    rows = list(client.pages(f"/runs/{segment(run_id)}/tasks", node=node))
    if rows:
        return rows
    every = list(client.pages(f"/runs/{segment(run_id)}/tasks"))
    found = [t for t in every if t["display_name"] == node] or [t for t in every if t["template"] == node]
    if not found:
        from difflib import get_close_matches

        names = sorted({t["display_name"] for t in every})
        near = get_close_matches(node, names, n=3) or names[:5]
        raise CliError(
            f"the run has no step {node!r}",
            why=f"there are: {', '.join(near) or 'none yet'}",
            try_=f"fubini run get {run_id} --nodes",
            exit_code=Exit.NOT_FOUND,
        )
    return found


def logs(
    client: Client,
    run_id: str,
    node: str,
    *,
    follow: bool,
    tail: int | None,
    attempt: int | None,
    stream: str,
    container: str = "",
) -> None:
    """Print what steps printed: one step as it is, several with their names in front."""
    seen: set[str] = set()
    while True:
        run = client.get(f"/runs/{segment(run_id)}")
        tasks = tasks_named(client, run_id, node) if node else list(client.pages(f"/runs/{segment(run_id)}/tasks"))
        fresh = [t for t in tasks if t["id"] not in seen and (t["attempts"] or not follow)]
        for task in fresh:
            seen.add(task["id"])
            prefix = f"{task['display_name']} | " if not node or len(tasks) > 1 else ""
            _one_log(
                client, task, prefix, follow=follow, tail=tail, attempt=attempt, stream=stream, container=container
            )
        if not follow or (run["state"] in ENDED and not fresh):
            return
        time.sleep(POLL_MAX_S if not fresh else 0)


def _one_log(
    client: Client,
    task: Mapping[str, Any],
    prefix: str,
    *,
    follow: bool,
    tail: int | None,
    attempt: int | None,
    stream: str,
    container: str,
) -> None:
    offset, chosen, pending = 0, stream, ""
    over = task["state"] in TASK_ENDED  # its last lines may still be on the way; the server says when there are no more
    until = time.monotonic() + LATE_S
    write = _writer(prefix)
    while True:
        part = client.get(
            f"/tasks/{segment(task['id'])}/logs",
            offset=offset or None,
            stream=chosen or None,
            container=container or None,
            attempt=attempt,
            tail_lines=tail if not offset else None,
            follow=FOLLOW_S if follow else LATE_S if over else None,
        )
        for gap in part["gaps"]:
            if gap["offset"] >= offset:
                output.note(f"{prefix}({output.size(gap['skipped_bytes'])} left out: the log's limit)")
        pending = write(pending + part["text"], part["eof"])
        moved = part["next_offset"] != offset
        offset, chosen = part["next_offset"], part["stream"] if part["streams"] else chosen
        if OPTIONS.json and not part["text"]:
            return
        if part["eof"] or (not follow and not moved and (not over or time.monotonic() >= until)):
            write(pending, True)
            return


def log_awaited(client: Client, task_id: str) -> None:
    """Wait, some seconds at most, until all has come that a step printed before it ended."""
    offset, until = 0, time.monotonic() + LATE_S
    while time.monotonic() < until:
        part = client.get(f"/tasks/{segment(task_id)}/logs", offset=offset or None, follow=1)
        if part["eof"]:
            return
        offset = part["next_offset"]


def _writer(prefix: str) -> Callable[[str, bool], str]:
    """Writes whole lines and gives the rest back; control characters are shown, not sent, except tabs."""

    def write(text: str, last: bool) -> str:
        lines = text.split("\n")
        rest = "" if last else lines.pop()
        if last and lines and lines[-1] == "":
            lines.pop()
        for line in lines:
            if OPTIONS.json:
                import json

                print(json.dumps({"step": prefix.removesuffix(" | "), "line": line}, ensure_ascii=False))
            else:
                print(prefix + "\t".join(output.plain(part) for part in line.rstrip("\r").split("\t")))
        sys.stdout.flush()
        return rest

    return write


def table_of(rows: Sequence[Stage]) -> str:
    return output.table([row.row() for row in rows], ["STAGE", "DONE", "RUNNING", "WAITING", "FAILED", "TIME"])
