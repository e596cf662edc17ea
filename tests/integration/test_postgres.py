"""What is tried on SQLite all day passes on a real PostgreSQL: services over rows, migrations with rows, texts it cannot hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres import postgres_url

__all__ = ["postgres_url"]
ROOT = Path(__file__).resolve().parent.parent.parent
#: Locks and caches, remote inputs, schedules, and rows carried over by every migration there is.
FILES = (
    "tests/unit/fubini/dispatch/test_locks.py",
    "tests/unit/fubini/dispatch/test_fetching.py",
    "tests/unit/fubini/crons/test_services.py",
    "tests/unit/fubini/common/test_postgres.py",
    "tests/integration/test_migrations.py",
)


@pytest.mark.timeout(300)
@pytest.mark.needs("postgresql")
def test_services_and_migrations_pass_on_postgresql(postgres_url: str) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FUBINI_", "PYTEST_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", *FILES],
        capture_output=True, text=True, timeout=250, check=False, cwd=ROOT, env=env | {"FUBINI_DATABASE_URL": postgres_url},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) >= 60, done.stdout[-500:]
    assert "skipped" not in done.stdout.rpartition("\n\n")[2]
