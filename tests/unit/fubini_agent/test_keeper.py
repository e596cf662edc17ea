"""The keeper alone, over its socket: starts, ends, markers, limits, and what is left of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fubini_agent import private_root
from fubini_agent.limits import groups_found
from tests.support.agents import EDGE_AGENT, alive, gone, processes_with

START = "import sys; sys.path.insert(0, sys.argv[1]); from fubini_agent.keeper import main; main(sys.argv[2])"


class Keeper:
    """A keeper process and a connection to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        binds, links = private_root.host_binds([])
        private_root.prepare_dev_dir(str(folder / "dev"))
        private_root.prepare_skeleton(str(folder / "root"), binds, links)
        (folder / "proc").mkdir(exist_ok=True)
        self.binds = binds
        self.overlays: list[list[str]] = []
        self.shared: list[list[Any]] = []
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", START, str(EDGE_AGENT), str(folder)])
        self.connect()

    def connect(self) -> dict[str, Any]:
        until = time.monotonic() + 60
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(str(self.folder / "sock"))
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.01)
        self.socket.settimeout(60)
        self.lines = self.socket.makefile("rb")
        self.hello = self.event()
        return self.hello

    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lines.readline())
        return found

    def send(self, request: dict[str, Any]) -> None:
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def start(self, name: str, *argv: str, private: bool = True, **more: Any) -> dict[str, Any]:
        self.start_only(name, *argv, private=private, **more)
        return self.event()

    def start_only(self, name: str, *argv: str, private: bool = True, **more: Any) -> None:
        top = self.folder.parent / name
        for part in ("upper", "work"):
            (top / part).mkdir(parents=True)
        request: dict[str, Any] = {
            "op": "start", "id": name, "fence": 1, "argv": argv, "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/",
            "stdout": str(top / "stdout"), "stderr": str(top / "stderr"), "note": {"n": name}, **more,
        }  # fmt: skip
        if private:
            request["root"] = {
                "root": str(self.folder / "root"), "upper": str(top / "upper"), "work": str(top / "work"),
                "binds": self.binds, "dev_dir": str(self.folder / "dev"), "proc_dir": str(self.folder / "proc"),
                "dev_nodes": private_root.device_nodes([]), "userns": os.geteuid() != 0, "overlays": self.overlays,
                "shared": self.shared,
            }  # fmt: skip
        self.send(request)

    def markers(self) -> list[dict[str, Any]]:
        [path] = self.folder.glob("markers-*.log")
        return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    made = Keeper(tmp_path / "keeper")
    yield made
    made.process.kill()
    made.process.wait()


def _mark() -> str:
    return f"65{uuid.uuid4().int % 10**8}"


def test_a_start_and_an_end_are_told_and_marked_with_fence_and_note(keeper: Keeper) -> None:
    started = keeper.start("a", "sh", "-c", "exit 4")
    ended = keeper.event()
    assert (started["ev"], started["id"], started["fence"], started["note"]) == ("started", "a", 1, {"n": "a"})
    assert (ended["ev"], ended["exit_code"], ended["kind"]) == ("exited", 4, "exited")
    _until(lambda: len(keeper.markers()) == 2)
    assert [(record["m"], record["id"], record["fence"]) for record in keeper.markers()] == [
        ("started", "a", 1),
        ("exited", "a", 1),
    ]


def test_the_socket_is_the_owners_only(keeper: Keeper) -> None:
    assert (keeper.folder / "sock").stat().st_mode & 0o777 == 0o600


def test_an_end_is_kept_until_it_is_forgotten(keeper: Keeper) -> None:
    keeper.start("a", "true")
    keeper.event()
    keeper.socket.close()
    assert [record["id"] for record in keeper.connect()["exits"]] == ["a"]
    keeper.send({"op": "forget", "ids": ["a"]})
    keeper.send({"op": "status"})
    assert keeper.event()["exits"] == []


def test_a_start_asked_twice_runs_once(keeper: Keeper, tmp_path: Path) -> None:
    first = keeper.start("a", "sh", "-c", "echo x; sleep 0.3")
    keeper.send(
        {"op": "start", "id": "a", "fence": 1, "argv": ["true"], "env": {}, "cwd": "/", "stdout": "", "stderr": ""}
    )
    again = keeper.event()
    assert again["pid"] == first["pid"]
    assert keeper.event()["ev"] == "exited"
    assert (tmp_path / "a" / "stdout").read_text() == "x\n"


def test_a_malformed_request_does_not_end_the_keeper(keeper: Keeper) -> None:
    keeper.socket.sendall(b'not json\n{"op": "dance"}\n{"op": "start"}\n[]\n')
    assert [keeper.event()["ev"] for _ in range(4)] == ["malformed"] * 4
    keeper.start("a", "true")
    assert keeper.event()["exit_code"] == 0


@pytest.mark.parametrize("argv", [[], [""], ["a\0b"]])
def test_a_command_that_cannot_be_is_told_and_costs_nothing_else(keeper: Keeper, argv: list[str]) -> None:
    keeper.start("a", *argv)
    assert keeper.event()["kind"] == "setup_failed"
    keeper.start("b", "true")
    assert keeper.event()["exit_code"] == 0


@pytest.mark.parametrize("private", [True, False])
def test_a_killed_keeper_takes_every_process_along(keeper: Keeper, private: bool) -> None:
    mark = _mark()
    keeper.start("a", "sleep", mark, private=private)
    keeper.start("b", "sleep", mark, private=private)
    _until(lambda: len(processes_with(mark)) >= 2)
    keeper.process.send_signal(signal.SIGKILL)
    assert gone(mark)


@pytest.mark.parametrize("private", [True, False])
def test_sigterm_comes_first_and_sigkill_after_the_grace(keeper: Keeper, tmp_path: Path, private: bool) -> None:
    keeper.start("polite", "sh", "-c", "trap 'exit 9' TERM; echo up; sleep 100 & wait", private=private)
    keeper.start("deaf", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done", private=private)
    told = [tmp_path / name / "stdout" for name in ("polite", "deaf")]
    _until(lambda: all(path.exists() and path.read_text() == "up\n" for path in told))
    for name, grace_s in (("polite", 60), ("deaf", 0.2)):
        keeper.send({"op": "end", "id": name, "fence": 1, "grace_s": grace_s})
    ends = {event["id"]: event for event in (keeper.event(), keeper.event())}
    assert (ends["polite"]["exit_code"], ends["polite"]["ended_for"]) == (9, "asked")
    assert (ends["deaf"]["exit_code"], ends["deaf"]["ended_for"]) == (137, "asked")


@pytest.mark.needs("control groups")
@pytest.mark.parametrize("private", [True, False])
def test_the_kernel_ends_a_command_that_outgrows_its_memory_and_the_next_one_is_not_blamed(
    keeper: Keeper, private: bool
) -> None:
    assert keeper.hello["groups"] in (1, 2)
    grow = ["python3", "-c", "x = bytearray(400_000_000); print('grew')"]
    keeper.start("a", *grow, private=private, memory_bytes=100_000_000, cpu_millis=1000)
    ended = keeper.event()
    assert (ended["ended_for"], ended["exit_code"]) == ("memory", 137)
    keeper.start("b", "sh", "-c", "exit 3", private=private, memory_bytes=100_000_000, cpu_millis=1000)
    ended = keeper.event()
    assert (ended["ended_for"], ended["exit_code"]) == ("", 3)
    keeper.start("c", *grow, private=private, cpu_millis=1000)  # it asked for no memory limit
    assert keeper.event()["exit_code"] == 0


@pytest.mark.needs("control groups")
def test_a_keeper_leaves_no_control_group(keeper: Keeper) -> None:
    keeper.start("a", "true", memory_bytes=100_000_000, cpu_millis=1000)
    keeper.event()
    bases = set(groups_found().bases.values())
    mine = f"fubini-{keeper.process.pid}-"
    assert any(name.startswith(mine) for base in bases for name in os.listdir(base))
    keeper.send({"op": "shutdown"})
    keeper.process.wait(60)
    assert not any(name.startswith(mine) for base in bases for name in os.listdir(base))


def test_an_end_with_another_fence_is_not_heard(keeper: Keeper) -> None:
    keeper.start("a", "sleep", "0.5")
    keeper.send({"op": "end", "id": "a", "fence": 2, "grace_s": 0.0})
    assert keeper.event()["exit_code"] == 0


def test_two_commands_after_each_other_share_nothing(keeper: Keeper, tmp_path: Path) -> None:
    mark = _mark()
    keeper.start("a", "sh", "-c", f"echo secret > /tmp/left; setsid sleep {mark} & exit 0")
    first = keeper.event()
    keeper.start("b", "sh", "-c", f"cat /tmp/left; ps ax | grep -c 'sleep {mark}$'")
    keeper.event()
    assert first["exit_code"] == 0
    assert (tmp_path / "b" / "stdout").read_text().strip() == "0"
    assert gone(mark)


def test_no_capability_and_no_way_to_the_host(keeper: Keeper, tmp_path: Path) -> None:
    keeper.start(
        "a", "sh", "-c",
        "grep CapEff /proc/self/status; touch /usr/x /etc/x /bin/x; mount -t tmpfs none /mnt; umount /usr; "
        "mknod /tmp/d b 254 0; kill -9 1; cat /proc/1/environ; ls /proc/1/root/; echo still here",
    )  # fmt: skip
    assert keeper.event()["exit_code"] == 0
    text = (tmp_path / "a" / "stdout").read_text()
    assert "0000000000000000" in text
    assert text.endswith("still here\n")
    assert not os.path.exists("/usr/x")
    assert not os.path.exists("/etc/x")
    errors = (tmp_path / "a" / "stderr").read_text()
    assert errors.count("Read-only file system") >= 2
    assert "/mnt" in errors


def test_files_that_only_root_may_read_are_hidden_even_in_an_overlay(keeper: Keeper, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert private_root.root_only_files() == []
        return
    script = (
        "for file in /etc/shadow /etc/gshadow /etc/ssh/*_key; do test ! -s $file || echo seen $file; done; echo end"
    )
    keeper.start("a", "sh", "-c", script)
    assert keeper.event()["exit_code"] == 0
    over = tmp_path / "over"
    for part in ("up", "work"):
        (over / part).mkdir(parents=True)
    plan = [["/etc", str(over / "up"), str(over / "work"), "/etc"]]
    keeper.overlays = plan
    keeper.start("b", "sh", "-c", script)
    assert keeper.event()["exit_code"] == 0
    for name in ("a", "b"):
        assert (name, (tmp_path / name / "stdout").read_text()) == (name, "end\n")


def test_a_large_marker_file_is_rewritten_without_what_was_forgotten(keeper: Keeper) -> None:
    for index in range(5):
        keeper.start(f"a{index}", "true", note={"pad": "x" * 1_000_000})
        keeper.event()
        keeper.send({"op": "forget", "ids": [f"a{index}"]})
    keeper.start("last", "true")
    keeper.event()
    _until(lambda: "last" in {record["id"] for record in keeper.markers()})
    [path] = keeper.folder.glob("markers-*.log")
    assert path.stat().st_size < 4_100_000


def test_a_second_keeper_on_the_folder_is_refused(keeper: Keeper) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, str(EDGE_AGENT), str(keeper.folder)], capture_output=True, check=False
    )
    assert done.returncode != 0
    assert b"another keeper" in done.stderr
    assert alive(keeper.process.pid)


def test_shutdown_ends_everything(keeper: Keeper) -> None:
    mark = _mark()
    keeper.start("a", "sleep", mark)
    keeper.send({"op": "shutdown"})
    assert keeper.process.wait(60) == 0
    assert gone(mark)


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import fubini_agent.keeper; print(' '.join(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(EDGE_AGENT)], capture_output=True, text=True, check=True
    )
    assert not {"asyncio", "typing", "pydantic", "httpx", "subprocess", "logging"} & set(done.stdout.split())


# --- several containers -------------------------------------------------------------------------------------------


def _containers(keeper: Keeper, name: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    top = keeper.folder.parent / name
    listed = [
        {
            "env": {"PATH": "/usr/bin:/bin"}, "cwd": "/", "kind": "main", **part,
            "stdout": str(top / f"{part['name']}.out"), "stderr": str(top / f"{part['name']}.err"),
        }
        for part in parts
    ]  # fmt: skip
    return keeper.start(name, "true", containers=listed, **more)


def test_containers_share_one_root_and_run_in_order_with_a_marker_each(keeper: Keeper, tmp_path: Path) -> None:
    _containers(
        keeper,
        "a",
        {"name": "first", "kind": "init", "argv": ["sh", "-c", "echo 1 >> /tmp/log"]},
        {"name": "main", "argv": ["sh", "-c", "echo 3 >> /tmp/log; cat /tmp/log"], "after": ["warm"]},
        {"name": "warm", "argv": ["sh", "-c", "echo 2 >> /tmp/log"]},
    )
    ended = keeper.event()
    assert (ended["exit_code"], ended["containers"]) == (0, {"first": 0, "main": 0, "warm": 0})
    assert (tmp_path / "a" / "main.out").read_text() == "1\n2\n3\n"
    codes = [
        (record["name"], record["exit_code"]) for record in keeper.markers() if record["m"].startswith("container:")
    ]
    assert codes == [("first", 0), ("warm", 0), ("main", 0)]


def test_a_container_runs_again_in_the_same_root(keeper: Keeper) -> None:
    script = "echo x >> /tmp/tries; [ $(wc -l < /tmp/tries) -ge 3 ]"
    _containers(keeper, "a", {"name": "main", "argv": ["sh", "-c", script], "runs": 3, "delay_s": 0.01})
    assert keeper.event()["containers"] == {"main": 0}


def test_a_sidecar_is_there_before_main_and_ended_after_it(keeper: Keeper) -> None:
    mark = _mark()
    ready = "until [ -e /tmp/ready ]; do sleep 0.01; done"
    _containers(
        keeper,
        "a",
        {"name": "main", "argv": ["sh", "-c", ready]},
        {"name": "side", "kind": "sidecar", "argv": ["sh", "-c", f"touch /tmp/ready; exec sleep {mark}"]},
    )
    assert keeper.event()["containers"] == {"main": 0, "side": 143}
    assert gone(mark)


def test_a_deaf_sidecar_is_killed_after_the_grace(keeper: Keeper) -> None:
    mark = _mark()
    deaf = f"trap '' TERM; touch /tmp/ready; while :; do sleep {mark}; done"
    _containers(
        keeper,
        "a",
        {"name": "main", "argv": ["sh", "-c", "until [ -e /tmp/ready ]; do sleep 0.01; done"]},
        {"name": "side", "kind": "sidecar", "argv": ["sh", "-c", deaf]},
        grace_s=0.1,
    )
    assert keeper.event()["containers"] == {"main": 0, "side": 137}
    assert gone(mark)


def test_an_end_ends_all_containers_and_starts_no_other(keeper: Keeper, tmp_path: Path) -> None:
    mark = _mark()
    _containers(
        keeper,
        "a",
        {"name": "main", "argv": ["sh", "-c", f"touch /tmp/up; exec sleep {mark}"], "runs": 5},
        {"name": "next", "argv": ["touch", "/tmp/never"], "after": ["main"]},
        {"name": "side", "kind": "sidecar", "argv": ["sleep", mark]},
    )
    _until(lambda: (tmp_path / "a" / "upper" / "tmp" / "up").exists())
    keeper.send({"op": "end", "id": "a", "fence": 1, "grace_s": 5})
    ended = keeper.event()
    assert (ended["ended_for"], ended["containers"]) == ("asked", {"main": 143, "side": 143})
    assert gone(mark)
    assert not (tmp_path / "a" / "upper" / "tmp" / "never").exists()


def test_containers_that_outlive_the_grace_are_killed_and_said_to_be(keeper: Keeper, tmp_path: Path) -> None:
    mark = _mark()
    deaf = f"trap '' TERM; touch /tmp/up; while :; do sleep {mark}; done"
    _containers(keeper, "a", {"name": "one", "argv": ["true"]}, {"name": "main", "argv": ["sh", "-c", deaf]})
    _until(lambda: (tmp_path / "a" / "upper" / "tmp" / "up").exists())
    keeper.send({"op": "end", "id": "a", "fence": 1, "grace_s": 0.1})
    assert keeper.event()["containers"] == {"one": 0, "main": 137}
    assert gone(mark)


def test_an_init_runs_plain_commands_again_after_containers(keeper: Keeper, tmp_path: Path) -> None:
    _containers(keeper, "a", {"name": "main", "argv": ["sh", "-c", "exit 3"]})
    assert (keeper.event()["exit_code"]) == 3
    first = keeper.start("b", "sh", "-c", "exit 4")
    assert (first["ev"], keeper.event()["exit_code"]) == ("started", 4)
    keeper.start("c", "sh", "-c", "touch /tmp/up; exec sleep 60")
    _until(lambda: (tmp_path / "c" / "upper" / "tmp" / "up").exists())
    keeper.send({"op": "end", "id": "c", "fence": 1, "grace_s": 5})
    assert keeper.event()["signal"] == signal.SIGTERM


def test_a_killed_keeper_takes_all_containers_along(keeper: Keeper, tmp_path: Path) -> None:
    mark = _mark()
    parts = [{"name": name, "argv": ["sh", "-c", f"touch /tmp/{name}; exec sleep {mark}"]} for name in ("main", "b")]
    _containers(keeper, "a", *parts)
    _until(lambda: all((tmp_path / "a" / "upper" / "tmp" / name).exists() for name in ("main", "b")))
    keeper.process.kill()
    assert gone(mark)


def test_a_shared_directory_is_written_by_two_steps_and_no_link_in_it_is_followed(
    keeper: Keeper, tmp_path: Path
) -> None:
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    disk.mkdir()
    outside.mkdir()
    keeper.shared = [[str(disk), "sub/deep", "/w", False]]
    keeper.start("a", "sh", "-c", "echo a > /w/from-a")
    assert keeper.event()["exit_code"] == 0
    assert (disk / "sub" / "deep" / "from-a").read_text() == "a\n"
    keeper.start("b", "sh", "-c", "cat /w/from-a && echo b > /w/from-b")
    assert keeper.event()["exit_code"] == 0
    (disk / "trap").symlink_to(outside)
    keeper.shared = [[str(disk), "trap", "/w", False]]
    keeper.start("c", "sh", "-c", "echo c > /w/from-c")
    assert keeper.event()["kind"] == "setup_failed"
    assert not list(outside.iterdir())


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
