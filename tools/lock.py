#!/usr/bin/env python3
"""Resolve the locks anew: hashes always, addresses never.

Each lock lists exact versions with the digests of their files. Where a package comes from is the business of the
machine that installs it, so no index is written down. Run by `make lock`; the result is reviewed like code.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from setup_env import ROOT, TOOLS, tools_ready, uv_environment

COMMON = ["--quiet", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"]
COMMON += ["--python-version", "3.11"]
LOCKS: dict[str, list[str]] = {
    "base": ["pyproject.toml"],
    "dev": ["pyproject.toml", "--extra", "dev", "--extra", "postgresql"],
    "science": ["requirements/science.in"],
    "tools": ["requirements/tools.in"],
    "peers": ["requirements/peers.in"],
    "node": ["requirements/node.in"],
}


def main(names: list[str]) -> int:
    tools_ready()
    uv = TOOLS / "bin" / "uv"
    if not uv.exists():
        print("error: locks are made by uv, which pip could not install here", file=sys.stderr)
        return 1
    for name in names or list(LOCKS):
        target = Path("requirements") / f"{name}.lock"
        argv = [str(uv), "pip", "compile", *COMMON, *LOCKS[name], "--output-file", str(target)]
        if subprocess.run(argv, cwd=ROOT, env=uv_environment(), check=False).returncode != 0:
            return 1
        print(f"lock: {target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
