"""Locks, ConfigMaps and caches with real processes: the command line, two runs that contend, dispatch killed meanwhile."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Cli
from tests.support.stack import Stack

pytestmark = pytest.mark.needs("namespaces")

# Each step writes when it was inside; two that overlapped would show by their times.
SHARED = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: shared-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: use, template: use, withItems: [1, 2]}
  - name: use
    synchronization: {semaphores: [{configMapKeyRef: {name: bench, key: seats}}]}
    script: {image: busybox, command: [sh], source: "date +%s.%N; sleep 0.5; date +%s.%N"}
"""
KEEP = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: keep-}
spec:
  entrypoint: keep
  templates:
  - name: keep
    memoize: {key: once, maxAge: 1h, cache: {configMap: {name: kept}}}
    outputs:
      artifacts: [{name: note, path: /tmp/note}]
    container: {image: busybox, command: [sh, -c], args: ["date +%s.%N > /tmp/note"]}
"""


def spans(running: Stack, run_id: str) -> list[tuple[float, float]]:
    """When each step of a run was inside, by its own clock."""
    found = []
    for task in running.get(f"runs/{run_id}/tasks")["results"]:
        # A log's last lines may come after the step's end.
        words = wait_for(lambda id_=task["id"]: two_words(running.get(f"tasks/{id_}/logs")["text"]))
        found.append((float(words[0]), float(words[1])))
    return found


def two_words(text: str) -> list[str]:
    words = text.split()
    return words if len(words) == 2 else []


def wait_for(what: Any, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def test_two_runs_share_one_seat_also_when_dispatch_is_killed(fubini: Cli, running: Stack, tmp_path: Path) -> None:
    fubini.ok("config", "set", "bench", "seats=1")
    assert fubini.ok("config", "get", "bench", "seats").out == "1\n"
    runs = [running.submit(SHARED) for _ in range(2)]
    # Asked of the server: the runs may have ended before a command has started and asked.
    [lock] = wait_for(lambda: running.get(f"projects/{running.project}/locks", used="true")["results"])
    assert lock["name"] == "semaphore bench/seats"
    os.kill(running.kinds()["dispatch"][0], signal.SIGKILL)
    ended = [running.wait(run_id, 240) for run_id in runs]
    assert [run["state"] for run in ended] == ["succeeded", "succeeded"]
    inside = sorted(span for run_id in runs for span in spans(running, run_id))
    assert len(inside) == 4
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(inside)), inside
    assert fubini.ok("lock", "list", "--json").json() == []


def test_why_and_lock_show_name_the_holder_and_a_larger_size_lets_the_next_in(
    fubini: Cli, running: Stack, tmp_path: Path
) -> None:
    fubini.ok("config", "set", "bench", "seats=1")
    long_ = SHARED.replace("sleep 0.5", "sleep 300").replace("[1, 2]", "[1]")
    first, second = running.submit(long_), running.submit(long_)
    try:
        sentence = wait_for(lambda: (running.get(f"runs/{second}/why")["groups"] or [{}])[0].get("sentence"))
        assert "waits for semaphore bench/seats. It is held by step use(0:1) of run shared-" in sentence
        assert sentence in fubini.ok("why", second).out
        assert "Waiting for demo/ConfigMap/bench/seats lock" in fubini.ok("why", second, "use(0:1)").out
        shown = fubini.ok("lock", "show", "bench/seats").out
        assert "holds" in shown and "waits" in shown
        fubini.ok("config", "set", "bench", "seats=2")
        wait_for(lambda: len(running.get(f"runs/{second}/tasks")["results"]) == 1)
    finally:
        for run_id in (first, second):
            running.post(f"runs/{run_id}/cancel", {})
            running.wait(run_id, 240)
    assert fubini.ok("lock", "list", "--json").json() == []


def test_a_result_is_taken_over_with_its_file_until_the_cache_is_dropped(fubini: Cli, running: Stack) -> None:
    def note() -> Any:
        run = running.wait(running.submit(KEEP), 240)
        assert run["state"] == "succeeded"
        return running.get(f"runs/{run['id']}/nodes")["results"][0]

    first, second = note(), note()
    assert second["memoization"]["hit"] and second["outputs"] == first["outputs"]
    assert [entry["key"] for entry in fubini.ok("cache", "list", "kept", "--json").json()] == ["once"]
    assert fubini.ok("cache", "drop", "kept", "--json").json() == {"name": "kept", "entries": 1}
    assert not note()["memoization"]["hit"]


def test_configs_on_the_command_line(fubini: Cli, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("two\nlines\n")
    made = fubini.ok("config", "set", "settings", "a=1", "b=2", "--from-file", f"c={text}", "--json").json()
    assert (made["version"], made["values"]) == (1, {"a": "1", "b": "2", "c": "two\nlines\n"})
    assert fubini.ok("config", "get", "settings", "c").out == "two\nlines\n"
    assert fubini.ok("config", "set", "settings", "--remove", "b", "--json").json()["keys"] == ["a", "c"]
    assert "settings" in fubini.ok("config", "list").out
    missing = fubini("config", "get", "settings", "zzz")
    assert missing.code != 0 and "it has a, c" in missing.err
    assert fubini("config", "set", "settings", "novalue").code == 2
    fubini.ok("config", "delete", "settings")
    assert fubini("config", "get", "settings").code != 0
