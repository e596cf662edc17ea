"""A machine's common slots: never more than there are, all or nothing, given back by the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from fubini_agent.slots import Slots

HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from fubini_agent.slots import Slots
print(Slots(sys.argv[2], 3).take(int(sys.argv[3])), flush=True)
sys.stdin.read()
"""


def holder(folder: Path, wanted: int) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[3] / "edge_agent")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, root, str(folder), str(wanted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_two_processes_never_hold_the_same_slot(tmp_path: Path) -> None:
    other = holder(tmp_path, 2)
    try:
        mine = Slots(str(tmp_path), 3)
        assert mine.take(2) is None
        assert mine.take(1) == (2,)
        assert mine.take(1) is None
        mine.give((2,))
        assert mine.take(1) == (2,)
    finally:
        other.communicate()


def test_a_killed_holder_gives_its_slots_back(tmp_path: Path) -> None:
    other = holder(tmp_path, 3)
    mine = Slots(str(tmp_path), 3)
    assert mine.take(1) is None
    os.kill(other.pid, signal.SIGKILL)
    other.communicate()
    assert mine.take(3) == (0, 1, 2)


def test_more_than_there_are_is_all_there_are(tmp_path: Path) -> None:
    mine = Slots(str(tmp_path), 2)
    assert mine.take(9) == (0, 1)
    assert mine.take(1) is None


def test_a_forked_child_does_not_keep_a_slot(tmp_path: Path) -> None:
    mine = Slots(str(tmp_path), 1)
    assert mine.take(1) == (0,)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    mine.give((0,))
    other = holder(tmp_path, 1)
    assert mine.take(1) is None
    other.communicate()
    os.close(write)
    os.waitpid(pid, 0)
