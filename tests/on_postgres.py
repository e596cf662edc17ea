"""Runs tests on a private PostgreSQL, an app at a time: ``python -m tests.on_postgres [--only PART] [-- pytest's arguments]``.

All of tests/unit/fubini, and those of tests/integration whose rows are in the test process itself; those that start a whole
installation make their own database. Exits with 1 where a part failed or passed nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.support.postgres import cluster

ROOT = Path(__file__).resolve().parent.parent
#: Beside the folders of tests/unit/fubini: what works on rows of the test's own database.
INTEGRATION = (
    "test_lease_machine.py",
    "test_migrations.py",
    "test_notices.py",
    "test_query_baselines.py",
    "test_twin.py",
)
#: About how SQLite holds ids; PostgreSQL holds them as they are read.
OF_SQLITE = (
    "tests/unit/fubini/events/test_packed_ids.py",
    "tests/unit/fubini/ledger/test_packed_ids.py",
    "tests/unit/fubini/runs/test_packed_keys.py",
    "tests/unit/fubini/events/test_sequence.py::test_a_project_filter_seeks_in_its_index_on_sqlite",
)
PYTEST = ("-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib --strict-markers", "-o", "timeout=600")


def parts() -> dict[str, list[str]]:
    """What is run together, by its name."""
    unit = ROOT / "tests" / "unit" / "fubini"
    folders = [folder for folder in sorted(unit.iterdir()) if any(folder.rglob("test_*.py"))]
    return {folder.name: [str(folder.relative_to(ROOT))] for folder in folders} | {
        "integration": [f"tests/integration/{name}" for name in INTEGRATION]
    }


def run_tests(url: str, *argv: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """pytest with its database at `url`; nothing else of the caller's environment is about Fubini, Django or pytest."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FUBINI_", "PYTEST_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PYTEST, *argv],
        capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT, env=env | {"FUBINI_DATABASE_URL": url},
    )  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", choices=list(parts()), help="this part; may be given several times")
    options.add_argument("rest", nargs="*", help="more arguments of pytest, after --")
    chosen = options.parse_args()
    failed = []
    without = [f"--deselect={test}" for test in OF_SQLITE]
    fresh = "--create-db"  # the tables are made once, which takes longer than most parts
    with cluster() as url:
        for name, paths in parts().items():
            if chosen.only and name not in chosen.only:
                continue
            began = time.monotonic()
            done = run_tests(url, "--reuse-db", *([fresh] if fresh else []), *paths, *without, *chosen.rest, timeout_s=3600)
            fresh = ""
            last = done.stdout.strip().rpartition("\n")[2]
            print(f"{name:12} {time.monotonic() - began:6.1f} s  {last}", flush=True)
            if done.returncode or not re.search(r"\d+ passed", last):
                failed.append(name)
                print(done.stdout[-20_000:] + done.stderr[-4000:], flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all parts passed on PostgreSQL")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
