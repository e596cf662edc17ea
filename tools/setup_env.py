#!/usr/bin/env python3
"""Make the environments a checkout needs, once.

Decides where they are (`.venv` for the product and its tools, `.venv-science` for the kits' steps, `.venv-peers` for
the runners we are measured beside), that they hold exactly what the hashed locks say, and when there is nothing to do:
each environment carries a stamp with the digests of what it was made from, so a second call ends at once. Standard
library only, because nothing else is there yet.

`uv` does the work and is itself installed by pip into `.venv-tools`; where uv cannot (no wheel for this machine, a
proxy only pip knows), pip does it more slowly. Index, links and certificates are whatever pip is told by its
environment or configuration; nothing here names one.

    tools/setup_env.py [dev] [science] [peers] [node]
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-tools"
FLOOR = (3, 11)
STAMP = "fubini-setup.stamp"


class SetupError(Exception):
    """Set-up cannot go on; the text has what, why and what to try."""


class Environment:
    """One environment: folder, lock, whether this checkout is installed into it, whether it is byte-compiled at once.

    Steps see their environment read-only, so what is not compiled when it is made is compiled by every step anew.
    """

    def __init__(self, name: str, folder: str, lock: str, *, editable: bool = False, compiled: bool = False) -> None:
        self.name = name
        self.folder = ROOT / folder
        self.lock = ROOT / "requirements" / lock
        self.editable = editable
        self.compiled = compiled

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def wanted(self) -> dict[str, str]:
        """What the environment is made from, by part; only the parts that changed are done again."""
        parts = {"python": sys.version, "lock": hashlib.sha256(self.lock.read_bytes()).hexdigest()}
        if self.editable:
            # An editable install knows where the checkout is and which commands it has.
            made_of = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
            parts["checkout"] = hashlib.sha256(made_of).hexdigest()
        return parts

    def found(self) -> dict[str, str]:
        try:
            stamp = json.loads((self.folder / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) and self.python.exists() else {}

    def ready(self) -> bool:
        return self.found() == self.wanted()

    def mark(self) -> None:
        (self.folder / STAMP).write_text(json.dumps(self.wanted()))


ENVIRONMENTS = {
    "dev": Environment("dev", ".venv", "dev.lock", editable=True),
    "science": Environment("science", ".venv-science", "science.lock", compiled=True),
    "peers": Environment("peers", ".venv-peers", "peers.lock"),
    "node": Environment("node", ".venv-node", "node.lock"),
}


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(argv: list[str], env: dict[str, str] | None = None) -> bool:
    """Run a command; its output is shown only when it fails."""
    done = subprocess.run(
        argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
    return done.returncode == 0


def make_venv(folder: Path, with_pip: bool) -> None:
    """An empty environment at `folder`, replacing a broken or outdated one."""
    if folder.exists():
        shutil.rmtree(folder)
    argv = [sys.executable, "-m", "venv", str(folder)]
    if not with_pip:
        argv.insert(3, "--without-pip")
    if not run(argv):
        raise SetupError(
            f"error: cannot make a virtual environment in {folder.name}\n"
            "why: this Python has no working `venv` module (Debian keeps it in a package of its own)\n"
            "try: apt-get install python3-venv"
        )


def pip_setting(name: str) -> str:
    """What pip's environment or configuration files say for `name`; "" if nothing."""
    given = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    if given:
        return given
    asked = subprocess.run(
        [str(TOOLS / "bin" / "pip"), "config", "get", f"global.{name}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else ""


def uv_environment() -> dict[str, str]:
    """The process environment with pip's settings said in uv's words (its own, when set, win)."""
    env = dict(os.environ)
    translate = {
        "UV_DEFAULT_INDEX": " ".join(pip_setting("index-url").split()),
        "UV_INDEX": " ".join(pip_setting("extra-index-url").split()),
        "UV_FIND_LINKS": ",".join(pip_setting("find-links").split()),
        "SSL_CERT_FILE": pip_setting("cert"),
        "UV_INSECURE_HOST": " ".join(pip_setting("trusted-host").split()),
    }
    if "UV_INDEX_URL" in env:
        translate["UV_DEFAULT_INDEX"] = ""
    for key, value in translate.items():
        if value and key not in env:
            env[key] = value
    if pip_setting("no-index").lower() in {"1", "true", "yes", "on"}:
        env.setdefault("UV_NO_INDEX", "1")
    env.setdefault("UV_PYTHON_DOWNLOADS", "never")
    env.setdefault("UV_NO_PROGRESS", "1")
    return env


def tools_ready() -> None:
    """`.venv-tools` with pip, and with uv where pip can get it."""
    stamp = TOOLS / STAMP
    lock = ROOT / "requirements" / "tools.lock"
    want = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == want:
        return
    make_venv(TOOLS, with_pip=True)
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if not run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]):
        say("pip could not get uv here; going on with pip alone (slower)")
    stamp.write_text(want)


def install(environment: Environment, *, packages: bool, checkout: bool) -> None:
    """Install the lock and the checkout itself, by uv or else by pip."""
    uv = TOOLS / "bin" / "uv"
    target = ["--python", str(environment.python)]
    here = ["--no-deps", "--editable", str(ROOT)]
    if uv.exists():
        env = uv_environment()
        sync = [str(uv), "pip", "sync", "--quiet", *target, "--require-hashes", str(environment.lock)]
        if environment.compiled:
            sync.append("--compile-bytecode")
        if (not packages or run(sync, env)) and (
            not checkout or run([str(uv), "pip", "install", "--quiet", *target, *here], env)
        ):
            return
        say("uv could not install; trying again with pip")
    pip = [str(TOOLS / "bin" / "python"), "-m", "pip", *target, "--disable-pip-version-check", "install", "--quiet"]
    lock = ["--require-hashes", "-r", str(environment.lock)]
    if (packages and not run([*pip, *lock])) or (checkout and not run([*pip, *here])):
        raise SetupError(
            f"error: the packages of {environment.lock.name} could not be installed\n"
            "why: see pip's words above; most often no package index can be reached\n"
            "try: check the network, or say where packages are (PIP_INDEX_URL, PIP_FIND_LINKS, PIP_CERT), "
            "then run it again"
        )


def warm_up(environment: Environment) -> None:
    """Import once what every start imports, so that it is byte-compiled whatever the shell says about that.

    A failure here is no failure of the set-up: the first real start would say the same, and better.
    """
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    modules = [
        "fubini.cli.main",
        "httpx",
        "stamina",
        "uvicorn",
        "celery.bin.worker",
        "django.core.management",
        "rich.live",
    ]
    for module in modules:
        subprocess.run(
            [str(environment.python), "-c", f"import {module}"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def setup(environment: Environment) -> None:
    """Bring one environment to what its lock says; nothing to do is the usual case."""
    found, wanted = environment.found(), environment.wanted()
    if found == wanted:
        return
    began = time.monotonic()
    say(f"making {environment.folder.name} from requirements/{environment.lock.name} ...")
    tools_ready()
    fresh = found.get("python") != wanted["python"]
    if fresh:
        make_venv(environment.folder, with_pip=False)
    packages = fresh or found.get("lock") != wanted["lock"]
    # A sync removes what the lock does not name, the checkout among it.
    install(environment, packages=packages, checkout=environment.editable)
    if environment.editable:
        warm_up(environment)
    environment.mark()
    say(f"{environment.folder.name} is ready ({time.monotonic() - began:.0f} s)")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` in one checkout take turns instead of mixing their files."""
    lock = ROOT / "build" / ".setup.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up of this checkout is running; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    if sys.version_info < FLOOR:
        found = ".".join(map(str, sys.version_info[:3]))
        text = f"error: Python {found} is too old\nwhy: Fubini needs 3.11 or newer\ntry: make PYTHON=python3.11 ..."
        print(text, file=sys.stderr)
        return 2
    unknown = [name for name in names if name not in ENVIRONMENTS]
    if unknown:
        print(f"error: no environment {unknown[0]!r}\nwhy: there are {', '.join(ENVIRONMENTS)}", file=sys.stderr)
        return 2
    chosen = [ENVIRONMENTS[name] for name in names or ["dev"]]
    if all(environment.ready() for environment in chosen):
        return 0
    try:
        with one_at_a_time():
            for environment in chosen:
                setup(environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
