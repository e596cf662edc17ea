"""1,000 no-op script steps through the whole path, beside Parsl HTEX, Snakemake and the machine's floors.

    python -m tests.performance.bench_steps [--steps 1000] [--no-peers]

The path is all of it: submit over HTTP, engine, scheduler, hold, lease, agent, a real process in its own root, result
accepted, money settled, every accepted row on disk (SQLite WAL, synchronous FULL). The peers do less: Parsl keeps no
result on disk, starts no process a task, knows no money and no second site; Snakemake starts a process a job and keeps
its files' times, but no queue that survives a kill, no accounting and no remote agent.
Prints a table and writes build/bench-steps.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT, Stack, stack

PEERS = Path(os.environ.get("FUBINI_SHARED", ROOT.parent / "shared")) / "bench" / "peers"
PEERS_ENV = ROOT / ".venv-peers"
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: noop-}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - name: step
        template: noop
        withSequence: {{count: "{count}"}}
  - name: noop
    script:
      image: busybox
      command: [sh]
      source: ":"
"""


def peers_python() -> str | None:
    """The interpreter of the peers' own environment, made once; None (with the reason printed) when it cannot be."""
    python = PEERS_ENV / "bin" / "python"
    if not PEERS.is_dir():
        print(f"peers: {PEERS} is absent; only Fubini is measured")
        return None
    if not (PEERS_ENV / ".done").exists():
        done = subprocess.run([sys.executable, str(ROOT / "tools" / "setup_env.py"), "peers"], cwd=ROOT)
        if done.returncode != 0:
            print("peers: their environment could not be made; only Fubini is measured")
            return None
        (PEERS_ENV / ".done").touch()
    return str(python)


def peer(python: str, script: str, *args: str) -> list[dict[str, Any]]:
    done = subprocess.run([python, script, *args], cwd=PEERS, capture_output=True, text=True, timeout=240)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        print(f"{script}: no figure: {done.stderr.strip()[-300:]}")
    return lines


def figure(lines: list[dict[str, Any]], **want: Any) -> float | None:
    for line in lines:
        if all(line.get(k) == v for k, v in want.items()):
            return float(line["value"])
    return None


def fubini_once(running: Stack, steps: int) -> tuple[float, dict[str, Any]]:
    """Seconds from before the submit to the run's end as a client sees it, and the run."""
    started = time.perf_counter()
    run_id = running.submit(MANIFEST.format(count=steps))
    run = running.wait(run_id, 600)
    seconds = time.perf_counter() - started
    if run["state"] != "succeeded" or run["steps_done"] != steps:
        raise SystemExit(
            f"the run ended as {run['state']} with {run['steps_done']} of {steps} steps: {run.get('message')}"
        )
    return seconds, run


def where_of(running: Stack, seconds: float, before: dict[int, float], steps: int) -> dict[str, float]:
    """CPU milliseconds a step by process kind, of which the machine has `cores` x wall."""
    after = cpu_seconds(running)
    spent: dict[str, float] = {}
    for kind, pids in running.kinds().items():
        spent[kind] = round(sum(after.get(p, 0) - before.get(p, 0) for p in pids) * 1000 / steps, 3)
    spent["wall"] = round(seconds * 1000 / steps, 3)
    return spent


def cpu_seconds(running: Stack) -> dict[int, float]:
    """User and system time of each live process, its reaped children (the steps) included."""
    tick = os.sysconf("SC_CLK_TCK")
    found = {}
    for pids in running.kinds().values():
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[pid] = sum(int(x) for x in fields[11:15]) / tick
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2, help="the best round counts")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {"steps": options.steps, "cores": os.cpu_count()}
    # Any site may take a step at once: what is measured is the path, not the policy of waiting for the free one.
    with stack(FUBINI_BURST_WAIT_S="0") as running:
        fubini_once(running, 60)  # imports, caches, run-time history
        best, where = 0.0, {}
        for _ in range(options.rounds):
            before = cpu_seconds(running)
            seconds, _run = fubini_once(running, options.steps)
            if options.steps / seconds > best:
                best, where = options.steps / seconds, where_of(running, seconds, before, options.steps)
        ledger = running.get("ledger/check") if running.token else {}
        figures |= {"fubini_per_s": round(best, 1), "where": where, "ledger": ledger}
    python = None if options.no_peers else peers_python()
    if python:
        floor = peer(python, "floor.py")
        figures["fork_exec_per_s"] = figure(floor, peer="subprocess-true")
        figures["commits_per_s"] = figure(floor, peer="sqlite-ledger", synchronous="FULL", transfers_per_commit=1)
        figures["parsl_htex_per_s"] = figure(
            peer(python, "parsl_noop.py", "--executor", "htex", "--tasks", str(options.steps))
        )
        figures["snakemake_per_s"] = figure(peer(python, "snakemake_jobs.py", "--jobs", "200"))
    rows = [
        ("Fubini, durable, settled", figures["fubini_per_s"]),
        ("Snakemake: no accounting, no agent", figures.get("snakemake_per_s")),
        ("Parsl HTEX: nothing on disk, no process a task", figures.get("parsl_htex_per_s")),
        ("floor: fork+exec of /bin/true", figures.get("fork_exec_per_s")),
        ("floor: one SQLite commit at a time, FULL", figures.get("commits_per_s")),
    ]
    print(f"{'what':50s} {'per s':>9s} {'per minute':>11s} {'x Fubini':>9s}")
    for name, value in rows:
        if value is None:
            print(f"{name:50s} {'-':>9s}")
        else:
            print(f"{name:50s} {value:9.1f} {value * 60:11.0f} {value / figures['fubini_per_s']:9.2f}")
    print("CPU ms a step: " + ", ".join(f"{k} {v}" for k, v in figures["where"].items()))
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench-steps.json").write_text(json.dumps(figures, indent=1))
    if figures["fubini_per_s"] * 60 < 3000:
        print("below the 3,000 steps a minute that must hold")
        return 1
    if figures.get("snakemake_per_s") and figures["fubini_per_s"] <= figures["snakemake_per_s"]:
        print("below Snakemake")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
