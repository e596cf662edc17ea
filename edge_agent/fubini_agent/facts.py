"""What this host is: cores, memory, disk, accelerators, and what of it is offered under the operator's caps."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Optional

from fubini_agent import __version__
from fubini_agent.config import DeviceSetting, SharedDiskSetting, SiteFile
from fubini_agent.limits import groups_found
from fubini_protocol.v1.messages import Device, HostFacts, Offer

_log = logging.getLogger("fubini_agent.facts")
AGENT_VERSION = __version__
_PROBE_S = 10.0
LIMITS_WITHOUT_GROUPS = "cores by affinity (whole ones), memory by sampling four times a second"


def machine_id() -> str:
    """A stable id of the physical machine, hashed so that the host's own id is not given away."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid"):
        try:
            text = Path(path).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if text:
            return hashlib.sha256(b"fubini machine " + text.encode()).hexdigest()[:32]
    return hashlib.sha256(b"fubini host " + socket.gethostname().encode()).hexdigest()[:32]


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def memory_bytes() -> int:
    """Physical memory, or less where a control group limits us."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.lower().startswith(("model name", "hardware", "cpu model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def found_devices() -> list[DeviceSetting]:
    """Accelerators that answer: NVIDIA's by its own tool. Others are declared in the site file."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
    if not names:
        return []
    nodes = tuple(f"/dev/nvidia{index}" for index in range(len(names)))
    return [DeviceSetting(name="nvidia.com/gpu", count=len(names), model=names[0], nodes=nodes)]


def devices(site: SiteFile) -> list[DeviceSetting]:
    """Declared devices replace found ones of the same name (an operator may give fewer)."""
    declared = {device.name: device for device in site.offer.devices}
    return [*declared.values(), *(device for device in found_devices() if device.name not in declared)]


def host_facts(state_path: Path, site: SiteFile, private_root: bool) -> HostFacts:
    """Read everything now; takes some ten milliseconds, or seconds where a vendor's tool is slow."""
    return HostFacts(
        hostname=socket.gethostname(),
        machine_id=machine_id(),
        boot_id=boot_id(),
        arch=platform.machine(),
        cores=cores(),
        machine_slots=site.machine.slots,
        memory_bytes=memory_bytes(),
        disk_bytes=disk_free_bytes(state_path),
        devices=tuple(
            Device(name=device.name, count=device.count, model=device.model, simulated=device.simulated)
            for device in devices(site)
        ),
        private_root=private_root,
        container_groups=private_root,
        run_disks=private_root,
        # One that is not mounted right now is not spoken of: its empty mount point would take what steps write.
        shared_disks=tuple(name for name, disk in sorted(site.shared_disks.items()) if private_root and _is_there(disk)),
        cgroups=groups_found().usable,
        kernel=platform.release(),
        python=platform.python_version(),
    )


def _is_there(disk: SharedDiskSetting) -> bool:
    found = os.path.isdir(disk.path)
    if not found:
        _log.warning("the shared disk %s is not there: steps that mount it are not run here", disk.path)
    return found


def disk_free_bytes(path: Path) -> int:
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def offer(host: HostFacts, site: SiteFile) -> Offer:
    """The host's facts under the caps of the site file."""
    caps = site.offer

    def capped(have: int, cap: Optional[int]) -> int:
        return have if cap is None else min(have, cap)

    return Offer(
        cpu_millis=capped(host.cores * 1000, caps.cpu_millis),
        memory_bytes=capped(host.memory_bytes, caps.memory_bytes),
        disk_bytes=capped(host.disk_bytes, caps.disk_bytes),
        devices=host.devices,
        labels={"kubernetes.io/arch": kubernetes_arch(host.arch), "kubernetes.io/os": "linux", **caps.labels},
        accelerator=caps.accelerator,
        accelerator_simulated=caps.accelerator_simulated,
        max_walltime_s=caps.max_walltime_s,
    )


def kubernetes_arch(machine: str) -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def offer_text(host: HostFacts, given: Offer) -> str:
    """What a person sees before a join and in `fubini-agent offer`."""
    lines = [
        f"host         {host.hostname} ({host.arch}, kernel {host.kernel}, python {host.python})",
        f"cores        {given.cpu_millis / 1000:g} of {host.cores}",
        f"memory       {given.memory_bytes / 2**30:.1f} GiB of {host.memory_bytes / 2**30:.1f} GiB",
        f"disk         {given.disk_bytes / 2**30:.1f} GiB free",
    ]
    for device in given.devices:
        simulated = " (simulated)" if device.simulated else ""
        lines.append(f"accelerators {device.count} x {device.name} {device.model}{simulated}".rstrip())
    if given.accelerator:
        lines.append(f"class        {given.accelerator}{' (simulated)' if given.accelerator_simulated else ''}")
    if not given.devices and not given.accelerator:
        lines.append("accelerators none")
    if given.max_walltime_s:
        lines.append(f"walltime     at most {given.max_walltime_s} s a step")
    lines.append(f"private root {'yes' if host.private_root else 'no: steps with absolute paths cannot run here'}")
    lines.append(f"limits       {'cores and memory by control groups' if host.cgroups else LIMITS_WITHOUT_GROUPS}")
    return "\n".join(lines)
