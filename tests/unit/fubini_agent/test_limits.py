"""Limits: what is found on a host, what is written where, how cores are handed out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fubini_agent.limits import Cores, Group, Groups, Limiter, groups_found

FILES_2 = ("cgroup.procs", "cpu.max", "memory.max", "memory.swap.max")
FILES_1 = ("cgroup.procs", "cpu.cfs_quota_us", "memory.limit_in_bytes")


def folder(path: Path, names: tuple[str, ...]) -> Path:
    """What the kernel would put into a new group; each write replaces what stands there."""
    path.mkdir()
    for name in names:
        (path / name).write_text("")
    return path


def text(path: Path) -> str:
    return path.read_text()


def test_version_2_is_told_in_its_own_words(tmp_path: Path) -> None:
    made = folder(tmp_path / "g", FILES_2)
    (made / "memory.events").write_text("low 0\nhigh 2\nmax 5\noom 1\noom_kill 3\n")
    group = Group(2, {"cpu": str(made), "memory": str(made)})
    group.hold(4711)
    group.limit(1500, 1 << 20)
    assert [text(made / name) for name in FILES_2] == ["4711", "150000 100000", "1048576", "0"]
    assert group.oom_kills() == 3
    for name in FILES_2:
        (made / name).write_text("")
    group.limit(1500, 1 << 20)
    assert [text(made / name) for name in FILES_2] == [""] * 4  # what stands is not written again
    group.limit(0, 0)
    assert [text(made / name) for name in FILES_2] == ["", "max 100000", "max", "max"]


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    cpu, memory = (folder(tmp_path / name, FILES_1) for name in ("cpu", "memory"))
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    group = Group(1, {"cpu": str(cpu), "memory": str(memory)})
    group.limit(500, 4096)
    assert text(cpu / "cpu.cfs_quota_us") == "50000"
    assert text(memory / "memory.limit_in_bytes") == "4096"
    assert group.oom_kills() == 1


@pytest.mark.parametrize(
    ("own", "want"),
    [
        pytest.param("0::/user.slice\n", "no control group has both", id="a host that delegates nothing"),
        pytest.param(None, "no control groups", id="a kernel without them"),
        pytest.param("3:memory:/\n2:cpu:/\n", "no group may be made here", id="controllers that are not ours"),
    ],
)
def test_a_host_without_them_says_why(tmp_path: Path, own: str | None, want: str) -> None:
    if own is not None:
        (tmp_path / "own").write_text(own)
    found = groups_found(str(tmp_path / "root"), str(tmp_path / "own"))
    assert not found.usable
    assert want in found.why
    assert found.make() is None


def test_the_least_used_cores_are_handed_out_and_come_back() -> None:
    cores = Cores([0, 1, 2, 3])
    first, second, third = cores.take(1000), cores.take(1500), cores.take(100)
    assert (first, second, third) == ((0,), (1, 2), (3,))
    assert cores.take(2000) == (0, 1)
    cores.give(third)
    assert cores.take(1000) == (3,)
    assert cores.take(4000) == ()  # all there are: nothing to narrow


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be narrowed")
def test_without_groups_a_command_gets_as_many_cores_as_it_asked_for() -> None:
    limiter = Limiter()
    limiter.groups = Groups(0, {}, "none here")
    process = subprocess.Popen(["sleep", "60"])
    try:
        assert limiter.group_for(process.pid) is None
        held = limiter.hold(process.pid, None, 1000, 0)
        assert os.sched_getaffinity(process.pid) == set(held.cores)
        assert len(held.cores) == 1
        limiter.release(held)
        limiter.hold(process.pid, None, 1_000_000, 0)
        assert os.sched_getaffinity(process.pid) == os.sched_getaffinity(0)
        assert not held.ran_out_of_memory()
    finally:
        process.kill()
        process.wait()
