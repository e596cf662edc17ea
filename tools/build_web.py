#!/usr/bin/env python3
"""Build the pages (`frontend/` -> `frontend/dist`), once.

Decides which Node does it (the machine's from 20.19 on, else the one in `.venv-node`), and when there is nothing to do:
`dist` carries a stamp with the digest of all it was made from. Packages come from `package-lock.json`, by hash; where
from is npm's own configuration. Standard library only.

    tools/build_web.py [--optional]    --optional: where the pages cannot be built, say so and go on without them
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from setup_env import ENVIRONMENTS, ROOT, one_at_a_time, say, setup

WEB = ROOT / "frontend"
DIST = WEB / "dist"
STAMP = DIST / ".fubini-web.stamp"
NODE_FLOOR = (20, 19)


def sources() -> list[Path]:
    """All the pages are made from, in order."""
    files = [p for folder in ("src", "public") for p in (WEB / folder).rglob("*") if p.is_file()]
    made = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
    patterns = (ROOT / "kits" / "patterns").glob("*.yaml")  # offered by the pipelines' page
    return sorted([*files, *(WEB / name for name in made), *patterns])


def digest() -> str:
    total = hashlib.sha256()
    for path in sources():
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def node_folder() -> Path | None:
    """The folder of a Node that is new enough, with npm beside it; None where the machine has none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < NODE_FLOOR:
        return None
    return Path(node).parent


def run(argv: list[str], path: str) -> None:
    """Raises `RuntimeError` with the command's last words."""
    env = {**os.environ, "PATH": path, "CI": "1", "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run(
        argv, cwd=WEB, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-3000:]}")


def build(wanted: str) -> None:
    began = time.monotonic()
    folder = node_folder()
    if folder is None:
        say("this machine has no Node from 20.19 on; getting one for the build")
        setup(ENVIRONMENTS["node"])
        folder = ENVIRONMENTS["node"].folder / "bin"
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    say("building the pages ...")
    installed = WEB / "node_modules" / ".fubini-lock"
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != lock:
        run([str(folder / "npm"), "ci", "--no-progress", "--no-audit", "--no-fund"], path)
        installed.write_text(lock)
    run([str(folder / "npm"), "run", "build"], path)
    STAMP.write_text(wanted)
    say(f"the pages are built ({time.monotonic() - began:.0f} s)")


def main(arguments: list[str]) -> int:
    wanted = digest()
    try:
        if STAMP.read_text() == wanted:
            return 0
    except OSError:
        pass
    try:
        with one_at_a_time():
            build(wanted)
    except (RuntimeError, OSError) as error:
        if "--optional" in arguments:
            say(f"the pages could not be built; going on without them (`make web` shows this again)\n{error}")
            return 0
        print(
            f"error: the pages could not be built\nwhy: {error}\ntry: check that npm can reach its packages, then make web",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
