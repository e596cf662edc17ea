"""Starting, stopping and surviving: the supervisor with real processes, each test on a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fubini.common.home import Home, alive, read_json, start_ticks
from tests.support.cli import Cli, cli_on
from tests.support.stack import keeper_pids

pytestmark = pytest.mark.needs("linux")

SLEEPS = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: sleeps-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: nap, template: nap, withSequence: {count: "2"}}]]
  - name: nap
    script: {image: busybox, command: [sh], source: "sleep 8; echo rested"}
"""


@pytest.fixture
def fubini(tmp_path: Path) -> Iterator[Cli]:
    """The command line on a fresh folder; whatever was started on it is stopped in the end."""
    cli = cli_on(tmp_path / "home")
    yield cli
    cli("down")


def up(cli: Cli, *more: str) -> dict[str, Any]:
    return cli.ok("up", "--detach", "--port", "0", "--json", *more).json()


def record(cli: Cli, name: str) -> dict[str, Any]:
    return read_json(cli.home / "run" / f"{name}.json") or {}


def until(condition: Callable[[], Any], within_s: float = 120.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
    return found


def steps_running(cli: Cli, run_id: str) -> list[Any]:
    nodes: list[Any] = cli.ok("run", "get", run_id, "--nodes", "--json").json()["nodes"]
    return [node for node in nodes if node["type"] == "Pod" and node["phase"] == "Running"]


def test_the_state_folder_is_private_and_so_is_everything_secret_in_it(fubini: Cli) -> None:
    up(fubini, "--no-sites")
    assert stat.S_IMODE(fubini.home.stat().st_mode) == 0o700
    for name in ("secret.key", "admin.token", "admin.password", "db.sqlite3"):
        assert stat.S_IMODE((fubini.home / name).stat().st_mode) == 0o600, name


def test_a_taken_port_is_named_with_the_flag_that_helps(fubini: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = fubini("up", "--detach", "--port", str(port))
    assert ran.code == 5
    assert f"port {port} on 127.0.0.1 is taken" in ran.err and "--port" in ran.err and "Traceback" not in ran.err


def test_a_second_supervisor_on_one_folder_is_told_who_holds_it(fubini: Cli) -> None:
    first = up(fubini, "--no-sites")
    ran = fubini("up", "--detach", "--port", "0")
    assert ran.code == 5
    assert str(first["pid"]) in ran.err and "fubini down" in ran.err
    # Also in the foreground, where only the lock speaks.
    ran = fubini("up", "--port", "0")
    assert ran.code == 5 and str(first["pid"]) in ran.err


def test_every_child_that_is_killed_comes_back_and_work_goes_on(fubini: Cli, tmp_path: Path) -> None:
    up(fubini)
    manifest = tmp_path / "m.yaml"
    manifest.write_text(SLEEPS)
    run = fubini.ok("run", "submit", str(manifest), "--json").json()
    for name in ("web", "dispatch", "worker", "agent-edge", "agent-hpc", "agent-cloud"):
        before = record(fubini, name)
        os.kill(before["pid"], signal.SIGKILL)
        until(lambda name=name, before=before: record(fubini, name).get("pid") not in {None, before["pid"]})
        assert record(fubini, name)["restarts"] == before["restarts"] + 1
    assert fubini.ok("run", "watch", run["id"], "--timeout", "240", "--json").json()["state"] == "succeeded"
    budget = fubini.ok("budget", "--json").json()
    assert budget["held_micros"] == 0


def test_a_killed_supervisor_takes_its_core_along_and_the_next_one_recovers(fubini: Cli, tmp_path: Path) -> None:
    first = up(fubini)
    manifest = tmp_path / "m.yaml"
    manifest.write_text(SLEEPS)
    run = fubini.ok("run", "submit", str(manifest), "--json").json()
    until(lambda: len(steps_running(fubini, run["id"])) == 2)  # a lease under way when all is killed is given anew
    core = [record(fubini, name) for name in ("web", "dispatch", "worker")]
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: not any(alive(r) for r in core))
    agents = [record(fubini, f"agent-{name}") for name in ("edge", "hpc", "cloud")]
    assert all(alive(r) for r in agents), "agents finish what they hold"
    up(fubini)
    assert not any(alive(r) for r in agents), "the next supervisor has ended them by their records"
    ended = fubini.ok("run", "watch", run["id"], "--timeout", "240", "--json").json()
    assert ended["state"] == "succeeded"
    attempts = fubini.ok("run", "get", run["id"], "--costs", "--json").json()["costs"]
    assert sum(row["attempts"] for row in attempts) == 2, "no step had to run twice"


def test_down_leaves_no_process(fubini: Cli, tmp_path: Path) -> None:
    up(fubini)
    manifest = tmp_path / "m.yaml"
    manifest.write_text(SLEEPS)
    run = fubini.ok("run", "submit", str(manifest), "--json").json()
    until(lambda: steps_running(fubini, run["id"]) and keeper_pids(fubini.home))
    records = [read_json(path) for path in (fubini.home / "run").glob("*.json")]
    keepers = keeper_pids(fubini.home)
    assert len(records) == 7 and keepers
    fubini.ok("down")
    assert not any(alive(r) for r in records)
    assert not keeper_pids(fubini.home)
    assert fubini.ok("down").code == 0


def test_a_record_never_gets_a_process_killed_that_only_has_the_same_pid(fubini: Cli) -> None:
    home = Home(fubini.home)
    home.make()
    me = os.getpid()
    (home.run / "web.json").write_text(
        json.dumps({"pid": me, "start_ticks": (start_ticks(me) or 0) - 1, "name": "web"})
    )
    fubini.ok("down")  # would have ended this test


def test_status_turns_red_when_dispatch_hangs_though_web_answers(fubini: Cli) -> None:
    up(fubini, "--no-sites")
    assert fubini.ok("status", "--json").json()["ready"]
    pid = record(fubini, "dispatch")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        ran = until(lambda: (r := fubini("status")).code == 1 and r)
        assert "dispatch" in ran.out and "NOT ready" in ran.out
        assert fubini("doctor").code == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: fubini("status").code == 0)


def test_a_newer_database_is_refused_and_left_alone(fubini: Cli) -> None:
    up(fubini, "--no-sites")
    fubini.ok("down")
    with sqlite3.connect(fubini.home / "db.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('fubini_runs', '9999_future', '2030-01-01')"
        )
    for command in (("up", "--detach", "--port", "0"), ("migrate",)):
        ran = fubini(*command)
        assert ran.code == 5
        assert "newer than this code" in ran.err and "9999_future" in ran.err and "Traceback" not in ran.err


def older(home: Path) -> None:
    """Take one app's tables away, as if the code that brings them were new."""
    with sqlite3.connect(home / "db.sqlite3") as database:
        tables = [
            r[0]
            for r in database.execute(
                "SELECT name FROM sqlite_master WHERE name LIKE 'fubini_audit_%' AND type='table'"
            )
        ]
        assert tables
        for table in tables:
            database.execute(f"DROP TABLE {table}")
        database.execute("DELETE FROM django_migrations WHERE app = 'fubini_audit'")


def test_an_older_database_is_upgraded_with_a_backup_taken_first(fubini: Cli) -> None:
    up(fubini, "--no-sites")
    fubini.ok("down")
    older(fubini.home)
    ran = fubini("up", "--detach", "--port", "0", "--no-migrate", "--no-sites")
    assert ran.code == 5 and "older than this code" in ran.err and "fubini migrate" in ran.err
    done = fubini.ok("migrate", "--json").json()
    assert done["changed"] and "backup" in done["text"]
    saved = list((fubini.home / "backups").glob("before-upgrade-*.sqlite3"))
    assert len(saved) == 1
    with sqlite3.connect(saved[0]) as database:
        assert database.execute("SELECT count(*) FROM fubini_projects_project").fetchone() == (1,)
    up(fubini, "--no-sites")
    assert fubini.ok("admin", "audit", "--json").code == 0


def test_a_folder_of_a_newer_format_is_refused(fubini: Cli) -> None:
    Home(fubini.home).make()
    (fubini.home / "version.json").write_text('{"format": 999, "fubini": "9.9"}')
    ran = fubini("up", "--detach", "--port", "0")
    assert ran.code == 5 and "newer than this code" in ran.err


def test_a_backup_taken_while_it_runs_restores_into_an_empty_folder(fubini: Cli, tmp_path: Path) -> None:
    up(fubini, "--no-sites")
    data = tmp_path / "data.txt"
    data.write_text("to be kept")
    fubini.ok("data", "import", str(data), "--name", "kept")
    fubini.ok("admin", "budget", "add", "demo", "1.5")
    archive = tmp_path / "backup.tar.gz"
    fubini.ok("backup", str(archive))
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert fubini("backup", str(archive)).code == 5, "a backup never replaces a file"
    assert fubini("restore", str(archive)).code == 5, "a restore never overwrites a database"
    other = cli_on(tmp_path / "other")
    other.ok("restore", str(archive))
    try:
        up(other, "--no-sites")
        assert other.ok("budget", "--json").json()["budget_micros"] == 21_500_000
        other.ok("data", "get", "kept", "--to", str(tmp_path / "out"))
        assert (tmp_path / "out" / "kept").read_text() == "to be kept"
    finally:
        other("down")


def test_a_foreign_archive_restores_nothing(fubini: Cli, tmp_path: Path) -> None:
    import io
    import tarfile

    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("objects/../../escaped")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    ran = fubini("restore", str(archive))
    assert ran.code == 1 and "is not a backup of Fubini" in ran.err
    assert not (tmp_path / "escaped").exists() and not (fubini.home / "db.sqlite3").exists()


def test_the_same_administrator_token_works_after_a_restart(fubini: Cli) -> None:
    up(fubini, "--no-sites")
    token = (fubini.home / "admin.token").read_text()
    fubini.ok("down")
    up(fubini, "--no-sites")
    assert (fubini.home / "admin.token").read_text() == token
    assert fubini.ok("whoami", "--json").json()["is_admin"]
