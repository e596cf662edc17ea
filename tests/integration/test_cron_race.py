"""A tick makes one run, however many processes look and whichever of them is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.cron_race import CRONS
from tests.support.stack import ROOT, base_env


def test_three_processes_of_which_one_is_killed_start_each_tick_s_run_once(tmp_path: Path) -> None:
    env = base_env(tmp_path)
    env["PYTHONPATH"] += os.pathsep + str(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.cron_race"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["codes"] == [-9, 0, 0], found
    assert found["latest_ticks"] == CRONS, found
    assert found["runs"] == found["active"] >= CRONS, found
    assert found["named_twice"] == [] and found["ticks_without_their_run"] == [], found
