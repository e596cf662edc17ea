"""A PostgreSQL database dumped and restored by its own programs, `pg_dump` and `pg_restore`.

Decides how they are called and when they may be: a dump is one consistent picture, taken while the server works; a restore
is one transaction into a database without tables. The password goes to them in a file of its own that only we can read,
never in arguments or the environment. What else is in an archive is decided in `archive.py`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fubini.supervisor.errors import SupervisorError

_COMMON = ("--no-password", "--no-owner", "--no-privileges")


class Server:
    """A database of a server, as `FUBINI_DATABASE_URL` or Django's settings name it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    @classmethod
    def of_url(cls, url: str) -> Server | None:
        """The server a URL names; None for SQLite.

        Raises:
            SupervisorError: it is a database of another kind.
        """
        import environ

        config = environ.Env.db_url_config(url)
        if config["ENGINE"] == "django.db.backends.sqlite3":
            return None
        if not config["ENGINE"].endswith("postgresql"):
            raise SupervisorError(
                "this command knows SQLite and PostgreSQL, and FUBINI_DATABASE_URL names neither",
                why=f"it begins with {url.partition(':')[0]!r}",
                try_="use the database's own tools",
                exit_code=2,
            )
        return cls(config)

    def __str__(self) -> str:
        """Without user and password, for people."""
        host, port = self._config.get("HOST") or "the local socket", self._config.get("PORT")
        return f"{self._config['NAME']} at {host}{f':{port}' if port else ''}"

    def dump(self, target: Path) -> None:
        """Write the whole database to a new file, in pg_dump's own format.

        Raises:
            SupervisorError: there is no `pg_dump` here, or it could not.
        """
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # before there is anything in it
        self._run("pg_dump", "--format=custom", f"--file={target}")

    def restore(self, source: Path) -> None:
        """Fill the database from such a file, wholly or not at all.

        Raises:
            SupervisorError: the database has tables, there is no `pg_restore` here, or it could not.
        """
        self.check_empty()
        self._run("pg_restore", "--exit-on-error", "--single-transaction", last=str(source))

    def check_empty(self) -> None:
        """Is there anything that a restore would mix with?

        Raises:
            SupervisorError: there is, or the database cannot be opened.
        """
        import psycopg

        try:
            with self._conninfo() as conninfo, psycopg.connect(conninfo, connect_timeout=20) as connection:
                found = connection.execute(
                    "SELECT schemaname || '.' || tablename FROM pg_tables "
                    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 1"
                ).fetchone()
        except psycopg.OperationalError as error:
            raise SupervisorError(
                f"the database {self} cannot be opened",
                why=str(error).strip(),
                try_="check the server and FUBINI_DATABASE_URL",
            ) from error
        if found is not None:
            raise SupervisorError(
                f"the database {self} is not empty",
                why=f"it has tables, such as {found[0]}; a restore never overwrites a database",
                try_="make a new one (createdb NAME) and name it in FUBINI_DATABASE_URL",
                exit_code=5,
            )

    def _run(self, name: str, *argv: str, last: str = "") -> None:
        program = shutil.which(name)
        if program is None:
            raise SupervisorError(
                f"there is no {name} here",
                why="PostgreSQL's own programs copy its databases",
                try_="install them, of the server's version or newer: apt install postgresql-client",
            )
        with self._conninfo() as conninfo:
            done = subprocess.run(
                [program, *_COMMON, *argv, f"--dbname={conninfo}", *([last] if last else [])],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, env=_environment(),
            )  # fmt: skip
        if done.returncode:
            raise SupervisorError(
                f"{name} could not copy the database {self}",
                why=" ".join(done.stderr.split())[:600] or f"it ended with {done.returncode}",
                try_=f"check the server; {name} must be of its version or newer ({name} --version)",
            )

    @contextlib.contextmanager
    def _conninfo(self) -> Iterator[str]:
        """How libpq is told where to connect, good while the password's file exists."""
        from psycopg.conninfo import make_conninfo
        from psycopg.pq import Conninfo

        known = {option.keyword.decode() for option in Conninfo.get_defaults()}
        asked = {k: v for k, v in (self._config.get("OPTIONS") or {}).items() if k in known and k != "password"}
        named = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "NAME"}
        asked |= {keyword: self._config[key] for keyword, key in named.items() if self._config.get(key)}
        password = str(self._config.get("PASSWORD") or "")
        if not password:
            yield make_conninfo(**asked)
            return
        if "\n" in password:
            raise SupervisorError(
                "the database's password has a line break",
                why="a password file has one line for each",
                try_="give the user another password",
            )
        handle, path = tempfile.mkstemp(prefix="fubini-pgpass-")  # made 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n")
            yield make_conninfo(**asked, passfile=path)
        finally:
            Path(path).unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Ours without what is only ours to know: the database's URL and the keys are there as well."""
    return {k: v for k, v in os.environ.items() if not k.startswith("FUBINI_") and k != "PGPASSWORD"}
