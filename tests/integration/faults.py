"""kill -9 of every process kind, over real runs on a real stack; `make faults`.

    python -m tests.integration.faults [--seed N] [--rounds 2]

Each round runs 300 steps (10 stages of 30) while processes are killed at random times, one kind after another: web,
dispatch, worker, agent, keeper, supervisor; then everything at once. Each kind dies at least twice in all. After the
last fault the run must end, and the rows are checked against the invariants (tests/support/invariants.py). Steps
report their start and end by datagram to a journal outside the product. Prints a table, writes build/faults.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT, Stack, stack

KINDS = ["web", "dispatch", "worker", "agent", "keeper", "supervisor"]
CONVERGE_S = 60.0
STAGES, WIDTH = 10, 30


class Journal:
    """What steps say of themselves: ``start|end NAME MARK`` datagrams, each with when it came."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.starts: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while True:
            word, _, name = self.socket.recv(256).decode(errors="replace").strip().partition(" ")
            (self.starts if word == "start" else self.ends)[name] += 1


def manifest(journal: Journal, mark: str) -> str:
    """Ten stages in a row, each a loop of thirty steps that read an input, work 50 to 90 ms and leave an artifact."""
    stages = "\n".join(
        f"""    - - name: s{stage}
        template: work
        arguments: {{parameters: [{{name: who, value: "{stage}-{{{{item}}}}"}}]}}
        withSequence: {{count: "{WIDTH}"}}"""
        for stage in range(STAGES)
    )
    return f"""apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {{generateName: faults-}}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
{stages}
  - name: work
    inputs:
      parameters: [{{name: who}}]
      artifacts: [{{name: seed, path: /in/seed, raw: {{data: "{mark}"}}}}]
    outputs:
      artifacts: [{{name: out, path: /out/data}}]
    metadata: {{annotations: {{fubini.dev/walltime: "60"}}}}
    script:
      image: busybox
      command: [bash]
      source: |
        echo "start {{{{inputs.parameters.who}}}}" > /dev/udp/127.0.0.1/{journal.port}
        [ "$(cat /in/seed)" = "{mark}" ] || exit 9
        sleep 0.0$((RANDOM % 5 + 5))
        mkdir -p /out; printf '%04096d' 7 > /out/data
        echo "end {{{{inputs.parameters.who}}}}" > /dev/udp/127.0.0.1/{journal.port}
"""


def kill(running: Stack, kind: str, dice: random.Random) -> int:
    """SIGKILL one process of a kind; its pid, 0 if there is none at the moment."""
    pids = running.kinds().get(kind, [])
    if not pids:
        return 0
    pid = dice.choice(pids)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    if kind == "supervisor":
        time.sleep(0.3)
        running.up()
    return pid


def kill_all(running: Stack) -> int:
    pids = [pid for group in running.kinds().values() for pid in group]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    running.up()
    return len(pids)


def step_processes(mark: str) -> list[str]:
    """I8: processes of the run's steps that are still there (their script text carries the mark)."""
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit() or int(path.name) == os.getpid():
            continue
        try:
            environment = (path / "environ").read_bytes() + (path / "cmdline").read_bytes()
        except OSError:
            continue
        if b"FUBINI_ATTEMPT" in environment and mark.encode() in environment:
            found.append(path.name)
    return found


def one_round(running: Stack, dice: random.Random, journal: Journal, number: int, kinds: list[str]) -> dict[str, Any]:
    mark = f"faults-{dice.getrandbits(48):012x}"
    run_id = running.submit(manifest(journal, mark), key=mark)
    killed: Counter[str] = Counter()
    started = time.monotonic()
    for kind in kinds:
        time.sleep(dice.uniform(1.0, 3.0))
        if running.get(f"runs/{run_id}")["state"] in ("succeeded", "failed", "error"):
            run_id_next = running.submit(manifest(journal, mark), key=f"{mark}-{len(killed)}")
            running.wait(run_id, 5)
            run_id = run_id_next
        if kind == "all":
            killed["all"] += bool(kill_all(running))
        elif kill(running, kind, dice):
            killed[kind] += 1
    last_fault = time.monotonic()
    # A fault-free run takes about a third of this; what counts is that it ends and that the rows are right.
    run = running.wait(run_id, 240)
    converged = time.monotonic() - last_fault
    time.sleep(2.0)  # the agents' last acknowledgements
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.invariants", run_id],
        cwd=ROOT,
        env={**running.env, "PYTHONPATH": running.env["PYTHONPATH"] + os.pathsep + str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    try:
        violations = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        violations = [{"invariant": "checker", "detail": done.stderr[-500:]}]
    if run["state"] != "succeeded":
        violations.append({"invariant": "I1", "detail": f"the run ended as {run['state']}: {run.get('message')}"})
    if converged > CONVERGE_S:
        violations.append(
            {"invariant": "I12", "detail": f"{converged:.0f} s after the last fault; {CONVERGE_S:.0f} s are allowed"}
        )
    if left := step_processes(mark):
        violations.append({"invariant": "I8", "detail": f"processes {left} outlived their steps"})
    wanted = {f"{stage}-{index}" for stage in range(STAGES) for index in range(WIDTH)}
    if silent := wanted - set(journal.starts):
        violations.append({"invariant": "I4", "detail": f"{len(silent)} steps succeeded and never said they started"})
    extra = sum(journal.starts.values()) - len(wanted)
    journal.starts.clear()
    journal.ends.clear()
    return {
        "round": number,
        "kills": dict(killed),
        "seconds": round(time.monotonic() - started, 1),
        "after_last_fault_s": round(converged, 1),
        "extra_starts": max(0, extra),
        "violations": violations,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}")
    rounds = []
    with stack(FUBINI_LEASE_S="6") as running:
        for number in range(options.rounds):
            order = dice.sample(KINDS, len(KINDS))
            kinds = [*order, "all"] if number == options.rounds - 1 else order
            journal = Journal()
            figures = one_round(running, dice, journal, number, kinds)
            rounds.append(figures)
            print(
                f"round {number}: {figures['seconds']:6.1f} s, {figures['after_last_fault_s']:5.1f} s after the last fault, "
                f"{figures['extra_starts']} steps started again, kills {figures['kills']}, {len(figures['violations'])} violations"
            )
            for violation in figures["violations"][:20]:
                print(f"    {violation['invariant']}: {violation['detail']}")
    kills: Counter[str] = Counter()
    for figures in rounds:
        kills.update(figures["kills"])
    total = {
        "kills": sum(kills.values()),
        "kills_by_kind": dict(kills),
        "runs": len(rounds),
        "violations": sum(len(r["violations"]) for r in rounds),
        "seeds": [options.seed],
        "rounds": rounds,
    }
    print(f"{'kind':12s} kills")
    for kind in [*KINDS, "all"]:
        print(f"{kind:12s} {kills[kind]}")
    print(f"{total['kills']} kills, {total['runs']} runs, {total['violations']} violations")
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "faults.json").write_text(json.dumps(total, indent=1))
    few = [k for k in KINDS if kills[k] < 2]
    if few:
        print(f"too few kills of {', '.join(few)}")
    return 1 if total["violations"] or few else 0


if __name__ == "__main__":
    sys.exit(main())
