"""An agent on a small disk that fills up: it stops claiming, says why, keeps its word, and goes on by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from fubini_agent.room import Room, free_and_reserve
from fubini_protocol.v1.messages import Cause
from tests.support.agents import AgentProcess
from tests.support.disks import SmallDisk, small_disk
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.needs("small disk")
MIB = 1 << 20


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(48 * MIB) as made:
        yield made


@pytest.fixture
def agent(platform: FakePlatform, disk: SmallDisk) -> Iterator[AgentProcess]:
    """An agent whose whole state lies on the small disk; its polls are longer than any wait here, so news came without one."""
    made = AgentProcess(platform, disk.path / "state", wait_s=60.0).join().start()
    yield made
    made.stop_all()


def refusal(platform: FakePlatform) -> str:
    """What the agent last said of taking work."""
    said = [s.capacity for s in platform.syncs if s.capacity is not None]
    return "" if not said or said[-1].accepting else said[-1].reason


def test_it_stops_claiming_says_why_hands_back_and_goes_on(
    agent: AgentProcess, platform: FakePlatform, disk: SmallDisk
) -> None:
    platform.lease("before", argv=("true",))
    assert platform.outcome("before").state.value == "succeeded"
    disk.fill(leave=2 * MIB)
    platform.wait(lambda: refusal(platform), "the refusal")
    assert "make room there" in refusal(platform)
    assert str(disk.path) in refusal(platform)

    platform.lease("meanwhile", argv=("true",))
    back = platform.outcome("meanwhile")  # not started, and not kept waiting for somebody to tidy up
    assert (back.state.value, back.cause) == ("failed", Cause.NODE)
    assert back.outcome is not None
    assert back.outcome.started_ms is None

    disk.free_up()
    platform.wait(lambda: not refusal(platform), "work to be taken again")
    platform.lease("after", argv=("true",))
    assert platform.outcome("after").state.value == "succeeded"


def test_what_ran_already_is_reported_from_a_disk_without_a_byte_left(
    agent: AgentProcess, platform: FakePlatform, disk: SmallDisk
) -> None:
    script = "sleep 1.5; "
    platform.lease("quiet", argv=("sh", "-c", script + "true"))
    platform.lease("writes", argv=("sh", "-c", script + "head -c 20000000 /dev/zero > /tmp/more"))
    platform.wait_running("quiet")
    platform.wait_running("writes")
    disk.fill()
    assert disk.free() < 4096
    quiet, writes = platform.outcome("quiet"), platform.outcome("writes")
    assert quiet.state.value == "succeeded"
    assert (writes.state.value, writes.cause) == ("failed", Cause.NODE)  # the site's fault, so the site's loss
    assert "was full when it failed" in writes.reason
    disk.free_up()
    agent.terminate()
    with sqlite3.connect(agent.folder / "journal.db") as journal:
        assert journal.execute("pragma integrity_check").fetchone() == ("ok",)


def test_room_comes_back_only_well_above_the_reserve(disk: SmallDisk) -> None:
    room = Room([disk.path])
    reserve = free_and_reserve(disk.path)[1]
    assert reserve == 8 * MIB
    assert room.look() == ""
    disk.fill(leave=reserve - MIB)
    first = room.look()
    assert first
    disk.free_up()
    disk.fill(leave=reserve + MIB)
    assert room.look() == first  # no change back and forth, and no new figures while it stays full
    disk.free_up()
    assert room.look() == ""
