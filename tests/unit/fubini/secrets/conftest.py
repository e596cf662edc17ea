"""A keyring of its own for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, settings: Any) -> Path:
    settings.FUBINI_HOME = tmp_path
    settings.FUBINI_SECRETS_KEYS = ()
    return tmp_path / "secrets.keys"
