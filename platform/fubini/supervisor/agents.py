"""The local sites' agents: their site files, how they join, and their keepers' end.

An agent here is the same program as on any other machine; only its site file is written by us. The agents are told that
they may run steps on a host with Slurm's commands, because this machine's owner started them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fubini.common.home import Home, checkout, start_ticks
from fubini.supervisor.children import ChildSpec
from fubini.supervisor.errors import SupervisorError
from fubini.supervisor.folder import log_open
from fubini.supervisor.localsites import LocalSite, cores, toml_text

JOIN_WITHIN_S = 60.0
KEEPER_GRACE_S = 15.0


def folder_of(home: Home, name: str) -> Path:
    return home.agents / name


def site_file(home: Home, name: str) -> Path:
    return folder_of(home, name) / "site.toml"


def join_token_file(home: Home, name: str) -> Path:
    return folder_of(home, name) / "join.token"


def joined(home: Home, name: str) -> bool:
    """Has the agent a credential (the platform may have revoked it since)?"""
    folder = folder_of(home, name)
    return (folder / "agent.json").exists() and (folder / "credential").exists()


def forget_join(home: Home, name: str) -> None:
    """Make room for a new join; what the agent holds otherwise stays."""
    for file in ("agent.json", "credential"):
        (folder_of(home, name) / file).unlink(missing_ok=True)


# What manifests name where they need nothing but a shell or a plain Python: the host itself stands for it here.
HOST_IMAGES = ("alpine*", "bash*", "busybox*", "debian*", "ubuntu*", "argoproj/argosay*", "docker/whalesay*")
# These have a `python`, which many hosts call python3 only: an empty virtual environment stands for them.
PYTHON_IMAGES = ("python*",)
SCIENCE_IMAGES = ("fubini/*", "science*")


def science_prefix() -> Path | None:
    """The kits' step environment, if it was set up."""
    root = checkout()
    found = root / ".venv-science" if root else None
    return found if found and (found / "bin" / "python").exists() else None


def python_prefix(home: Home) -> Path:
    """An environment with nothing but an interpreter, called `python` and `python3`; made once."""
    prefix = home.agents / "python"
    if not (prefix / "bin" / "python").exists():
        venv.EnvBuilder(with_pip=False, symlinks=True).create(prefix)
    return prefix


def shared_disks(text: str) -> dict[str, str]:
    """``FUBINI_SHARED_DISKS``: ``name=/folder`` pairs with commas between -> folder by name.

    Raises:
        SupervisorError: a pair is not of that form.
    """
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, folder = pair.partition("=")
        if not (name and equals and Path(folder).is_absolute() and Path(folder).is_dir()):
            raise SupervisorError(
                "FUBINI_SHARED_DISKS cannot be read",
                why=f"{pair!r} does not name a folder that exists",
                try_="Write NAME=/FOLDER pairs with commas between.",
            )
        found[name] = folder
    return found


def site_file_write(home: Home, place: LocalSite) -> None:
    """Write the site file anew: what is declared, and which image name runs in which environment."""
    folder = folder_of(home, place.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [
        f"# The local site {place.name!r}, written by `fubini up`; changes here are overwritten.",
        "allow_on_slurm_host = true",
        "",
        "[offer]",
        f"cpu_millis = {place.cpu_millis}",
        f"memory_bytes = {place.memory_bytes}",
    ]
    if place.max_running:
        lines.append(f"steps_max = {place.max_running}")
    if place.max_walltime_s:
        lines.append(f"max_walltime_s = {place.max_walltime_s}")
    if place.accelerator:
        lines += [f"accelerator = {toml_text(place.accelerator)}", "accelerator_simulated = true"]
    # The three share the machine: together they never run more steps than it has cores.
    slots_dir = home.agents / "slots"
    slots_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines += ["", "[machine]", f"slots = {cores()}", f"slots_dir = {toml_text(str(slots_dir))}"]
    labels = {"fubini.dev/pool": place.pool, **place.labels}
    lines += [
        "",
        "[offer.labels]",
        *(f"{toml_text(key)} = {toml_text(value)}" for key, value in sorted(labels.items())),
    ]
    for name, count in sorted(place.devices.items()):
        lines += ["", "[[offer.devices]]", f"name = {toml_text(name)}", f"count = {count}", "simulated = true"]
    lines += ["", "[images]"]
    lines += [f"{toml_text(image)} = {{ host = true }}" for image in HOST_IMAGES]
    plain = toml_text(str(python_prefix(home)))
    lines += [f"{toml_text(image)} = {{ prefix = {plain} }}" for image in PYTHON_IMAGES]
    science = science_prefix()
    if science:
        lines += [f"{toml_text(image)} = {{ prefix = {toml_text(str(science))} }}" for image in SCIENCE_IMAGES]
    for name, disk in sorted(shared_disks(os.environ.get("FUBINI_SHARED_DISKS", "")).items()):
        lines += ["", f"[shared_disks.{toml_text(name)}]", f"path = {toml_text(disk)}"]
    path = site_file(home, place.name)
    text = "\n".join([*lines, ""])
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def join_all(home: Home, names: Sequence[str], url: str, env: Mapping[str, str]) -> None:
    """Let every agent that has a join token join, all at once.

    Raises:
        SupervisorError: one was refused; its own words are in its log.
    """
    waiting: dict[str, subprocess.Popen[bytes]] = {}
    for name in names:
        token = join_token_file(home, name)
        if not token.exists():
            continue
        with log_open(home.log / f"agent-{name}.log") as log:
            waiting[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fubini_agent", "join"),
                    *("--dir", str(folder_of(home, name)), "--url", url, "--token-file", str(token), "--name", name),
                ],
                env=agent_env(env),
                cwd=folder_of(home, name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    deadline = time.monotonic() + JOIN_WITHIN_S
    for name, process in waiting.items():
        try:
            code = process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code != 0:
            raise SupervisorError(
                f"the agent of {name} could not join",
                why=f"exit code {code}",
                try_=f"read {home.log / f'agent-{name}.log'}",
            )
        join_token_file(home, name).unlink(missing_ok=True)


def agent_env(env: Mapping[str, str]) -> dict[str, str]:
    """An agent sees nothing of the platform's settings: it has its own folder and its credential."""
    hidden = {"DJANGO_SETTINGS_MODULE", "FUBINI_HOME", "FUBINI_PUBLIC_URL", "FUBINI_SECRET_KEY", "FUBINI_DATABASE_URL"}
    return {key: value for key, value in env.items() if key not in hidden and not key.startswith("FUBINI_TOKEN")}


def spec_of(home: Home, name: str, url: str, env: Mapping[str, str]) -> ChildSpec:
    return ChildSpec(
        f"agent-{name}",
        [sys.executable, "-m", "fubini_agent", "run", "--dir", str(folder_of(home, name)), "--url", url],
        agent_env(env),
        tied=False,
        stop_s=15.0,
        cwd=folder_of(home, name),
    )


def stop_keepers(home: Home, say: Callable[[str], None]) -> None:
    """End the agents' keepers, and with them what still runs; a keeper is named by pid and start time in its lock."""
    found: list[tuple[int, int]] = []
    for lock in home.agents.glob("*/keeper/lock"):
        try:
            pid, ticks = (int(word) for word in lock.read_text().split())
        except (OSError, ValueError):
            continue
        if start_ticks(pid) == ticks:
            found.append((pid, ticks))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + KEEPER_GRACE_S
    while any(start_ticks(pid) == ticks for pid, ticks in found):
        if time.monotonic() > deadline:
            say("a keeper did not stop in time and is killed, and the steps it kept with it")
            for pid, ticks in found:
                if start_ticks(pid) == ticks:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)
