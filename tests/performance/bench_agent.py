"""Agent, keeper and the machine's floors, measured in one run: ``python -m tests.performance.bench_agent [STEPS]``.

`fork_exec_per_s` and `posix_spawn_per_s` start ``/bin/true`` from a small process one after another. `keeper_per_s` are
starts in private roots through a keeper's socket, two at a time. `agent_per_s` are whole steps through a real agent
against the fake platform over HTTP: lease, journal, staging, private root, report, verdict; as many at once as the
agent offers. The fake takes its share of the same cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fubini_protocol.v1.messages import Report
from tests.support.agents import AgentProcess
from tests.support.fake_platform import FakePlatform
from tests.unit.fubini_agent.test_keeper import Keeper

AHEAD = 32


FLOORS = """
import json, os, time
count = 200
began = time.perf_counter()
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        os.execv("/bin/true", ["true"])
    os.waitpid(pid, 0)
forked = time.perf_counter()
for _ in range(count):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
spawned = time.perf_counter()
print(json.dumps({"fork_exec_per_s": count / (forked - began), "posix_spawn_per_s": count / (spawned - forked)}))
"""


def floors() -> dict[str, float]:
    """In an interpreter of its own: what a fork costs depends on the size of who forks."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", FLOORS], capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def keeper_per_s(folder: Path, count: int) -> float:
    keeper = Keeper(folder / "keeper")
    try:
        began = time.perf_counter()
        asked = done = 0
        while done < count:
            while asked < count and asked - done < 2:
                keeper.start_only(f"k{asked}", "true")
                asked += 1
            done += keeper.event()["ev"] == "exited"
        return count / (time.perf_counter() - began)
    finally:
        keeper.process.kill()
        keeper.process.wait()


def cpu_ms(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) * 1000 // os.sysconf("SC_CLK_TCK")


def agent_per_s(folder: Path, count: int) -> dict[str, float]:
    finished = threading.Event()
    counts = {"next": 0, "done": 0}
    with FakePlatform() as platform:
        platform.keep_syncs = False
        agent = AgentProcess(platform, folder / "state").join().start()
        try:
            platform.lease("warm", argv=("true",))
            platform.outcome("warm")

            def feed(report: Report | None = None) -> None:
                if report is not None:
                    counts["done"] += 1
                    if counts["done"] == count:
                        finished.set()
                if counts["next"] < count:
                    counts["next"] += 1
                    platform.lease(f"n{counts['next']}", argv=("true",))

            before = {pid: cpu_ms(pid) for pid in (agent.pid, agent.keeper_pid())}
            platform.on_outcome = feed
            began = time.perf_counter()
            for _ in range(AHEAD):
                feed()
            while not finished.wait(0.5):
                platform.drop_finished()
            seconds = time.perf_counter() - began
            used = [cpu_ms(pid) - cpu for pid, cpu in before.items()]
            if platform.violations:
                raise SystemExit(f"the agent broke a promise: {platform.violations[:3]}")
            return {
                "agent_per_s": count / seconds,
                "agent_cpu_ms_each": used[0] / count,
                "keeper_cpu_ms_each": used[1] / count,
                "syncs_with_reports": platform.report_syncs,
            }
        finally:
            agent.stop_all()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory(prefix="bench-agent-", dir=".") as name:
        folder = Path(name).absolute()
        figures: dict[str, float] = floors()
        figures["keeper_per_s"] = keeper_per_s(folder, min(count, 500))
        figures.update(agent_per_s(folder, count))
    print(json.dumps({key: round(value, 2) for key, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
