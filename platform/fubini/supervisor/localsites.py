"""The three sites of the embedded default, as data.

They share one machine honestly: each declares what it would offer, all name the same machine, and the platform never
runs more at once over the three than the machine has cores. The accelerator class of `cloud` is declared, not real, and
is marked "simulated" wherever it is shown. Money is in micros of the installation's currency.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

from fubini.common import seeded

GIB = 1024**3


def cores() -> int:
    """How many cores this machine lets us use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return max(1, os.cpu_count() or 1)


def memory_bytes() -> int:
    """Real memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class LocalSite:
    """One declared site: capacity, limits, prices, and its place in the local-first order (small is first)."""

    name: str
    title: str
    region: str
    preference: int
    pool: str
    kind: str
    cpu_millis: int
    memory_bytes: int
    max_running: int | None = None
    max_walltime_s: int | None = None
    accelerator: str = ""
    devices: dict[str, int] = field(default_factory=dict)
    core_hour_micros: int = 0
    device_hour_micros: dict[str, int] = field(default_factory=dict)
    start_micros: int = 0
    egress_gib_micros: int = 0
    labels: dict[str, str] = field(default_factory=dict)


def local_sites() -> tuple[LocalSite, ...]:
    """What this machine pretends to be: a workstation, a supercomputer's share and a cloud with accelerators."""
    whole = cores()
    few = max(1, whole // 2)
    memory = memory_bytes()
    return (
        LocalSite(
            name="edge",
            title=seeded.EDGE,
            region="lab",
            preference=10,
            pool="edge",
            kind="owned",
            cpu_millis=few * 1000,
            memory_bytes=memory // 2,
            max_running=few,
        ),
        LocalSite(
            name="hpc",
            title=seeded.HPC,
            region="campus",
            preference=20,
            pool="hpc",
            kind="owned",
            cpu_millis=whole * 1000,
            memory_bytes=memory * 3 // 4,
            max_running=whole,
            max_walltime_s=3600,
            core_hour_micros=300_000,
        ),
        LocalSite(
            name="cloud",
            title=seeded.CLOUD,
            region="cloud",
            preference=30,
            pool="cloud",
            kind="owned",
            cpu_millis=whole * 1000,
            memory_bytes=memory * 3 // 4,
            accelerator="sim-gpu",
            devices={"nvidia.com/gpu": whole},
            core_hour_micros=3_000_000,
            device_hour_micros={"nvidia.com/gpu": 12_000_000},
            egress_gib_micros=90_000,
        ),
    )


def toml_text(value: object) -> str:
    """A value as TOML: strings, numbers, booleans and flat lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)
