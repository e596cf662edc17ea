"""What some tests need beyond the locked environments: one table, need -> how to see it, how to get it.

A test says `@pytest.mark.needs("slurm")`. Where the probe fails it is skipped and the skip prints the command that would
satisfy it. In continuous integration (`CI=true`) a missing need is a failure, except for what cannot be installed there:
a GPU, a Kubernetes cluster, an Argo controller or its command, and the recordings, which are no part of this repository.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a machine may lack."""

    what: str
    probe: Callable[[], bool]
    get: str
    exempt: bool = False  # may be missing in continuous integration


def shared() -> Path:
    """The folder of recordings and peers beside the checkout (`$FUBINI_SHARED` when it is elsewhere)."""
    given = os.environ.get("FUBINI_SHARED")
    return Path(given) if given else ROOT.parent / "shared"


def _program(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) for name in names)


def _postgresql() -> bool:
    if shutil.which("pg_ctl"):
        return True
    return any(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


def _namespaces() -> bool:
    argv = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    try:
        return subprocess.run(argv, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _control_groups() -> bool:
    from fubini_agent.limits import groups_found

    return groups_found().usable


def _shaped_link() -> bool:
    """May we make a network namespace, a pair of interfaces and a token bucket on one of them?"""
    tried = (
        "set -e; ip link add veth-try type veth peer name veth-peer; tc qdisc add dev veth-try root tbf rate 8mbit"
        " burst 32kb latency 100ms"
    )
    try:
        made = subprocess.run(["unshare", "--net", "sh", "-c", tried], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return made.returncode == 0


def _small_disk() -> bool:
    argv = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]
    try:
        tried = subprocess.run(argv, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return os.geteuid() == 0 and tried.returncode == 0


def _gpu() -> bool:
    return Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists()


def _cluster() -> bool:
    return shutil.which("kubectl") is not None and bool(os.environ.get("KUBECONFIG"))


NEEDS: dict[str, Need] = {
    "science": Need(
        "the kits' step environment", lambda: (ROOT / ".venv-science" / "bin" / "python").exists(), "make setup"
    ),
    "shared": Need(
        "the recordings beside the checkout",
        lambda: (shared() / "conformance").is_dir(),
        "put them beside the checkout as ../shared, or set FUBINI_SHARED",
        exempt=True,  # they are no part of this repository
    ),
    "namespaces": Need(
        "user and mount namespaces for ordinary users",
        _namespaces,
        "sysctl -w kernel.unprivileged_userns_clone=1 (and apt-get install util-linux)",
    ),
    "control groups": Need(
        "control groups that this user may make (cpu and memory)",
        _control_groups,
        "run the tests as root, or in a unit with Delegate=cpu memory and DelegateSubgroup=tests",
    ),
    "small disk": Need("the right to mount a small disk", _small_disk, "run the tests as root"),
    "shaped link": Need(
        "network namespaces and traffic shaping (root, ip, tc)",
        _shaped_link,
        "apt-get install iproute2, and run the tests as root",
    ),
    "linux": Need("a Linux kernel", lambda: sys.platform == "linux", "run the tests on Linux"),
    "postgresql": Need("a PostgreSQL server's programs", _postgresql, "apt-get install postgresql"),
    "redis": Need("a Redis server's program", _program("redis-server"), "apt-get install redis-server"),
    "slurm": Need("Slurm's programs", _program("slurmctld", "sbatch"), "apt-get install slurm-wlm"),
    "browser": Need("a browser", _program("chromium"), "apt-get install chromium"),
    "pages": Need("the built pages", lambda: (ROOT / "frontend" / "dist" / "index.html").exists(), "make web"),
    "node": Need("Node 20 and npm", _program("node", "npm"), "apt-get install nodejs npm"),
    "gpu": Need("a GPU", _gpu, "run on a machine that has one", exempt=True),
    "cluster": Need("a Kubernetes cluster", _cluster, "set KUBECONFIG to a cluster's file", exempt=True),
    "argo-cli": Need(
        "the argo command",
        lambda: os.access(os.environ.get("ARGO_CLI", ""), os.X_OK),
        "set ARGO_CLI to its binary",
        exempt=True,  # no registry has it
    ),
    "controller": Need(
        "an Argo controller",
        lambda: bool(os.environ.get("FUBINI_ARGO_URL")),
        "set FUBINI_ARGO_URL to a controller's API",
        exempt=True,
    ),
}


@functools.cache
def present(name: str) -> bool:
    """Is a need met here? Probed once a session."""
    return NEEDS[name].probe()


def missing(name: str) -> str:
    """The sentence a skip prints; "" when the need is met.

    Raises:
        KeyError: the table has no such need; its names are in the message.
    """
    if name not in NEEDS:
        raise KeyError(f"no need {name!r}; tests/needs.py has {', '.join(NEEDS)}")
    need = NEEDS[name]
    return "" if present(name) else f"needs {need.what}; get it with: {need.get}"


def must_fail(name: str) -> bool:
    """Is a missing need a failure instead of a skip?"""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"} and not NEEDS[name].exempt
