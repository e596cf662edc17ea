"""One run of 20,000 nodes on the embedded stack: what it costs to submit, to keep, to read and to take up again.

    python -m tests.performance.bench_run [--steps 20000]

The run is a loop of no-op script steps and really runs, start to finish: supervisor, web, dispatch, agents, processes,
SQLite on disk. Measured:

- `submit_s`: the POST that accepts it; `open_s`: until its whole tree is there.
- `resident_bytes_per_node`: what dispatch, the process that holds the run, grew by over what it was when idle before the
  submit, at its largest until the middle of the run (whole tree open, planned, half of it done), by node. In it is what does
  not grow with the run: code and caches first used by a large one. `resident_open_bytes_per_node` is with the tree just
  open, `resident_bytes_per_node_resumed` that of the process that took over after the kill, `resident_end_bytes_per_node`
  that at the end.
- `stored_bytes_per_node`: pages of the tables and indexes of run nodes, tasks and of events of runs, nodes and tasks, once
  the run has ended, by node. `stored_bytes_per_step_all` counts all the database grew by: attempts, leases, holds and
  double-entry bookings with their events too, and is held to the same limit; `stored_by_table` and `stored_by_object`
  (tables and indexes apart) split it.
- `resume_s`: dispatch is killed (SIGKILL) in the middle; until the engine has taken up the next result.
- the API's pages of the tree (`page_ms_first`, `page_ms_last`), and the routes people look at a run with (`routes_ms`).

Prints a table and writes `build/bench-run.json`; exits 1 where a figure is over its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.performance.bench_steps import MANIFEST
from tests.support.stack import ENDED, ROOT, Stack, stack

LIMITS = {
    "submit_s": 2.0,
    "stored_bytes_per_node": 3_000,
    "stored_bytes_per_step_all": 3_000,
    "resident_bytes_per_node": 6_000,
    "resume_s": 5.0,
}
PAGE_ROWS = 200
WITHIN_S = 3600  # of a machine that does other things too
PROGRESS_S = 15
TREE_TABLES = ("fubini_runs_runnode", "fubini_runs_task")
TREE_TOPICS = ("run", "node", "task")


def database(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{home / 'db.sqlite3'}?mode=ro", uri=True, timeout=30)


def object_bytes(home: Path) -> dict[str, int]:
    """Bytes of the pages of each table and each index."""
    with contextlib.closing(database(home)) as db:
        return dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))


def table_bytes(home: Path, objects: dict[str, int]) -> dict[str, int]:
    """The same by table, each with its indexes."""
    with contextlib.closing(database(home)) as db:
        owner = dict(db.execute("SELECT name, tbl_name FROM sqlite_master WHERE rootpage > 0"))
    found: dict[str, int] = {}
    for name, size in objects.items():
        found[owner.get(name, name)] = found.get(owner.get(name, name), 0) + size
    return found


def a_node(sizes: dict[str, int], nodes: int) -> dict[str, int]:
    """Bytes a node, the largest first; what rounds to none is left out."""
    return {name: size // nodes for name, size in sorted(sizes.items(), key=lambda i: -i[1]) if size // nodes}


def event_share(home: Path, run_id: str) -> float:
    """The part of the run's event rows that is about runs, nodes and tasks."""
    with contextlib.closing(database(home)) as db:
        rows = db.execute(
            "SELECT k.topic, sum(length(e.own_data) + 80) FROM fubini_events_event e"
            " JOIN fubini_events_eventkind k ON k.id = e.of_kind_id WHERE e.of_run_id ="
            " (SELECT id FROM fubini_events_eventowner WHERE ref = ?) GROUP BY k.topic",
            [bytes.fromhex(run_id)],
        ).fetchall()
    whole = sum(size for _, size in rows)
    return sum(size for topic, size in rows if topic in TREE_TOPICS) / max(whole, 1)


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} shows no resident size")


def timed(running: Stack, path: str, **params: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = running.get(path, **params)
    return (time.perf_counter() - begun) * 1000, answer


def nodes_count(running: Stack, run_id: str) -> int:
    return sum(row["count"] for row in running.get(f"runs/{run_id}/summary"))


def heard(home: Path, run_id: str) -> int:
    """How many steps of the engine are stored."""
    with contextlib.closing(database(home)) as db:
        return int(
            db.execute("SELECT engine_version FROM fubini_runs_run WHERE id = ?", [bytes.fromhex(run_id)]).fetchone()[0]
        )


def page_through(running: Stack, run_id: str) -> dict[str, Any]:
    """Every page of the tree, in turn."""
    times: list[float] = []
    rows = most = 0
    begun = time.perf_counter()
    reply = running.client.get(f"/api/v1/runs/{run_id}/nodes", params={"page_size": PAGE_ROWS})
    times.append(time.perf_counter() - begun)
    while True:
        page = reply.raise_for_status().json()
        rows += len(page["results"])
        most = max(most, len(reply.content))
        if not page["next"]:
            break
        begun = time.perf_counter()
        reply = running.client.get(page["next"])
        times.append(time.perf_counter() - begun)
    tenth = max(1, len(times) // 10)

    def middle(part: list[float]) -> float:
        return round(sorted(part)[len(part) // 2] * 1000, 1)

    return {
        "pages": len(times),
        "page_rows": PAGE_ROWS,
        "page_bytes_max": most,
        "nodes_paged": rows,
        "page_ms_first": middle(times[:tenth]),
        "page_ms_last": middle(times[-tenth:]),
        "pages_s": round(sum(times), 2),
    }


def routes(running: Stack, run_id: str) -> dict[str, float]:
    """Milliseconds of what the command line's get, watch, why and outputs and the lists ask for."""
    _, tasks = timed(running, f"runs/{run_id}/tasks", page_size=50)
    task_id = tasks["results"][0]["id"]
    paths = {
        "run": f"runs/{run_id}",
        "summary": f"runs/{run_id}/summary",
        "outputs": f"runs/{run_id}/outputs",
        "costs": f"runs/{run_id}/costs",
        "why": f"runs/{run_id}/why",
        "tasks": f"runs/{run_id}/tasks",
        "attempts": f"runs/{run_id}/attempts",
        "events": f"runs/{run_id}/events",
        "failed_nodes": f"runs/{run_id}/nodes?phase=Failed,Error",
        "task": f"tasks/{task_id}",
        "runs": "runs",
    }
    found: dict[str, float] = {}
    for name, path in paths.items():
        best = float("inf")
        for _ in range(3):
            begun = time.perf_counter()
            reply = running.client.get(f"/api/v1/{path}")
            best = min(best, (time.perf_counter() - begun) * 1000)
            if reply.status_code == 404:
                break
            reply.raise_for_status()
        found[name] = round(best, 1)
    return found


def kill_in_the_middle(running: Stack, run_id: str) -> float:
    """Seconds from dispatch's death until the engine has taken up something new."""
    before_pids = running.kinds().get("dispatch", [])
    before = heard(running.home, run_id)
    begun = time.perf_counter()
    for pid in before_pids:
        os.kill(pid, signal.SIGKILL)
    # What was in its last transaction may still have been committed: read once it is gone.
    while any(Path(f"/proc/{pid}/exe").exists() for pid in before_pids) and time.perf_counter() - begun < 5:
        time.sleep(0.005)
    before = heard(running.home, run_id)
    while heard(running.home, run_id) == before:
        if time.perf_counter() - begun > 120:
            raise SystemExit("dispatch did not come back within 120 s")
        time.sleep(0.02)
    return time.perf_counter() - begun


def follow(running: Stack, run_id: str, steps: int, begun: float) -> Iterator[dict[str, Any]]:
    """The run as it goes, twice a second; says now and then how far it is."""
    said = time.monotonic()
    while True:
        run: dict[str, Any] = running.get(f"runs/{run_id}")
        if time.monotonic() - said >= PROGRESS_S:
            said = time.monotonic()
            done, took = run["steps_done"], time.perf_counter() - begun
            print(f"{took:6.0f} s: {done} of {steps} steps, {done / took:.0f} a second", flush=True)
        yield run
        time.sleep(0.5)


def measure(running: Stack, steps: int) -> dict[str, Any]:
    warm = running.wait(running.submit(MANIFEST.format(count=100)), 120)
    assert warm["state"] == "succeeded", warm
    time.sleep(2)  # idle again
    before = object_bytes(running.home)
    dispatch = running.kinds()["dispatch"][0]
    resident = resident_bytes(dispatch)
    begun = time.perf_counter()
    run_id = running.submit(MANIFEST.format(count=steps))
    figures: dict[str, Any] = {"steps": steps, "submit_s": round(time.perf_counter() - begun, 3)}
    while nodes_count(running, run_id) < steps:
        if time.perf_counter() - begun > 120:
            raise SystemExit("the tree was not open within 120 s")
        time.sleep(0.1)
    figures["open_s"] = round(time.perf_counter() - begun, 2)
    nodes = figures["nodes"] = nodes_count(running, run_id)
    time.sleep(3)  # planning with all of it queued
    largest = resident_bytes(dispatch)
    figures["resident_open_bytes_per_node"] = (largest - resident) // nodes
    figures |= page_through(running, run_id)
    if figures["nodes_paged"] != nodes:
        raise SystemExit(f"the API paged through {figures['nodes_paged']} of {nodes} nodes")
    figures["routes_ms_going"] = routes(running, run_id)
    deadline = time.monotonic() + WITHIN_S
    watched = follow(running, run_id, steps, begun)
    for run in watched:
        largest = max(largest, resident_bytes(dispatch))
        if run["steps_done"] >= steps // 2 or time.monotonic() > deadline:
            break
    figures["resident_bytes_per_node"] = (largest - resident) // nodes
    resumed = figures["resume_s"] = round(kill_in_the_middle(running, run_id), 2)
    print(f"half way after {time.perf_counter() - begun:.0f} s; resumed {resumed} s after the kill", flush=True)
    figures["resident_bytes_per_node_resumed"] = (resident_bytes(running.kinds()["dispatch"][0]) - resident) // nodes
    for run in watched:
        if run["state"] in ENDED or time.monotonic() > deadline:
            break
    figures["resident_end_bytes_per_node"] = (resident_bytes(running.kinds()["dispatch"][0]) - resident) // nodes
    if run["state"] not in ENDED or run["steps_done"] != steps or run["steps_failed"]:
        raise SystemExit(f"the run ended as {run['state']}: {run['steps_done']} of {steps} steps")
    figures["run_s"] = round(time.perf_counter() - begun, 1)
    figures["steps_per_s"] = round(steps / figures["run_s"], 1)
    figures["routes_ms"] = routes(running, run_id)
    with contextlib.suppress(sqlite3.Error):
        sqlite3.connect(running.home / "db.sqlite3", timeout=30).execute("PRAGMA wal_checkpoint(PASSIVE)").close()
    objects = {name: size - before.get(name, 0) for name, size in object_bytes(running.home).items()}
    grown = table_bytes(running.home, objects)
    tree = sum(grown.get(name, 0) for name in TREE_TABLES)
    tree += int(grown.get("fubini_events_event", 0) * event_share(running.home, run_id))
    figures["stored_bytes_per_node"] = tree // nodes
    figures["stored_bytes_per_step_all"] = sum(grown.values()) // nodes
    figures["stored_by_table"] = a_node(grown, nodes)
    figures["stored_by_object"] = a_node(objects, nodes)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    options = parser.parse_args()
    with stack(FUBINI_BURST_WAIT_S="0") as running:
        figures = measure(running, options.steps)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench-run.json").write_text(json.dumps(figures, indent=1) + "\n")
    failed = 0
    for name, value in figures.items():
        limit = LIMITS.get(name)
        if isinstance(value, dict):
            print(f"{name}: " + ", ".join(f"{k} {v}" for k, v in value.items()))
            continue
        over = limit is not None and value > limit
        failed += over
        print(f"{name:34s} {value:>12} {'' if limit is None else f'at most {limit}' + (': OVER' if over else '')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
