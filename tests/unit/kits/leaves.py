"""Run one leaf of the kit's manifest as a plain local process, without Fubini.

A leaf speaks of absolute paths (`/tmp/in`, `/tmp/out`, the mounts of its volumes). Here each of them is replaced, by
text, with a folder of the leaf's own, which is enough because the manifest names every path on its command line.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.needs import ROOT

KIT = ROOT / "kits" / "concurrent-learning"
SCIENCE_PYTHON = ROOT / ".venv-science" / "bin" / "python"


class LeafFailed(RuntimeError):
    """A leaf exited with another status than 0; the text has its standard error."""


@dataclass(frozen=True)
class LeafResult:
    """What a leaf left behind: parameters by name, artifact files by name, and how long it took."""

    parameters: dict[str, str]
    artifacts: dict[str, Path]
    seconds: float
    log: str = ""


@dataclass(frozen=True)
class Leaf:
    """A leaf with nothing left to resolve: paths are the manifest's, artifact inputs are files of this machine."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    inputs: Mapping[str, Path | str]  # path -> file, or the text of a raw artifact
    parameters_out: Mapping[str, str]  # name -> path
    artifacts_out: Mapping[str, str]
    mounts: Mapping[str, Path] = field(default_factory=dict)  # mount path -> folder


def run_leaf(leaf: Leaf, folder: Path, python: Path = SCIENCE_PYTHON) -> LeafResult:
    """Run `leaf` with `folder` as its private root.

    Raises:
        LeafFailed: the process did not exit with 0.
    """
    private = folder / "tmp"
    (private / "out").mkdir(parents=True)

    def here(path: str) -> Path:
        for mount, target in leaf.mounts.items():
            if path == mount or path.startswith(mount + "/"):
                return target / path[len(mount) + 1 :]
        return folder / path.lstrip("/")

    for path, source in leaf.inputs.items():
        target = here(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, Path):
            target.symlink_to(source)
        else:
            target.write_text(source, encoding="utf-8")
    argv = [
        str(python) if word == "python" else str(here(word)) if word.startswith("/") else word for word in leaf.argv
    ]
    env = {name: str(here(value)) if value.startswith("/") else value for name, value in leaf.env.items()}
    began = time.monotonic()
    done = subprocess.run(
        argv, env={"PATH": os.environ["PATH"], **env}, cwd=private, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise LeafFailed(f"{leaf.name} exited {done.returncode}: {done.stderr.strip()}")
    return LeafResult(
        parameters={name: here(path).read_text(encoding="utf-8") for name, path in leaf.parameters_out.items()},
        artifacts={name: here(path) for name, path in leaf.artifacts_out.items()},
        seconds=seconds,
        log=done.stdout,
    )


def mounts_of(data: Path, volumes: Sequence[tuple[str, str]]) -> dict[str, Path]:
    """Mount path -> folder for (claim, mount path) pairs: the kit's code, and everything below `data` by claim."""
    known = {"concurrent-learning-code-v1": KIT / "code", "methanol-v1": data}
    return {path: known[claim] for claim, path in volumes}
