"""A whole Fubini in a throw-away folder: the real supervisor, web, dispatch, worker and agents on a free loopback port.

Used by benchmarks, fault tests and integration tests. It ends only what it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
ENDED = ("succeeded", "failed", "error")


@dataclass
class Stack:
    """A running set. `kinds()` maps process kinds to live pids."""

    home: Path
    url: str = ""
    token: str = ""
    project: str = "demo"
    env: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()  # more words for `up`
    client: httpx.Client = field(default_factory=httpx.Client)

    def up(self) -> None:
        """Start (or start again on the same folder); returns when it is ready."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "fubini.supervisor",
                "up",
                "--detach",
                "--json",
                "--port",
                "0",
                "--home",
                str(self.home),
                *self.options,
            ],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode != 0:
            raise RuntimeError(f"fubini up failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
        self.refresh()

    def refresh(self) -> None:
        up = json.loads((self.home / "run" / "supervisor.json").read_text())
        self.url = up["url"]
        self.token = (self.home / "admin.token").read_text().strip()
        self.client.close()
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=120, trust_env=False
        )

    def down(self) -> None:
        subprocess.run(
            [sys.executable, "-m", "fubini.supervisor", "down", "--home", str(self.home)],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def get(self, path: str, **params: Any) -> Any:
        """A GET that outlives a restart of web."""
        for turn in range(120):
            try:
                reply = self.client.get(f"/api/v1/{path}", params=params)
                if reply.status_code < 500:
                    reply.raise_for_status()
                    return reply.json()
            except httpx.TransportError:
                if turn % 10 == 9:
                    with contextlib.suppress(OSError, ValueError):
                        self.refresh()
            time.sleep(0.25)
        raise RuntimeError(f"no answer from {self.url} for {path}")

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        reply = self.client.post(f"/api/v1/{path}", json=body, headers=headers)
        if reply.status_code >= 400:
            raise RuntimeError(f"POST {path}: {reply.status_code} {reply.text[:2000]}")
        return reply.json() if reply.content else None

    def submit(self, manifest: str, key: str = "", **more: Any) -> str:
        return str(self.post("runs", {"project": self.project, "manifest": manifest, **more}, key)["id"])

    def wait(self, run_id: str, within_s: float) -> dict[str, Any]:
        """The run once it has ended."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.get(f"runs/{run_id}")
            if run["state"] in ENDED:
                return run
            time.sleep(0.3)
        raise TimeoutError(f"run {run_id} did not end within {within_s} s: {run}")

    def kinds(self) -> dict[str, list[int]]:
        """Live pids by kind: supervisor, web, dispatch, worker, agent, keeper."""
        found: dict[str, list[int]] = {}
        for path in sorted((self.home / "run").glob("*.json")):
            with contextlib.suppress(ValueError, OSError):
                record = json.loads(path.read_text())
                pid = record.get("pid")
                if not pid or not Path(f"/proc/{pid}").exists():
                    continue
                name = path.stem
                kind = "agent" if name.startswith("agent") else name
                found.setdefault(kind, []).append(pid)
        for pid in keeper_pids(self.home):
            found.setdefault("keeper", []).append(pid)
        return found


def keeper_pids(home: Path) -> list[int]:
    """Keepers whose state folder is under `home`, found by their argument lists."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                argv = (path / "cmdline").read_bytes().split(b"\0")
                text = b" ".join(argv)
                if b"keeper" in text and str(home).encode() in text:
                    found.append(int(path.name))
    return found


def base_env(home: Path, **more: str) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("FUBINI_")}
    env["PYTHONPATH"] = os.pathsep.join(str(ROOT / p) for p in ("platform", "scheduler", "edge_agent"))
    env["FUBINI_HOME"] = str(home)
    env["DJANGO_SETTINGS_MODULE"] = "fubini.settings.dev"
    env.update(more)
    return env


@contextlib.contextmanager
def stack(*options: str, **env: str) -> Iterator[Stack]:
    """A stack from nothing to nothing. With `FUBINI_KEEP=1` in the environment its folder stays for a look."""
    home = Path(tempfile.mkdtemp(prefix="fubini-stack-"))
    running = Stack(home, env=base_env(home, **env), options=options)
    try:
        running.up()
        yield running
    finally:
        pids = running.kinds()
        running.down()
        for pid in [p for group in pids.values() for p in group]:
            with contextlib.suppress(OSError):  # ProcessLookupError is one
                if str(home).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        running.client.close()
        if os.environ.get("FUBINI_KEEP"):
            print(f"state kept in {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
