"""Run real agent processes against a fake platform, and see what they leave behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.fake_platform import TOKEN, FakePlatform

EDGE_AGENT = Path(__file__).resolve().parents[2] / "edge_agent"
SITE_FILE = "[images]\nhost = { host = true }\n[offer]\ncpu_millis = 4000\nsteps_max = 8\n"


class AgentProcess:
    """One agent in a state folder of its own."""

    def __init__(self, platform: FakePlatform, folder: Path, *, site: str = SITE_FILE, wait_s: float = 2.0) -> None:
        self.platform = platform
        self.folder = folder
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "site.toml").write_text(f"wait_s = {wait_s}\n" + site)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder.with_name(folder.name + ".log")

    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(EDGE_AGENT), "SECRET_OF_THE_AGENT": "canary-agent-env"}

    def cli(self, *args: str, stdin: str = "", timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fubini_agent", args[0], "--dir", str(self.folder), *args[1:]],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self.env(),
            check=False,
        )

    def join(self) -> AgentProcess:
        self.platform.tokens.add(TOKEN)
        done = self.cli("join", "--url", self.platform.url, "--token-file", "-", "--name", "tester", stdin=TOKEN + "\n")
        assert done.returncode == 0, done.stderr + done.stdout
        return self

    def start(self, *args: str) -> AgentProcess:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fubini_agent", "run", "--dir", str(self.folder), *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env(),
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9, the keeper stays."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def terminate(self, timeout_s: float = 60.0) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def keeper_pid(self) -> int:
        return int((self.folder / "keeper" / "lock").read_text().split()[0])

    def stop_all(self) -> None:
        """End agent and keeper, whatever state they are in."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self.cli("stop")

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def processes_with(text: str) -> list[int]:
    """Pids whose command line holds `text`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline", "rb") as file:
                if text.encode() in file.read() and int(entry) != os.getpid() and alive(int(entry)):
                    found.append(int(entry))
    return found


def gone(text: str, timeout_s: float = 60.0) -> bool:
    """Whether no process with `text` in its command line is left within the time."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if not processes_with(text):
            return True
        time.sleep(0.02)
    return False
