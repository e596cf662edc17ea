"""The supervisor's commands and how their failures look."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from fubini.common.home import DEFAULT_PORT, Home, home_path
from fubini.supervisor.errors import SupervisorError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="fubini", description="The embedded set of processes and its state folder.")
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument(
            "--home", type=Path, help="the state folder (default: $FUBINI_HOME or .fubini of the checkout)"
        )
        return sub

    up = command("up", "start web, dispatch, worker and the local sites' agents")
    up.add_argument(
        "--port", type=int, default=None, help=f"port of the one URL (default {DEFAULT_PORT}; 0 = any free)"
    )
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    up.add_argument("--detach", action="store_true", help="return when it is ready and leave it running")
    up.add_argument("--no-migrate", action="store_true", help="refuse an older database instead of upgrading it")
    up.add_argument("--no-sites", action="store_true", help="start without the three local sites")
    up.add_argument("--ready-fd", type=int, default=None, help=argparse.SUPPRESS)
    up.add_argument("--json", action="store_true")
    down = command("down", "stop what `up` started")
    down.add_argument("--json", action="store_true")
    down.add_argument("--keep-steps", action="store_true", help="let running steps go on under their keepers")
    prepare = command("prepare", "make or upgrade the database and what must be in it")
    prepare.add_argument("--no-migrate", action="store_true")
    prepare.add_argument("--no-sites", action="store_true")
    migrate = command("migrate", "bring the database to this code's version, with a backup taken first")
    migrate.add_argument("--json", action="store_true")
    backup = command("backup", "write database, objects, keys and agents' credentials into one archive")
    backup.add_argument("file", type=Path)
    backup.add_argument("--json", action="store_true")
    restore = command("restore", "fill an empty state folder from a backup")
    restore.add_argument("file", type=Path)
    restore.add_argument("--json", action="store_true")
    return top


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    home = Home(options.home.expanduser().resolve() if options.home else home_path(os.environ))
    os.environ["FUBINI_HOME"] = str(home.path)
    os.umask(0o077)  # whatever is made below is for its owner only
    try:
        return dispatch(options, home)
    except SupervisorError as error:
        ready_fd = getattr(options, "ready_fd", None)
        if ready_fd is not None:
            line = {"error": {"what": error.what, "why": error.why, "try": error.try_, "exit_code": error.exit_code}}
            os.write(ready_fd, (json.dumps(line) + "\n").encode())
        print(error.text(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def dispatch(options: argparse.Namespace, home: Home) -> int:
    """Run one command; heavy imports happen only where they are needed."""
    if options.command == "up":
        from fubini.supervisor import up

        return up.up(options, home)
    if options.command == "down":
        from fubini.supervisor import up

        return up.down(options, home)
    if options.command == "prepare":
        from fubini.supervisor.database import prepare

        return prepare(home, migrate=not options.no_migrate, sites=not options.no_sites)
    from fubini.supervisor import archive

    return archive.run(options, home)
