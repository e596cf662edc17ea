"""What holds a command to the cores and the memory it asked for, as far as this host permits.

* Memory: a control group of the kernel's (version 2, or 1) where the agent may make one; else the keeper samples, which
  a command that grows fast outruns by up to a quarter of a second.
* Cores: the group's quota, which also holds fractions; else the command's affinity, which any process may narrow: as many
  cores as it asked for, rounded up, those with the fewest commands of ours.

We never move ourselves and never touch a group that is not below our own or beside it (systemd's `DelegateSubgroup`), so
a host that delegates nothing is left as it was. Part of the keeper: standard library only, and small.
"""

from __future__ import annotations

import os
import time

PERIOD_US = 100_000
ROOT = "/sys/fs/cgroup"


class Group:
    """A control group for the processes of one command at a time. `folders`: controller -> folder."""

    __slots__ = ("_cpu_millis", "_memory_bytes", "folders", "version")

    def __init__(self, version: int, folders: dict[str, str]) -> None:
        self.version = version
        self.folders = folders
        self._cpu_millis = self._memory_bytes = 0

    def hold(self, pid: int) -> None:
        """Put a process, and all it starts from now on, into the group."""
        for folder in set(self.folders.values()):
            _write(f"{folder}/cgroup.procs", str(pid))

    def limit(self, cpu_millis: int, memory_bytes: int) -> None:
        """Set the limits of the next command; 0 is none. What stands already is not written again."""
        if cpu_millis != self._cpu_millis:
            folder, quota = self.folders["cpu"], cpu_millis * PERIOD_US // 1000
            if self.version == 2:
                _write(f"{folder}/cpu.max", f"{quota or 'max'} {PERIOD_US}")
            else:
                _write(f"{folder}/cpu.cfs_quota_us", str(quota or -1))
            self._cpu_millis = cpu_millis
        if memory_bytes != self._memory_bytes:
            folder = self.folders["memory"]
            if self.version == 2:
                _write(f"{folder}/memory.max", str(memory_bytes or "max"))
                if os.path.exists(f"{folder}/memory.swap.max"):
                    _write(f"{folder}/memory.swap.max", "0" if memory_bytes else "max")
            else:
                _write(f"{folder}/memory.limit_in_bytes", str(memory_bytes or -1))
            self._memory_bytes = memory_bytes

    def oom_kills(self) -> int:
        """How many processes the kernel has ended for memory in this group, ever."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        for line in _read(f"{self.folders['memory']}/{name}").splitlines():
            key, _, count = line.partition(" ")
            if key == "oom_kill":
                return int(count)
        return 0

    def drop(self) -> None:
        """Remove it. It empties only when the kernel has buried its last process, so a few tries."""
        for folder in set(self.folders.values()):
            for turn in range(20):
                if _remove(folder):
                    break
                time.sleep(0.001 * turn)


class Groups:
    """Makes groups below `bases` (controller -> folder); `why` says why there are none, "" when there are."""

    def __init__(self, version: int, bases: dict[str, str], why: str = "") -> None:
        self.version = version
        self.bases = bases
        self.why = why
        self._made = 0
        self._there: list[Group] = []

    @property
    def usable(self) -> bool:
        return not self.why

    def make(self) -> Group | None:
        """A new group without limits, or None where there are none to be had."""
        if self.why:
            return None
        self._made += 1
        name = f"fubini-{os.getpid()}-{self._made}"
        folders = {controller: f"{base}/{name}" for controller, base in self.bases.items()}
        group = Group(self.version, folders)
        try:
            for folder in sorted(set(folders.values())):
                os.mkdir(folder)
        except OSError:
            group.drop()
            return None
        self._there.append(group)
        return group

    def close(self) -> None:
        """Remove all that were made; their processes are gone or about to be."""
        for group in self._there:
            group.drop()

    def sweep(self) -> None:
        """Remove what a killed keeper left: empty groups of ours whose maker is gone."""
        for base in set(self.bases.values()):
            try:
                names = os.listdir(base)
            except OSError:
                continue
            for name in names:
                words = name.split("-")
                if len(words) == 3 and words[0] == "fubini" and not os.path.exists(f"/proc/{words[1]}"):
                    _remove(f"{base}/{name}")


def groups_found(root: str = ROOT, own: str = "/proc/self/cgroup") -> Groups:
    """Try to hold a process in a group with both limits, in every place that may be ours; the first that works."""
    try:
        bases = list(_candidates(root, _read(own)))
    except OSError as exc:
        return Groups(0, {}, f"no control groups: {exc.strerror or exc}")
    why = "no control group has both the cpu and the memory controller for us"
    for version, folders in bases:
        try:
            _try(version, folders)
        except OSError as exc:
            why = f"{exc.filename or folders['memory']}: {exc.strerror or exc}"
            continue
        return Groups(version, folders)
    return Groups(0, {}, why)


def _candidates(root: str, own: str) -> list[tuple[int, dict[str, str]]]:
    found: list[tuple[int, dict[str, str]]] = []
    version_1: dict[str, str] = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        if not names:
            for mount in (root, f"{root}/unified"):
                here = f"{mount}{path}".rstrip("/")
                above = os.path.dirname(here) if path != "/" else here
                for base in dict.fromkeys((above, here)):
                    if _may_limit(base):
                        found.append((2, {"cpu": base, "memory": base}))
        for name in names.split(","):
            if name in ("cpu", "memory"):
                version_1[name] = f"{root}/{names}{path}".rstrip("/")
    if len(version_1) == 2:
        found.append((1, version_1))
    return found


def _may_limit(base: str) -> bool:
    try:
        return {"cpu", "memory"} <= set(_read(f"{base}/cgroup.controllers").split())
    except OSError:
        return False


def _try(version: int, bases: dict[str, str]) -> None:
    """Make a group, hold a child in it, limit it, remove it. OSError says where it ended."""
    if version == 2:
        control = f"{bases['memory']}/cgroup.subtree_control"
        if not {"cpu", "memory"} <= set(_read(control).split()):
            _write(control, "+cpu +memory")
    groups = Groups(version, bases)
    group = groups.make()
    if group is None:
        raise PermissionError(13, "no group may be made here", bases["memory"])
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_end)
        os.read(read_end, 1)  # until the parent is done, or gone
        os._exit(0)
    os.close(read_end)
    try:
        group.hold(pid)
        group.limit(1000, 1 << 30)
        group.oom_kills()
    finally:
        os.close(write_end)
        os.waitpid(pid, 0)
        group.drop()


class Cores:
    """Hands out cores to commands by affinity: those in the least use first."""

    def __init__(self, cores: list[int] | None = None) -> None:
        self._used = dict.fromkeys(sorted(os.sched_getaffinity(0)) if cores is None else cores, 0)

    def take(self, cpu_millis: int) -> tuple[int, ...]:
        """Cores for a command that asked for `cpu_millis`; () when that is all there are, so nothing is narrowed."""
        count = max(1, -(-cpu_millis // 1000))
        if count >= len(self._used):
            return ()
        chosen = sorted(self._used, key=lambda core: (self._used[core], core))[:count]
        for core in chosen:
            self._used[core] += 1
        return tuple(chosen)

    def give(self, cores: tuple[int, ...]) -> None:
        for core in cores:
            self._used[core] -= 1

    def narrow(self, pid: int, cores: tuple[int, ...]) -> None:
        """Let a process, and all it starts from now on, use these cores only (all of ours when none is named).

        Raises:
            OSError: it is gone, or the host forbids it.
        """
        os.sched_setaffinity(pid, cores or self._used)


class Held:
    """What holds one command: a group, or cores, or nothing. `own` says that the group goes with the command."""

    __slots__ = ("cores", "group", "oom_before", "own")

    def __init__(self, group: Group | None = None, cores: tuple[int, ...] = (), own: bool = False) -> None:
        self.group = group
        self.cores = cores
        self.own = own
        self.oom_before = -1  # processes ended for memory in the group before this command; -1: it has no limit

    def ran_out_of_memory(self) -> bool:
        """Has the kernel ended a process of this command for memory?"""
        try:
            return self.group is not None and self.group.oom_kills() > self.oom_before >= 0
        except (OSError, ValueError):
            return False


class Limiter:
    """All limits of one keeper."""

    def __init__(self) -> None:
        self.groups = groups_found()
        self.groups.sweep()
        self.cores = Cores()

    def group_for(self, pid: int) -> Group | None:
        """A group that holds `pid`, or None where there is none to be had."""
        group = self.groups.make()
        if group is not None:
            try:
                group.hold(pid)
            except OSError:
                group.drop()
                return None
        return group

    def hold(self, pid: int, group: Group | None, cpu_millis: int, memory_bytes: int, *, own: bool = False) -> Held:
        """Hold what `pid` starts from now on to what it asked for, by `group` if it can, else by affinity."""
        held = Held(group, own=own)
        try:
            if group is not None:
                group.limit(cpu_millis, memory_bytes)
                held.oom_before = group.oom_kills() if memory_bytes else -1
            elif cpu_millis:
                held.cores = self.cores.take(cpu_millis)
                self.cores.narrow(pid, held.cores)
        except (OSError, ValueError) as exc:  # the command runs all the same, and the keeper samples its memory
            os.write(2, f"keeper: {pid} is not held to its limits: {exc}\n".encode())
        return held

    def release(self, held: Held) -> None:
        """The command is over."""
        self.cores.give(held.cores)
        held.cores = ()
        if held.own and held.group is not None:
            held.group.drop()


def _remove(folder: str) -> bool:
    """Is it gone? The kernel keeps a group until its last process is buried."""
    try:
        os.rmdir(folder)
    except OSError:
        return not os.path.exists(folder)
    return True


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, path) from exc
    finally:
        os.close(fd)
