"""A budget cannot be overspent by submitting at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.stack import ROOT, base_env


def test_of_200_submits_at_once_ten_get_a_hold_and_the_rest_wait_with_the_missing_figure(tmp_path: Path) -> None:
    env = base_env(tmp_path)
    env["PYTHONPATH"] += os.pathsep + str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.budget_race"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
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
