"""One child process of the supervisor: start it, notice its end, start it again, stop it.

Decides how long to wait before the next start (a child that keeps dying is started ever more slowly) and leaves a
record of each child (pid and start time) so that the next supervisor can end what a killed one left behind. Only
processes named by such a record are ever signalled.

Single-threaded on purpose: `PR_SET_PDEATHSIG` follows the *thread* that forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fubini.common.home import Home, alive, read_json, start_ticks, write_private
from fubini.supervisor.folder import log_open

PR_SET_PDEATHSIG = 1
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0
STEADY_S = 20.0  # a child that lived this long starts again at once

_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent_pid: int) -> None:
    """In a fresh child: be told (SIGTERM) when the supervisor dies, whatever kills it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:
        os._exit(1)  # it died between fork and prctl


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start. `tied` children end with the supervisor; agents are not, they finish what they hold."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    tied: bool = True
    pass_fds: tuple[int, ...] = ()
    stop_s: float = 10.0
    cwd: Path | None = None


@dataclass(slots=True)
class Child:
    """A child and its history."""

    spec: ChildSpec
    home: Home
    say: Callable[[str], None]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0  # monotonic
    deaths: int = 0
    restarts: int = 0
    next_start_at: float = field(default=0.0)

    @property
    def record_path(self) -> Path:
        return self.home.run / f"{self.spec.name}.json"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        parent = os.getpid()
        tied = self.spec.tied

        def prepare() -> None:
            if tied:
                die_with(parent)

        with log_open(self.home.log / f"{self.spec.name}.log") as log:
            self.process = subprocess.Popen(
                list(self.spec.argv),
                env=dict(self.spec.env),
                cwd=self.spec.cwd or self.home.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self.spec.pass_fds,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - there are no threads here
            )
        self.started_at = time.monotonic()
        record = {
            "pid": self.process.pid,
            "start_ticks": start_ticks(self.process.pid),
            "name": self.spec.name,
            "argv": list(self.spec.argv),
            "restarts": self.restarts,
        }
        write_private(self.record_path, json.dumps(record))

    def tend(self) -> None:
        """Notice an end, and start again when it is time; called every turn of the supervisor's loop."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            lived_s = now - self.started_at
            self.deaths = 1 if lived_s >= STEADY_S else self.deaths + 1
            delay_s = min(BACKOFF_FIRST_S * 2 ** (self.deaths - 1), BACKOFF_MAX_S)
            self.process = None
            self.next_start_at = now + delay_s
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self.say(f"{self.spec.name} ended ({how}) after {lived_s:.1f} s; starting it again in {delay_s:.1f} s")
        if now >= self.next_start_at:
            self.restarts += 1
            self.start()

    def ask_to_stop(self) -> None:
        if self.running and self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def wait_stopped(self) -> None:
        """Wait until it is gone; past its grace it is killed."""
        if self.process is not None:
            try:
                self.process.wait(self.spec.stop_s)
            except subprocess.TimeoutExpired:
                self.say(f"{self.spec.name} did not stop within {self.spec.stop_s:.0f} s and is killed")
                self.process.kill()
                self.process.wait()
        self.record_path.unlink(missing_ok=True)


def signal_record(path: Path, number: int) -> bool:
    """Signal the process a record names, if that very process still runs."""
    record = read_json(path)
    if not alive(record) or record is None:
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(int(record["pid"]), number)
    return True


def end_stale(home: Home, say: Callable[[str], None], *, grace_s: float = 8.0) -> list[str]:
    """End children a dead supervisor left, by their records; the caller holds the folder's lock.

    Agents are ended too: their keepers live on with the steps they run, and the agents started next take them over.
    """
    records = [path for path in sorted(home.run.glob("*.json")) if path != home.up]
    stale = [path for path in records if signal_record(path, signal.SIGTERM)]
    if stale:
        say(f"ending what an earlier supervisor left: {', '.join(path.stem for path in stale)}")
    deadline = time.monotonic() + grace_s
    while any(alive(read_json(path)) for path in stale) and time.monotonic() < deadline:
        time.sleep(0.05)
    for path in stale:
        signal_record(path, signal.SIGKILL)
    for path in [*records, home.up]:
        path.unlink(missing_ok=True)
    return [path.stem for path in stale]
