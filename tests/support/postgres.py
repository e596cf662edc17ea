"""A private PostgreSQL for tests that need the real one: a cluster in a temporary folder, on a loopback port, with a password.

PostgreSQL refuses to run as root; there the programs run as the packaged `postgres` user, else as nobody else than us.
Tests mark themselves ``@pytest.mark.needs("postgresql")`` and take the fixture `postgres_url`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "c:o\\l on"  # with all that a password file has a meaning for


def _programs() -> Path:
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")).parent


def _as_other_user() -> list[str]:
    """What to put before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """A running server; its URL, with an empty database ``fubini``."""
    programs, before = _programs(), _as_other_user()
    folder = Path(tempfile.mkdtemp(prefix="fubini-pg-"))
    if before:
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, port = folder / "data", _free_port()

    def run(*argv: str) -> None:
        done = subprocess.run([*before, *argv], capture_output=True, text=True, timeout=300, check=False, cwd=folder)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)  # the folder is the server's user's, this file is ours
    run(
        str(programs / "initdb"), "-D", str(data), "-A", "scram-sha-256", f"--pwfile={secret}", "-U", "fubini",
        "--no-sync", "-E", "UTF8",
    )  # fmt: skip
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off -c max_connections=50 -c shared_buffers=16MB"
    run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield database_create(f"postgres://fubini:{quote(PASSWORD)}@127.0.0.1:{port}/postgres", "fubini")
    finally:
        with contextlib.suppress(RuntimeError):
            run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def database_create(url: str, name: str) -> str:
    """An empty database beside the one of a URL; its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a private server, for the whole session."""
    with cluster() as url:
        yield url


def run_on(url: str, module: str, *argv: str, timeout_s: float = 600) -> str:
    """Run ``python -m module`` with its database at `url`, migrated first; what it prints."""
    home = tempfile.mkdtemp(prefix="fubini-pg-home-")
    env = {
        **os.environ,
        "FUBINI_HOME": home,
        "FUBINI_DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "fubini.settings.dev",
        "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in (".", "platform", "scheduler", "edge_agent")),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *argv],
            capture_output=True, text=True, timeout=timeout_s, check=False, env=env, cwd=ROOT,
        )  # fmt: skip
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        raise AssertionError(f"{module} failed: {done.stdout[-3000:]}{done.stderr[-6000:]}")
    return done.stdout
