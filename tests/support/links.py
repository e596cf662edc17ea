"""A network namespace behind a link of limited width, for an agent that is to be far away. Needs root, ip and tc."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShapedLink:
    """`prefix` goes before a command that is to run behind the link; there the host has the address `host`."""

    namespace: str
    host: str

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace]


@contextlib.contextmanager
def shaped_link(bytes_per_s: int) -> Iterator[ShapedLink]:
    """A namespace whose incoming bytes pass a token bucket; it and its interfaces go at the end."""
    mark = f"{os.getpid() % 0xFFFF:04x}{secrets.token_hex(2)}"
    name, ours, theirs = f"fubini-{mark}", f"fb{mark}a", f"fb{mark}b"
    net = f"169.254.{secrets.randbelow(200) + 20}"  # link-local: no route of the machine's own goes there
    host, guest = f"{net}.1", f"{net}.2"

    def run(*argv: str) -> None:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}")

    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        run("ip", "addr", "add", f"{host}/30", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run("ip", "-n", name, "addr", "add", f"{guest}/30", "dev", theirs)
        run("ip", "-n", name, "link", "set", theirs, "up")
        run("ip", "-n", name, "link", "set", "lo", "up")
        rate = f"{bytes_per_s * 8}bit"
        run("tc", "qdisc", "add", "dev", ours, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "200ms")
        yield ShapedLink(name, host)
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=30, check=False)
