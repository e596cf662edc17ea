"""What a step's root is made of: the host's directories read-only, six devices, and the step's own files."""

from __future__ import annotations

import os

from fubini_agent.private_root.kernel import (
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    SetupError,
    mount,
    mount_setattr,
    pivot_here,
    remount_read_only,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from typing import Any

DEV_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_DEV_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "shm": "/run/shm",
}


#: Host directories a step sees, where they exist. Home directories, /var, /run and /mnt are private.
HOST_DIRS = ("/usr", "/etc", "/opt", "/sys", "/nix/store")
HOST_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PRIVATE_DIRS = (
    "/tmp", "/run", "/run/shm", "/var", "/var/tmp", "/var/run", "/home", "/root", "/mnt", "/srv", "/argo", "/argo/staging",
)  # fmt: skip
SCRIPT_PATH = "/argo/staging/script"
STICKY_DIRS = frozenset({"/tmp", "/run/shm", "/var/tmp"})


class RootPlan:
    """What to build.

    With `upper` set the root is an overlay of the shared `skeleton` (empty mount points, so nothing is made per step)
    and `upper`, which receives all the step writes; without, `root` is a plain directory in which every mount point is
    made: several times dearer, for kernels without overlays in user namespaces.
    `binds` are (host path, path inside): read-only, directories or files, missing host paths are left out.
    `links` are (path inside, target), `dirs` are made inside, empty; both are already in a skeleton. `overlays` are
    (host directory, upper, work, path inside): directories of the host into which the step's own files must fall.
    `shared` are (host directory, path below it, path inside, read-only): other steps may write there at the same time, so
    no link in it is followed; what is missing of the path below is made. `memory` are (path inside, bytes or 0 for the
    kernel's own limit): a tmpfs each, which goes with the step. Both are mounted in the order of their paths.
    `late_binds` come last: this step's own read-only inputs.
    """

    __slots__ = (
        "binds", "dev_dir", "dirs", "late_binds", "links", "memory", "overlays", "proc_dir", "root", "shared", "upper", "work",
    )  # fmt: skip

    def __init__(
        self,
        root: str,
        binds: list[tuple[str, str]],
        dev_dir: str,
        proc_dir: str,
        *,
        upper: str = "",
        work: str = "",
        links: list[tuple[str, str]] | None = None,
        dirs: list[str] | None = None,
        overlays: list[tuple[str, str, str, str]] | None = None,
        late_binds: list[tuple[str, str]] | None = None,
        shared: list[tuple[str, str, str, bool]] | None = None,
        memory: list[tuple[str, int]] | None = None,
    ) -> None:
        self.root = root
        self.binds = binds
        self.upper = upper
        self.work = work
        self.links = links or []
        self.dirs = dirs or []
        self.dev_dir = dev_dir
        self.proc_dir = proc_dir
        self.overlays = overlays or []
        self.late_binds = late_binds or []
        self.shared = shared or []
        self.memory = memory or []

    @classmethod
    def from_request(cls, plan: dict[str, Any]) -> RootPlan:
        """Read what an agent sent; wrong shapes raise KeyError, TypeError or ValueError."""
        return cls(
            str(plan["root"]),
            [(str(host), str(inside)) for host, inside in plan["binds"]],
            str(plan["dev_dir"]),
            str(plan["proc_dir"]),
            upper=str(plan.get("upper", "")),
            work=str(plan.get("work", "")),
            links=[(str(inside), str(link)) for inside, link in plan.get("links", ())],
            dirs=[str(inside) for inside in plan.get("dirs", ())],
            overlays=[
                (str(low), str(up), str(work), str(inside)) for low, up, work, inside in plan.get("overlays", ())
            ],
            late_binds=[(str(host), str(inside)) for host, inside in plan.get("late_binds", ())],
            shared=[
                (str(host), str(below), str(inside), bool(read_only))
                for host, below, inside, read_only in plan.get("shared", ())
            ],
            memory=[(str(inside), int(size)) for inside, size in plan.get("memory", ())],
        )


def host_binds(extra: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What every step sees of the host, as (binds, links): programs, libraries and settings, nobody's data."""
    binds = [(path, path) for path in HOST_DIRS if os.path.isdir(path)]
    links = []
    for path in HOST_LINKS:
        if os.path.islink(path):
            links.append((path, os.readlink(path)))
        elif os.path.isdir(path):
            binds.append((path, path))
    resolver = os.path.realpath("/etc/resolv.conf")
    if not resolver.startswith("/etc/") and os.path.isfile(resolver):
        binds.append((resolver, resolver))
    return binds + extra, links


def device_nodes(extra: list[str]) -> list[str]:
    return ["/dev/" + name for name in DEV_NODES if os.path.exists("/dev/" + name)] + extra


def prepare_skeleton(path: str, binds: list[tuple[str, str]], links: list[tuple[str, str]]) -> None:
    """Make the shared, never written lower directory of all overlays: an empty mount point for each bind."""
    os.makedirs(path, mode=0o755, exist_ok=True)
    for inside, link in links:
        if not os.path.lexists(path + inside):
            os.symlink(link, path + inside)
    for inside in (*PRIVATE_DIRS, "/dev", "/proc"):
        os.makedirs(path + inside, exist_ok=True)
        if inside in STICKY_DIRS:
            os.chmod(path + inside, 0o1777)  # noqa: S103 - as /tmp is everywhere
    _mount_point(path, SCRIPT_PATH, False)
    for host, inside in binds:
        _mount_point(path, inside, os.path.isdir(host))


def prepare_dev_dir(path: str) -> None:
    """Make the directory that becomes ``/dev``: empty files to bind nodes on, and links. Shared by all steps."""
    os.makedirs(path, mode=0o755, exist_ok=True)
    for name in DEV_NODES:
        target = os.path.join(path, name)
        if not os.path.lexists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    for name, target in _DEV_LINKS.items():
        link = os.path.join(path, name)
        if not os.path.lexists(link):
            os.symlink(target, link)


def _mount_point(root: str, inside: str, is_dir: bool) -> str:
    target = root + inside
    try:
        if is_dir:
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return _mount_point(root, inside, is_dir)
    return target


def _bind(host: str, root: str, inside: str) -> str | None:
    """Bind `host` at `root`/`inside`; the mount point is made only when it is missing. None: the host has no such path."""
    target = root + inside
    try:
        mount(host, target, None, MS_BIND | MS_REC)
    except SetupError:
        if not os.path.exists(host):
            return None  # gone since the agent looked; the step will see it missing
        mount(host, _mount_point(root, inside, os.path.isdir(host)), None, MS_BIND | MS_REC)
    return target


def _overlay(lower: str, upper: str, work: str, target: str) -> None:
    # userxattr: the only kind a user namespace may mount; without one it saves the kernel's feature probes.
    mount(
        "overlay",
        target,
        "overlay",
        MS_NOSUID | MS_NODEV,
        f"lowerdir={lower},upperdir={upper},workdir={work},userxattr",
    )


#: Files of the host that only root may read: a step of an agent that runs as root has its user id and must not either.
_ROOT_ONLY = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/krb5.keytab")


_hidden: list[str] = []  # set in an init, before its base hides them


def root_only_files() -> list[str]:
    if os.geteuid() != 0:
        return []
    try:
        keys = ["/etc/ssh/" + name for name in os.listdir("/etc/ssh") if name.endswith("_key")]
    except OSError:
        keys = []
    return [path for path in (*_ROOT_ONLY, *keys) if os.path.isfile(path)]


def prepare_base(dev_dir: str, dev_nodes: list[str], proc_dir: str) -> None:
    """What all commands of one init share, mounted once in its base namespace: the devices and the process list.

    Raises:
        SetupError: the kernel refused.
    """
    if _propagation_shared:
        mount(None, "/", None, MS_REC | MS_PRIVATE)
    _hidden.extend(root_only_files())
    for path in _hidden:
        mount("/dev/null", path, None, MS_BIND)
    mount(dev_dir, dev_dir, None, MS_BIND)
    for node in dev_nodes:
        _bind(node, dev_dir, node[4:])
    try:
        mount("proc", proc_dir, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except SetupError:
        mount("/proc", proc_dir, None, MS_BIND | MS_REC)  # a container that masks /proc refuses a fresh one


def build(plan: RootPlan) -> None:
    """Turn this process's fresh mount namespace into the plan's root, and enter it.

    Raises:
        SetupError, OSError: with the step that failed.
    """
    root = plan.root
    if plan.upper:
        _overlay(root, plan.upper, plan.work, root)
    else:
        mount(root, root, None, MS_BIND)
        _plain_skeleton(root, plan)
    targets = []
    for host, inside in plan.binds:
        target = _bind(host, root, inside)
        if target is not None:
            targets.append(target)
    dev, proc = root + "/dev", root + "/proc"
    mount(plan.dev_dir, dev, None, MS_BIND | MS_REC)
    mount(plan.proc_dir, proc, None, MS_BIND | MS_REC)
    if not mount_setattr(root, True, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0) or not mount_setattr(
        root, False, 0, MOUNT_ATTR_RDONLY
    ):
        for target in (*targets, dev, proc):
            remount_read_only(target)
    for lower, upper, work, inside in plan.overlays:
        _overlay(lower, upper, work, root + inside)
        for path in _hidden:
            if path.startswith(lower + "/"):  # an overlay shows the directory without what is mounted on it
                mount("/dev/null", root + path, None, MS_BIND)
    volumes: list[tuple[str, str, str, int]] = [(ins, host, below, ro) for host, below, ins, ro in plan.shared]
    volumes += [(inside, "", "", size) for inside, size in plan.memory]
    for inside, host, below, more in sorted(volumes):  # a directory before what is mounted in it
        target = _mount_point(root, inside, True)
        if host:
            _share(host, below, target, bool(more))
        else:
            options = f"mode=0777,size={more}" if more else "mode=0777"
            mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for host, inside in plan.late_binds:
        bound = _bind(host, root, inside)
        if bound is None:
            raise SetupError(f"{host} is gone")
        if not mount_setattr(bound, True, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0):
            remount_read_only(bound)
    os.chdir(root)
    pivot_here()


def _share(host: str, below: str, mount_point: str, read_only: bool) -> None:
    """Bind `below` of a directory that other steps write to, walking it by descriptors and never through a link.

    Raises:
        SetupError, OSError: something on the way is no directory.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(host, flags)
    try:
        for part in below.split("/"):
            if not part:
                continue
            try:
                os.mkdir(part, 0o755, dir_fd=fd)
            except FileExistsError:
                pass
            following = os.open(part, flags, dir_fd=fd)
            os.close(fd)
            fd = following
        os.fchdir(fd)
        mount(".", mount_point, None, MS_BIND)
        bits = MOUNT_ATTR_NOSUID | (MOUNT_ATTR_RDONLY if read_only else 0)
        if not mount_setattr(mount_point, True, bits, 0) and read_only:
            remount_read_only(mount_point)
    finally:
        os.close(fd)


def _plain_skeleton(root: str, plan: RootPlan) -> None:
    for inside, link in plan.links:
        try:
            os.symlink(link, root + inside)
        except FileExistsError:
            pass
    for inside in (*plan.dirs, "/dev", "/proc"):
        _mount_point(root, inside, True)


def _read_propagation() -> bool:
    """Whether any mount of this process is shared with another namespace, so that ours would be seen outside."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            return any(" shared:" in line for line in file)
    except OSError:
        return True


_propagation_shared = _read_propagation()
