"""Where the demo runs, and that it cleans up; the demo as a whole is `make demo`, which continuous integration runs too."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fubini.common.home import alive, read_json
from tests.support.cli import cli_on
from tests.support.stack import keeper_pids

pytestmark = pytest.mark.needs("science", "namespaces")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "sigterm"])
def test_a_demo_that_is_broken_off_stops_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    fubini = cli_on(tmp_path / "home")
    argv = [sys.executable, "-m", "fubini.cli", "demo", "--json-to", str(tmp_path / "demo.json")]
    process = subprocess.Popen(argv, env=fubini.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("submitted "):
            break
    records = [read_json(path) for path in (fubini.home / "run").glob("*.json")]
    assert len(records) == 7
    process.send_signal(number)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130 and "Traceback" not in err
    assert not any(alive(record) for record in records) and not keeper_pids(fubini.home)
    assert not (tmp_path / "demo.json").exists()
