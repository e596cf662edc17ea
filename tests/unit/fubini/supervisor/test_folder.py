"""The state folder's rules, without processes."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from fubini.common.home import Home, home_path, start_ticks, write_private
from fubini.supervisor import agents
from fubini.supervisor.children import BACKOFF_MAX_S, Child, ChildSpec
from fubini.supervisor.errors import SupervisorError
from fubini.supervisor.folder import folder_lock, folder_open, log_rotate
from fubini.supervisor.localsites import cores, local_sites


def test_a_lock_names_its_holder(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    with folder_lock(home, "fubini up"):
        with pytest.raises(SupervisorError) as caught, folder_lock(home, "fubini restore"):
            raise AssertionError("two hold it")
        assert f"process {os.getpid()}" in caught.value.why and caught.value.exit_code == 5
    with folder_lock(home, "again"):
        pass


def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(SupervisorError, match=r"the disk of .* is full"):
        folder_open(Home(tmp_path / "home"))


def test_modes_are_tightened_when_an_existing_folder_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    folder_open(Home(tmp_path / "home"))
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_private_file_is_replaced_whole_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_the_folder_is_the_given_one_else_the_checkouts(tmp_path: Path) -> None:
    assert home_path({"FUBINI_HOME": str(tmp_path)}) == tmp_path
    assert home_path({}).name == ".fubini" and (home_path({}).parent / "manage.py").exists()


def test_a_log_is_rotated_under_a_writer_that_keeps_it_open(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with path.open("a") as writer:
        for number in range(3):
            writer.write(f"{number}" * 100)
            writer.flush()
            assert log_rotate(path, max_bytes=50, keep=2)
        writer.write("last")
    assert path.read_text() == "last"
    assert (tmp_path / "x.log.1").read_text() == "2" * 100
    assert (tmp_path / "x.log.2").read_text() == "1" * 100
    assert not (tmp_path / "x.log.3").exists()


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    said: list[str] = []
    child = Child(ChildSpec("short", ["/bin/false"], dict(os.environ)), home, said.append)
    child.start()
    delays = []
    for _ in range(4):
        assert child.process is not None
        child.process.wait()
        child.tend()
        delays.append(child.next_start_at)
        child.next_start_at = 0.0
        child.tend()
    assert child.restarts == 4 and child.deaths == 4
    waits = [float(line.rpartition(" in ")[2].removesuffix(" s")) for line in said]
    assert waits == sorted(waits) and waits[-1] > waits[0] and max(waits) <= BACKOFF_MAX_S
    child.wait_stopped()
    assert not child.record_path.exists()


def test_a_process_is_named_by_pid_and_start_time() -> None:
    assert start_ticks(os.getpid()) == start_ticks(os.getpid())
    assert start_ticks(2**22 + 1) is None


def test_the_local_sites_share_the_machine_and_the_accelerator_is_declared() -> None:
    sites = {site.name: site for site in local_sites()}
    assert list(sites) == ["edge", "hpc", "cloud"]
    assert sites["edge"].preference < sites["hpc"].preference < sites["cloud"].preference
    assert sites["edge"].core_hour_micros == 0 < sites["hpc"].core_hour_micros < sites["cloud"].core_hour_micros
    assert sites["hpc"].max_walltime_s and sites["hpc"].max_running
    assert sites["cloud"].accelerator == "sim-gpu"
    assert all(site.cpu_millis <= cores() * 1000 for site in sites.values())


def test_site_files_are_what_the_agent_reads(tmp_path: Path) -> None:
    from fubini_agent.config import site_file_read

    home = Home(tmp_path / "home")
    for place in local_sites():
        agents.site_file_write(home, place)
        read = site_file_read(agents.site_file(home, place.name))
        assert read.allow_on_slurm_host
        assert read.offer.cpu_millis == place.cpu_millis and read.offer.labels["fubini.dev/pool"] == place.pool
        assert read.image("busybox:1.36") is not None and read.image("no-such-image") is None
    cloud = site_file_read(agents.site_file(home, "cloud"))
    assert cloud.offer.accelerator_simulated and cloud.offer.devices[0].simulated
