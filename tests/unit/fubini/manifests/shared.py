"""Where the recordings and Argo's CRDs are, beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[4]


def shared_root() -> Path:
    return Path(os.environ.get("FUBINI_SHARED") or REPOSITORY.parent / "shared")


def shared_folder(name: str) -> Path:
    """A folder of the shared material; skips the test, saying what is missing, where it is absent."""
    path = shared_root() / name
    if not path.is_dir():
        pytest.skip(f"{path} is absent: set FUBINI_SHARED to the folder that has {name}")
    return path
