"""Running Fubini: up, down, status, doctor, migrate, backup, restore, demo.

What touches the state folder is done by `python -m fubini.supervisor` in a process of its own; here its exit code and
words are passed on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fubini.cli import output
from fubini.cli.client import Client, connect
from fubini.cli.config import OPTIONS, config_path, local_home, local_server, target
from fubini.cli.errors import CliError, Exit
from fubini.common.home import Home, alive, read_json


def add_to(app: typer.Typer) -> None:
    for command in (up, down, status, doctor, migrate, backup, restore, demo, version):
        app.command()(command)


def supervisor(*argv: str) -> int:
    """Run a command of the supervisor on the chosen state folder; its exit code."""
    command = [sys.executable, "-m", "fubini.supervisor", argv[0], "--home", str(local_home().path), *argv[1:]]
    if OPTIONS.json:
        command.append("--json")
    process = subprocess.Popen(command, env=_env())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # it got the interrupt too and says what it does about it


def supervisor_call(home: Home, *argv: str) -> tuple[int, str]:
    """Run a command of the supervisor on a folder and give its exit code and output; its remarks go to standard error."""
    command = [sys.executable, "-m", "fubini.supervisor", argv[0], "--home", str(home.path), *argv[1:]]
    done = subprocess.run(command, env=_env(), stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


def _env() -> dict[str, str]:
    """The environment with our own sources on the path, for checkouts that were never installed."""
    root = Path(__file__).resolve().parents[3]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _or_exit(code: int) -> None:
    if code:
        raise typer.Exit(code)


def up(
    port: Annotated[
        int | None, typer.Option(help="The port of the one URL; 0: any free one.", min=0, max=65535)
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready.")] = False,
    no_migrate: Annotated[bool, typer.Option("--no-migrate", help="Refuse an older database.")] = False,
    no_sites: Annotated[bool, typer.Option("--no-sites", help="Without the three local sites.")] = False,
) -> None:
    """Start Fubini on this machine: web, dispatch, worker and three local sites."""
    argv = ["up", "--host", host]
    argv += ["--port", str(port)] if port is not None else []
    argv += ["--detach"] if detach else []
    argv += ["--no-migrate"] if no_migrate else []
    argv += ["--no-sites"] if no_sites else []
    _or_exit(supervisor(*argv))


def down(
    keep_steps: Annotated[bool, typer.Option("--keep-steps", help="Let running steps go on meanwhile.")] = False,
) -> None:
    """Stop what `up` started."""
    _or_exit(supervisor("down", *(["--keep-steps"] if keep_steps else [])))


def migrate() -> None:
    """Bring the database to this version, with a backup taken first."""
    _or_exit(supervisor("migrate"))


def backup(file: Path) -> None:
    """Write everything that cannot be made again into one archive (it holds secrets); safe while Fubini runs."""
    _or_exit(supervisor("backup", str(file.resolve())))


def restore(file: Path) -> None:
    """Fill an empty state folder from a backup."""
    _or_exit(supervisor("restore", str(file.resolve())))


def demo(
    json_to: Annotated[Path | None, typer.Option(help="Where the figures go (default: build/demo.json).")] = None,
    seed: Annotated[int | None, typer.Option(help="Another random seed than the kit's own.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Fubini running at the end.")] = False,
) -> None:
    """Run the concurrent-learning kit on three local sites, start to finish."""
    from fubini.cli.demo import run_demo

    _or_exit(run_demo(json_to=json_to, seed=seed, keep=keep))


def version() -> None:
    """The version of this command line."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        found = installed("fubini")
    except PackageNotFoundError:
        found = "unknown"
    output.show({"fubini": found}, found)


def local_processes() -> list[dict[str, Any]]:
    """The processes of the local state folder, by their records."""
    folder = local_home().run
    rows = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        record = read_json(path) or {}
        rows.append(
            {
                "name": path.stem,
                "pid": record.get("pid"),
                "running": alive(record),
                "restarts": record.get("restarts", 0),
            }
        )
    return rows


def status() -> None:
    """Does it work? Ages of the last scheduling cycle, of the oldest unheard event and of each agent's sync."""
    client = connect()
    found = client.get("/status")
    processes = local_processes() if client.where.source.startswith("fubini up") else []
    ready = bool(found.get("ready"))
    if OPTIONS.json:
        output.print_json({**found, "url": client.where.url, "processes": processes})
        _or_exit(0 if ready else Exit.FAILED)
        return
    print(output.paint("ready" if ready else "NOT ready", "green" if ready else "red"), client.where.url)
    for problem in found.get("problems", []):
        print(f"  {output.paint('problem', 'red')}  {output.plain(problem)}")

    def age(ms: int | None, none: str = "-") -> str:
        return none if ms is None else f"{output.duration(ms / 1000)} ago"

    print(f"  scheduling cycle  {age(found.get('cycle_age_ms'), 'never')}")
    print(f"  oldest unheard    {age(found.get('oldest_event_age_ms'), 'nothing waits')}")
    print(f"  steps             {found.get('queued', 0)} queued, {found.get('running', 0)} running")
    if found.get("paused"):
        print(f"  {output.paint('paused', 'yellow')}            {output.plain(found['paused'])}")
    for agent in found.get("agents", []):
        state = " (draining)" if agent.get("draining") else " (takes no new work)" if agent.get("refuses") else ""
        print(f"  agent {agent['site']}/{agent['name']}  heard {age(agent.get('sync_age_ms'), 'never')}{state}")
    for row in processes:
        what = "runs" if row["running"] else output.paint("is gone", "red")
        times = f", started again {row['restarts']} time(s)" if row["restarts"] else ""
        print(f"  process {row['name']}  {what} (pid {row['pid']}{times})")
    _or_exit(0 if ready else Exit.FAILED)


def doctor() -> None:
    """Check this machine and the way to the server; each check says what to do when it fails."""
    checks = [*_local_checks(), *_server_checks()]
    if OPTIONS.json:
        output.print_json(checks)
    else:
        for check in checks:
            mark = output.paint("ok  ", "green") if check["ok"] else output.paint("FAIL", "red")
            print(f"{mark}  {check['check']}: {output.plain(check['found'])}")
            if not check["ok"] and check["try"]:
                print(f"      try: {check['try']}")
    if not all(check["ok"] for check in checks):
        raise typer.Exit(Exit.FAILED)


def _check(name: str, ok: bool, found: str, try_: str = "") -> dict[str, Any]:
    return {"check": name, "ok": ok, "found": found, "try": try_}


def _local_checks() -> list[dict[str, Any]]:
    home = local_home()
    checks = [
        _check(
            "Python",
            sys.version_info >= (3, 11),
            ".".join(map(str, sys.version_info[:3])),
            "install Python 3.11 or newer",
        )
    ]
    if home.path.is_dir():
        mode = home.path.stat().st_mode & 0o777
        checks.append(_check("state folder", mode & 0o077 == 0, f"{home.path} ({mode:o})", f"chmod 700 {home.path}"))
        free = shutil.disk_usage(home.path).free
        checks.append(_check("disk", free > 1024**3, f"{output.size(free)} free", "free some room: 1 GiB is little"))
        server = local_server(home)
        remote = elsewhere()
        state = f"runs at {server['url']}" if server else f"not running{' (another server is used)' if remote else ''}"
        checks.append(_check("supervisor", server is not None or remote, state, "fubini up"))
        for row in local_processes() if server else []:
            log = home.log / f"{row['name']}.log"
            checks.append(_check(f"process {row['name']}", row["running"], f"pid {row['pid']}", f"read {log}"))
    else:
        checks.append(_check("state folder", True, f"{home.path} is not there yet (fubini up makes it)"))
    profiles = config_path()
    if profiles.exists():
        mode = profiles.stat().st_mode & 0o777
        checks.append(_check("profiles", mode & 0o077 == 0, f"{profiles} ({mode:o})", f"chmod 600 {profiles}"))
    root = _namespaces()
    checks.append(
        _check(
            "private roots", root, "the kernel allows them" if root else "the kernel refuses user namespaces",
            "sysctl -w kernel.unprivileged_userns_clone=1 (steps with absolute paths cannot run here otherwise)",
        )
    )  # fmt: skip
    return checks


def elsewhere() -> bool:
    """Does this command line speak to a server that is not the local folder's?"""
    try:
        return not target().source.startswith("fubini up")
    except CliError:
        return False


def _namespaces() -> bool:
    try:
        argv = ["unshare", "--user", "--map-root-user", "--mount", "true"]
        return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _server_checks() -> list[dict[str, Any]]:
    try:
        where = target()
    except CliError as error:
        return [_check("server", False, error.what, error.try_)]
    os.environ.setdefault("FUBINI_RETRIES", "1")
    client = Client(where, timeout_s=10.0)
    checks: list[dict[str, Any]] = []
    try:
        client.get("/healthz")
        checks.append(_check("server", True, f"{where.url} answers (known from {where.source})"))
    except CliError as error:
        return [_check("server", False, f"{error.what}: {error.why}", error.try_)]
    try:
        ready = client.send("GET", "/readyz")
        checks.append(_check("platform", True, f"ready; last cycle {ready.get('cycle_age_ms')} ms ago"))
    except CliError as error:
        problems = (error.problem or {}).get("problems", [error.why])
        checks.append(_check("platform", False, "; ".join(problems), "fubini status"))
    try:
        me = client.get("/me")
        checks.append(_check("sign-in", True, f"{me['actor']} with scopes {', '.join(me['scopes'])}"))
    except CliError as error:
        checks.append(_check("sign-in", False, f"{error.what}: {error.why}", error.try_))
    return checks
