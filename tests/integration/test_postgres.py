"""What is tried on SQLite all day passes on a real PostgreSQL: services over rows, migrations with rows, texts it cannot hold,
and the way of a whole database into a backup and out of it. More of the tests run on it with `make test-postgres`."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from tests.on_postgres import run_tests
from tests.support.postgres import PASSWORD, database_create, postgres_url
from tests.support.stack import base_env

__all__ = ["postgres_url"]
#: Locks and caches, remote inputs, schedules, and rows carried over by every migration there is.
FILES = (
    "tests/unit/fubini/dispatch/test_locks.py",
    "tests/unit/fubini/dispatch/test_fetching.py",
    "tests/unit/fubini/crons/test_services.py",
    "tests/unit/fubini/common/test_postgres.py",
    "tests/integration/test_migrations.py",
)
pytestmark = pytest.mark.needs("postgresql")


@pytest.fixture(scope="module")
def tested(postgres_url: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """The tests' run, and the URL of the database they leave: every table, and a row of ours."""
    done = run_tests(postgres_url, "--create-db", "--reuse-db", *FILES, timeout_s=800)
    return done, urlsplit(postgres_url)._replace(path="/test_fubini").geturl()


def test_services_and_migrations_pass_on_postgresql(tested: tuple[subprocess.CompletedProcess[str], str]) -> None:
    done, _ = tested
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) >= 60, done.stdout[-500:]
    assert "skipped" not in done.stdout.rpartition("\n\n")[2]


def test_a_backup_of_a_server_restores_into_an_empty_one_and_shows_nobody_its_password(
    tested: tuple[subprocess.CompletedProcess[str], str], tmp_path: Path
) -> None:
    _, source = tested
    home, other, archive = tmp_path / "home", tmp_path / "other", tmp_path / "backup.tar.gz"
    for name, text in {"secret.key": "k", "objects/ab/abcd": "bytes"}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    with psycopg.connect(source) as connection:
        connection.execute("INSERT INTO fubini_events_eventowner (ref) VALUES ('kept')")
    path = witnesses(tmp_path)

    def run(*argv: str, url: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fubini.supervisor", *argv],
            env=base_env(tmp_path, FUBINI_DATABASE_URL=url, PATH=path), capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    saved = run("backup", str(archive), "--home", str(home), "--json", url=source)
    assert saved.returncode == 0, saved.stderr
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    target = database_create(source, "restored")
    restore = ("restore", str(archive), "--home")
    kind = run(*restore, str(tmp_path / "third"), url="sqlite:///x")
    assert kind.returncode == 2 and "a server's dump" in kind.stderr
    assert run(*restore, str(other), url=target).returncode == 0
    assert (other / "secret.key").read_text() == "k" and (other / "objects/ab/abcd").read_text() == "bytes"
    assert content(target) == content(source)
    again = run(*restore, str(tmp_path / "fourth"), url=target)
    assert again.returncode == 5 and "is not empty" in again.stderr, again.stderr
    assert run(*restore, str(other), url=database_create(source, "more")).returncode == 5  # its keys are another's

    seen = [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
    assert [Path(call["argv"][0]).name for call in seen] == ["pg_dump", "pg_restore"]
    assert all(call["mode"] == 0o600 for call in seen), "others could read the password's file"
    assert not any(said in json.dumps(seen) for said in (json.dumps(PASSWORD)[1:-1], quote(PASSWORD)))
    assert not any(Path(call["passfile"]).exists() for call in seen)


def witnesses(folder: Path) -> str:
    """A search path with programs before PostgreSQL's own that write down how they are called, and call those."""
    (folder / "bin").mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = folder / "bin" / name
        program.write_text(f"""#!{sys.executable}
import json, os, re, sys
passfile = re.search(r"passfile=(\\S+)", " ".join(sys.argv))[1]
call = {{"argv": sys.argv, "environ": dict(os.environ), "passfile": passfile, "mode": os.stat(passfile).st_mode & 0o777}}
open({str(folder / "seen")!r}, "a").write(json.dumps(call) + "\\n")
os.environ["PATH"] = os.environ["PATH"].partition(os.pathsep)[2]
os.execvp({name!r}, sys.argv)
""")
        program.chmod(0o755)
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


def content(url: str) -> dict[str, Any]:
    """How many rows each table has, the row of ours, and the next number of its sequence."""
    with psycopg.connect(url) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        found: dict[str, Any] = {}
        for table in sorted(tables):
            row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # type: ignore[arg-type]
            found[table] = row[0] if row else None
        found["ref"] = connection.execute("SELECT id, ref FROM fubini_events_eventowner").fetchall()
        found["next"] = connection.execute("SELECT last_value FROM fubini_events_eventowner_id_seq").fetchone()
    assert len(tables) > 50 and found["ref"]
    return found
