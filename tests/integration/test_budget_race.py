"""A budget cannot be overspent by submitting at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.stack import ROOT, base_env


def raced(module: str, home: Path) -> dict[str, Any]:
    """Run a race in a process and on a database of its own; what it printed last."""
    env = base_env(home)
    env["PYTHONPATH"] += os.pathsep + str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", f"tests.integration.{module}"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_of_200_submits_at_once_ten_get_a_hold_and_the_rest_wait_with_the_missing_figure(tmp_path: Path) -> None:
    found = raced("budget_race", tmp_path)
    assert found["before"] == {
        "errors": [],
        "accepted": 200,
        "holds": 10,
        "waiting": 190,
        "waiting_for": ["budget"],
        "missing_micros": [50_000],
        "available_micros": 50_000,
        "imbalance_micros": 0,
    }
    assert found["after"] == {"holds": 200, "waiting": 0, "imbalance_micros": 0}


def test_a_run_never_passes_its_own_limit_whoever_plans_ends_or_raises_it_meanwhile(tmp_path: Path) -> None:
    assert raced("run_budget_race", tmp_path) == {
        "errors": [],
        "over": [],
        "before": {"holds": 10, "waiting": 90, "waiting_for": ["run_budget"], "missing_micros": [50_000]},
        "after": {
            "succeeded": 100,
            "attempts": 100,
            "held_micros": 0,
            "spent_is_the_sum": True,
            "imbalance_micros": 0,
        },
    }
