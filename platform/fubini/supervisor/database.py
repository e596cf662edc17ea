"""The database's version and what must be in it; runs in a process of its own, with Django.

Decides between three cases by comparing the migrations the database has with those this code brings: the same (go on),
older (back up, then upgrade), newer (refuse: this code would not understand its rows).
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from fubini.common.home import Home
from fubini.supervisor.errors import SupervisorError
from fubini.supervisor.folder import version_text
from fubini.supervisor.server import Server

BACKUPS_KEPT = 5


def django_ready() -> None:
    """Load the settings and the apps once."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.dev")
    import django

    django.setup()


def prepare(home: Home, *, migrate: bool, sites: bool) -> int:
    """Upgrade and bootstrap; the last line of standard output is a JSON object for the supervisor."""
    said: list[str] = []
    answer: dict[str, Any] = {}
    try:
        django_ready()
        database_check()
        upgraded = database_migrate(home, allowed=migrate)
        if upgraded:
            said.append(upgraded)
        from fubini.supervisor.bootstrap import bootstrap

        answer = bootstrap(home, sites=sites)
        said += answer.pop("said", [])
    except SupervisorError as error:
        found = {"what": error.what, "why": error.why, "try": error.try_, "exit_code": error.exit_code}
        print(json.dumps({"error": found}))
        return error.exit_code
    print(json.dumps({**answer, "said": said}))
    sys.stdout.flush()
    return 0


def database_check() -> None:
    """Assert what the rest relies on, at boot: it opens, and on SQLite it waits for locks and has a write-ahead log.

    Raises:
        SupervisorError: the database cannot be used as it is.
    """
    from django.db import DatabaseError, connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            if connection.vendor != "sqlite":
                return
            found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "busy_timeout")}
    except DatabaseError as error:
        raise SupervisorError(
            "the database cannot be opened",
            why=str(error),
            try_="check the disk and FUBINI_DATABASE_URL, or restore a backup with: fubini restore FILE",
        ) from error
    if found["journal_mode"] != "wal" or int(found["busy_timeout"]) < 5000:
        raise SupervisorError(
            "SQLite does not work as Fubini needs it here",
            why=f"it answers {found}; a write-ahead log and a busy timeout of at least 5000 ms are needed",
            try_="move the state folder to a local disk (network file systems cannot do it): --home DIR",
        )


def database_migrate(home: Home, *, allowed: bool) -> str:
    """Bring the tables to this code's version; a sentence when something was done.

    Raises:
        SupervisorError: the database is newer, or older and `allowed` is False.
    """
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    loader = executor.loader
    applied = set(loader.applied_migrations)
    known = set(loader.disk_migrations)
    ours = {app for app, _ in known}
    unknown = sorted(
        f"{app}.{name}" for app, name in applied - known if app in ours and not _replaced(loader, app, name)
    )
    if unknown:
        raise SupervisorError(
            "the database is newer than this code",
            why=f"it has {len(unknown)} change(s) Fubini {version_text()} does not know, such as {unknown[-1]}",
            try_="run the newer checkout, or restore an older backup: fubini restore FILE --home EMPTY_DIR",
            exit_code=5,
        )
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return ""
    fresh = not any(app.startswith("fubini_") for app, _ in applied)
    if not fresh and not allowed:
        raise SupervisorError(
            "the database is older than this code",
            why=f"{len(plan)} change(s) are to be made first, such as {plan[-1][0]}",
            try_="fubini migrate   (takes a backup first), or start with: fubini up",
            exit_code=5,
        )
    saved = "" if fresh else database_backup(home)
    call_command("migrate", interactive=False, verbosity=0)
    if fresh:
        return "made a new database"
    return f"upgraded the database by {len(plan)} change(s); {saved}"


def _replaced(loader: Any, app: str, name: str) -> bool:
    """Is an applied migration part of a squashed one this code has?"""
    return any((app, name) in migration.replaces for migration in loader.replacements.values())


def database_backup(home: Home) -> str:
    """A consistent copy of the database in the folder's backups, before it is changed; a sentence of where it is.

    A server's database is dumped by `pg_dump`; where that cannot be, the sentence says why there is none: servers have
    backups of their own, and an upgrade must not wait for a program on this machine.
    """
    from django.db import connection

    home.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind = "sqlite3" if connection.vendor == "sqlite" else "pgdump"
    target = home.backups / f"before-upgrade-{time.strftime('%Y%m%d-%H%M%S')}.{kind}"
    if connection.vendor == "sqlite":
        sqlite_copy(Path(str(connection.settings_dict["NAME"])), target)
    else:
        try:
            Server(connection.settings_dict).dump(target)
        except SupervisorError as error:
            target.unlink(missing_ok=True)
            return f"no backup was taken: {error.what} ({error.why})"
    for old in sorted(home.backups.glob(f"before-upgrade-*.{kind}"))[:-BACKUPS_KEPT]:
        old.unlink()
    return f"a backup is in {target}"


def sqlite_copy(source: Path, target: Path) -> None:
    """Copy a live SQLite database by its own backup interface; whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(handle)
    reader = sqlite3.connect(source, timeout=20)
    writer = sqlite3.connect(part)
    try:
        reader.backup(writer)
        # The copy travels alone, without a write-ahead log beside it.
        writer.execute("PRAGMA journal_mode=DELETE")
        bad = writer.execute("PRAGMA quick_check").fetchone()[0]
    finally:
        writer.close()
        reader.close()
    if bad != "ok":
        part.unlink()
        raise SupervisorError(
            "the copy of the database is not sound", why=str(bad), try_="check the disk, then take the backup again"
        )
    part.replace(target)
