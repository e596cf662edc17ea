"""`fubini-agent`: join, run, status, doctor, offer, stop.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the platform does not want this agent (join again), 4 another agent holds
the folder. Secrets are read from files or standard input; ``--token`` is for a person's one line and warns nobody sees it
in a process list for long, because the token is used up by the join.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from fubini_agent import facts
from fubini_agent.config import Identity, SiteFile, StateFolder, site_file_read, slurm_commands_found
from fubini_agent.drivers.local import RootSupport, probe_private_root
from fubini_agent.environments import Environments, default_site_text
from fubini_agent.errors import AgentError, ConfigError
from fubini_agent.limits import groups_found
from fubini_protocol.v1.messages import PROTOCOL_VERSION, JoinReply, JoinRequest

EXIT_FAILED, EXIT_UNWANTED, EXIT_LOCKED = 1, 3, 4


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def default_folder() -> Path:
    if os.environ.get("FUBINI_AGENT_HOME"):
        return Path(os.environ["FUBINI_AGENT_HOME"])
    return Path(os.environ.get("XDG_STATE_HOME", "~/.local/state")).expanduser() / "fubini-agent"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="fubini-agent", description="Runs the steps a Fubini platform leases to this host."
    )
    top.add_argument("--version", action="version", version=f"fubini-agent {facts.AGENT_VERSION}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--dir", type=Path, default=default_folder(), help="state folder (default: %(default)s)")
        sub.add_argument("--site-file", type=Path, help="TOML file of the site's operator (default: DIR/site.toml)")
        return sub

    join = command("join", "Join a platform with a one-use token.")
    join.add_argument("--url", required=True, help="the platform's URL")
    secret = join.add_mutually_exclusive_group(required=True)
    secret.add_argument("--token-file", help="file with the token; - for standard input")
    secret.add_argument("--token", help="the token itself; - for standard input")
    join.add_argument("--name", default=socket.gethostname(), help="the agent's name (default: %(default)s)")
    join.add_argument("--acts-as", help="'service' or the local user this agent stands for")
    join.add_argument("--json", action="store_true")
    run = command("run", "Work until told to stop.")
    run.add_argument("--url", help="the platform has moved here; remembered from now on")
    run.add_argument("--allow-on-slurm-host", action="store_true", help="run steps beside Slurm on this host")
    run.add_argument("--stop-steps", action="store_true", help="on SIGTERM end the running steps and the keeper too")
    run.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    status = command("status", "What the agent of this folder does now.")
    status.add_argument("--json", action="store_true")
    doctor = command("doctor", "Check whether this host can run steps, and say what is missing.")
    doctor.add_argument("--json", action="store_true")
    offer = command("offer", "Print what this host would offer.")
    offer.add_argument("--json", action="store_true")
    command("stop", "End the keeper of this folder and every step it runs (the agent itself is stopped with SIGTERM).")
    for sub in (join, run, offer):
        sub.add_argument("--cpu-millis", type=int, help="offer at most this much CPU")
        sub.add_argument("--memory-bytes", type=int, help="offer at most this much memory")
        sub.add_argument("--steps-max", type=int, help="run at most this many steps at once")
    return top


def load_site(args: argparse.Namespace, folder: StateFolder) -> SiteFile:
    """The site file under the caps of the command line (which can only lower them)."""
    path = args.site_file or folder.site_path
    site = site_file_read(path) if args.site_file or path.exists() else SiteFile()
    caps: dict[str, Any] = {}
    for name in ("cpu_millis", "memory_bytes", "steps_max"):
        value = getattr(args, name, None)
        if value is not None:
            if value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least 1, got {value}")
            known = getattr(site.offer, name)
            caps[name] = value if known is None else min(known, value)
    return site.model_copy(update={"offer": site.offer.model_copy(update=caps)}) if caps else site


def read_token(args: argparse.Namespace) -> str:
    """
    Raises:
        ConfigError: the file cannot be read or is empty.
    """
    if "-" in (args.token_file, args.token):
        token = sys.stdin.readline()
    elif args.token_file:
        try:
            token = Path(args.token_file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"cannot read the token from {args.token_file}: {exc}") from exc
    else:
        token = args.token
    token = token.strip()
    if token == "" or any(ord(letter) < 33 or ord(letter) > 126 for letter in token):
        raise ConfigError("the token is empty or holds characters no token has: copy it again")
    return token


def _support(folder: StateFolder) -> RootSupport:
    return probe_private_root(folder.keeper)


def command_join(args: argparse.Namespace, folder: StateFolder) -> int:
    from fubini_agent.transport import Transport

    token = read_token(args)
    folder.make()
    if folder.identity_path.exists():
        raise ConfigError(f"{folder.path} already holds an agent: use another --dir, or delete this one to join anew")
    if args.site_file:
        shutil.copyfile(args.site_file, folder.site_path)
    elif not folder.site_path.exists():
        folder.site_path.write_text(default_site_text())
    site = load_site(args, folder)
    host = facts.host_facts(folder.path, site, _support(folder).ok)
    given = facts.offer(host, site)
    if not args.json:
        _say("This host will offer:")
        _say(facts.offer_text(host, given))
    request = JoinRequest(
        protocol_version=PROTOCOL_VERSION,
        token=token,
        agent_name=args.name,
        acts_as=args.acts_as or site.acts_as,
        agent_version=facts.AGENT_VERSION,
        host=host,
        offer=given,
        environments=Environments(site).records(),
    )

    async def join() -> JoinReply:
        transport = Transport(args.url)
        try:
            return await transport.join(request)
        finally:
            await transport.close()

    reply = asyncio.run(join())
    folder.identity_write(
        Identity(
            url=args.url,
            agent_id=reply.agent_id,
            agent_name=args.name,
            site=reply.site,
            credential=reply.credential,
            sync_path=reply.sync_path,
            logs_path=reply.logs_path,
            lease_s=reply.lease_s,
            renew_s=reply.renew_s,
            wait_max_s=reply.wait_max_s,
        )
    )
    if args.json:
        _say(json.dumps({"agent_id": reply.agent_id, "site": reply.site, "offer": given.model_dump(mode="json")}))
    else:
        _say(f"Joined site {reply.site or '?'} as {args.name} ({reply.agent_id}). {reply.message}".rstrip())
        _say(f"Start it with: fubini-agent run --dir {folder.path}")
    return 0


def lock_folder(folder: StateFolder) -> Optional[int]:
    """The folder's lock, or None when another agent holds it. It is free again when this process ends, however."""
    descriptor = os.open(folder.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def command_run(args: argparse.Namespace, folder: StateFolder) -> int:
    from fubini_agent.loop import Agent, Stopped

    logging.basicConfig(
        level=args.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder.make()
    identity = folder.identity_read()
    if args.url and args.url != identity.url:
        identity = replace(identity, url=args.url)
        folder.identity_write(identity)
    lock = lock_folder(folder)
    if lock is None:
        sys.stderr.write(f"fubini-agent: another agent works in {folder.path}. Stop it, or use another --dir.\n")
        return EXIT_LOCKED
    site = load_site(args, folder)
    found = slurm_commands_found()
    if found and not (site.allow_on_slurm_host or args.allow_on_slurm_host):
        raise ConfigError(
            f"this host has Slurm's commands ({', '.join(found)}): steps belong in its queue. To run them here all the"
            " same, set allow_on_slurm_host = true in the site file"
        )
    os.umask(0o022)  # what a step sees of its root; the folder itself is closed to others
    environments = Environments(site)
    for image, problem in environments.problems.items():
        logging.getLogger("fubini_agent").error("the environment for image %r cannot be used: %s", image, problem)
    support = _support(folder)
    if not support.ok:
        logging.getLogger("fubini_agent").warning(
            "no private roots on this host, steps with absolute paths are refused: %s", support.why
        )

    async def work() -> None:
        # Made inside the loop: before Python 3.10 asyncio's primitives belong to the loop they are made in.
        await Agent(folder, identity, site, support, environments).run(stop_steps=args.stop_steps)

    try:
        asyncio.run(work())
    except Stopped as exc:
        sys.stderr.write(f"fubini-agent: {exc}\n")
        return EXIT_UNWANTED
    return 0


def command_status(args: argparse.Namespace, folder: StateFolder) -> int:
    try:
        data = json.loads(folder.status_path.read_text())
    except (OSError, ValueError):
        folder.identity_read()  # says how to join, if that is what is missing
        data = {"running": False, "attempts": []}
    if data.get("running"):
        lock = lock_folder(folder)
        if lock is not None:  # killed: it could not say goodbye
            os.close(lock)
            data["running"], data["pid"] = False, None
    if args.json:
        _say(json.dumps(data, indent=2))
        return 0 if data["running"] else EXIT_FAILED
    age = "never" if data.get("last_sync_age_s") is None else f"{data['last_sync_age_s']} s before"
    _say(f"agent    {'runs, pid ' + str(data['pid']) if data['running'] else 'does not run'}")
    if "at_ms" in data:
        _say(f"site     {data['site']} at {data['url']}")
        _say(f"as of    {time.time() - data['at_ms'] / 1000:.0f} s ago; last sync {age}")
        for name in ("last_error", "problem"):
            if data.get(name):
                _say(f"{name.replace('_', ' '):8} {data[name]}")
    for attempt in data["attempts"]:
        _say(f"attempt  {attempt['attempt_id']} of task {attempt['task_id']}: {attempt['state']}")
    return 0 if data["running"] else EXIT_FAILED


def command_doctor(args: argparse.Namespace, folder: StateFolder) -> int:
    """Each check with what was found; the exit code says whether steps can run."""
    checks: list[tuple[str, bool, str]] = []
    folder.make()
    site = load_site(args, folder)
    support = _support(folder)
    text = "works" if support.ok else f"refused: {support.why}. Steps with absolute paths cannot run here"
    if support.ok and not support.overlay:
        text = "works, but without overlays: each start is several times dearer"
    checks.append(("private root", support.ok, text))
    environments = Environments(site)
    for record in environments.records():
        checks.append(
            (f"image {record.image}", True, f"{record.interpreter or 'no python'}; {record.package_count} packages")
        )
    for image, problem in environments.problems.items():
        checks.append((f"image {image}", False, problem))
    if not site.images:
        checks.append(("images", False, f"no image is mapped: add [images] to {folder.site_path}"))
    groups = groups_found()
    limits = f"control groups version {groups.version} hold cores and memory"
    if not groups.usable:
        limits = f"{facts.LIMITS_WITHOUT_GROUPS}; control groups would be exact: {groups.why}"
    checks.append(("limits", True, limits))
    slurm = slurm_commands_found()
    allowed = not slurm or site.allow_on_slurm_host
    checks.append(("slurm", allowed, f"found {', '.join(slurm)}" if slurm else "not on this host"))
    free = facts.disk_free_bytes(folder.path)
    checks.append(("disk", free > 1 << 30, f"{free / 2**30:.1f} GiB free at {folder.path}"))
    checks.append(("joined", folder.identity_path.exists(), str(folder.path)))
    if args.json:
        _say(json.dumps([{"check": name, "ok": ok, "found": found} for name, ok, found in checks], indent=2))
    else:
        for name, ok, found in checks:
            _say(f"{'ok  ' if ok else 'FAIL'} {name}: {found}")
    return 0 if all(ok for _name, ok, _found in checks) else EXIT_FAILED


def command_offer(args: argparse.Namespace, folder: StateFolder) -> int:
    site = load_site(args, folder)
    folder.make()
    host = facts.host_facts(folder.path, site, _support(folder).ok)
    given = facts.offer(host, site)
    if args.json:
        _say(json.dumps({"host": host.model_dump(mode="json"), "offer": given.model_dump(mode="json")}, indent=2))
    else:
        _say(facts.offer_text(host, given))
    return 0


def command_stop(_args: argparse.Namespace, folder: StateFolder) -> int:
    from fubini_agent.drivers.keeper_link import KeeperLink

    if not folder.keeper.is_dir():
        return 0
    link = KeeperLink(folder.keeper, lambda _event: None, lambda: None)

    async def stop() -> None:
        for _ in range(500):
            if not link.is_alive():
                return
            if not link.connected:
                with contextlib.suppress(AgentError):
                    await link.connect()
                    link.send({"op": "shutdown"})
            await asyncio.sleep(0.02)
        link.kill()

    asyncio.run(stop())
    return 0


_COMMANDS = {
    "join": command_join,
    "run": command_run,
    "status": command_status,
    "doctor": command_doctor,
    "offer": command_offer,
    "stop": command_stop,
}


def main(argv: Optional[list[str]] = None) -> int:
    args = parser().parse_args(argv)
    try:
        return _COMMANDS[args.command](args, StateFolder(args.dir))
    except AgentError as exc:
        sys.stderr.write(f"fubini-agent: {exc}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
