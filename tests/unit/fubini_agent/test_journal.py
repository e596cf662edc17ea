"""The journal: durable before anything else, nothing lost to a full disk, readable after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fubini_agent import journal as journal_module
from fubini_agent.journal import Journal
from fubini_protocol.v1.messages import AttemptState, ExecSpec, LeaseOffer, Report
from tests.support.agents import EDGE_AGENT


def make_offer(attempt_id: str = "a", text: str = "") -> LeaseOffer:
    spec = ExecSpec(argv=("true",), source=text or None)
    return LeaseOffer(lease_id="l", attempt_id=attempt_id, task_id="t", fence=1, expires_in_s=1, spec=spec)


def make_report(attempt_id: str = "a") -> Report:
    return Report(
        sequence=9, attempt_id=attempt_id, task_id="t", fence=1, state=AttemptState.FAILED, at_ms=1, reason="why"
    )


async def test_leases_and_reports_come_back_until_they_are_dropped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.keep(make_offer("a"), "boot")
    journal.keep(make_offer("b"), "boot")
    journal.owe(make_report("b"))
    await journal.flushed()
    await journal.close()
    again = Journal(tmp_path / "j.db")
    found = {row.offer.attempt_id: row for row in again.load()}
    assert found["a"].offer == make_offer("a")
    assert (found["a"].report, found["b"].report, found["a"].boot_id) == (None, make_report("b"), "boot")
    again.drop("b")
    await again.close()
    last = Journal(tmp_path / "j.db")
    assert [row.offer.attempt_id for row in last.load()] == ["a"]
    await last.close()


async def test_many_writes_share_a_commit(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    before = journal.commits
    for index in range(200):
        journal.keep(make_offer(f"a{index}"), "boot")
    await asyncio.gather(*(journal.flushed() for _ in range(50)))
    assert journal.commits - before <= 2
    await journal.close()


async def test_a_full_disk_is_waited_out_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RETRY_S", 0.05)
    journal = Journal(tmp_path / "j.db")
    [pages] = journal._db.execute("pragma page_count").fetchone()
    journal._db.execute(f"pragma max_page_count = {pages}")
    journal.keep(make_offer("small", "x" * 50_000), "boot")
    await asyncio.wait_for(journal.flushed(), 60)  # what is owed still fits: that is what the reserve is for
    journal.keep(make_offer("a", "x" * journal_module.RESERVE_BYTES), "boot")
    waiting = asyncio.ensure_future(journal.flushed())
    async with asyncio.timeout(60):
        while not journal.problem:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # it is tried again
    assert not waiting.done(), "acknowledged what is not on disk"
    assert "full" in journal.problem
    journal.keep(make_offer("b"), "boot")
    journal._db.execute("pragma max_page_count = 100000")
    await asyncio.wait_for(waiting, 60)
    await journal.flushed()
    assert journal.problem == ""
    assert {row.offer.attempt_id for row in journal.load()} == {"small", "a", "b"}
    await journal.close()


async def test_an_unreadable_row_does_not_hide_the_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.keep(make_offer("a"), "boot")
    journal.keep(make_offer("b"), "boot")
    await journal.close()
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("update lease set offer = 'garbage' where attempt_id = 'a'")
    again = Journal(tmp_path / "j.db")
    assert [row.offer.attempt_id for row in again.load()] == ["b"]
    await again.close()


def test_what_was_flushed_survives_kill_nine(tmp_path: Path) -> None:
    code = (
        "import asyncio, os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from fubini_agent.journal import Journal\n"
        "from fubini_protocol.v1.messages import ExecSpec, LeaseOffer\n"
        "async def main():\n"
        "    journal = Journal(Path(sys.argv[2]))\n"
        "    for n in range(10_000):\n"
        "        journal.keep(LeaseOffer(lease_id='l', attempt_id=str(n), task_id='t', fence=1, expires_in_s=1,"
        " spec=ExecSpec()), 'b')\n"
        "        await journal.flushed()\n"
        "        os.write(1, b'%d\\n' % n)\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "j.db"
    process = subprocess.Popen([sys.executable, "-c", code, str(EDGE_AGENT), str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    flushed = max(int(line) for line in said if line.endswith(b"\n"))
    with sqlite3.connect(path) as db:
        kept = {int(row[0]) for row in db.execute("select attempt_id from lease")}
    assert kept >= set(range(flushed + 1))


async def test_the_file_is_the_owners_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.keep(make_offer(), "b")
    await journal.flushed()
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("j.db*")} == {0}
    await journal.close()
