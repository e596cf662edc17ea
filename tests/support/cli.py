"""Runs the command line as people do: a process of its own, its output and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.stack import base_env


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Cli:
    """`fubini` on one state folder."""

    home: Path
    env: dict[str, str]

    def __call__(self, *argv: str, stdin: str | None = None, timeout_s: float = 300, **env: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "fubini.cli", *argv],
            env={**self.env, **env},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def ok(self, *argv: str, **more: Any) -> Ran:
        """The same, and it must have worked."""
        ran = self(*argv, **more)
        assert ran.code == 0, f"fubini {' '.join(argv)}: exit {ran.code}\n{ran.out}\n{ran.err}"
        return ran


def cli_on(home: Path) -> Cli:
    env = base_env(home)
    env["XDG_CONFIG_HOME"] = str(home / "xdg")
    env["FUBINI_RETRIES"] = "2"
    env.pop("CI", None)
    env["NO_COLOR"] = "1"
    env["HOME"] = os.environ.get("HOME", str(home))
    return Cli(home, env)
