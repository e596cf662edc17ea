"""A private root for one command: user, mount and pid namespaces made in a forked child.

Decides what a step sees. Its root is a directory of its own (`RootPlan.root`, on disk, so that outputs outlive the
namespaces); host directories appear in it read-only, ``/dev`` holds six harmless nodes, ``/proc`` shows only the
step's own processes. Everything else is private and writable, so any absolute path works and none touches the host.
The agent's state folder is not in it, and the command has no capability in any namespace.

Process shape: the caller's child becomes pid 1 of a new pid namespace and stays as a small *init* (this interpreter,
forked, never a new one) that runs one command after another, each in a mount namespace and a root of its own. Between
two commands it kills and reaps whatever the last one left behind, so they share nothing but the namespace's numbers.
Pid 1 cannot be signalled or traced from inside. The death of the caller kills init (PR_SET_PDEATHSIG) and with it the
whole namespace: no process outlives the keeper. Killing init is also how a command that will not end is ended.
Making the namespaces once and starting commands by vfork (posix_spawn) is what keeps a start near the cost of fork+exec.

Standard library only, and no module that the keeper would not need: the size of this process is the price of a fork.
All libc entry points are resolved at import, before any fork.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from collections.abc import Callable
    from typing import Any

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME = 32, 1024, 2048
MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 4096, 16384, 1 << 18, 1 << 21
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 28, 38
PR_SET_CHILD_SUBREAPER = 36
# NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock bit: uid 0 gains nothing by exec.
SECUREBITS = 0b11 | 0b1100 | 0b11000000
AT_FDCWD = -100
AT_RECURSIVE = 0x8000
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 1, 2, 4

_SYSCALLS = {  # machine: (clone, pivot_root); clone's first argument is the flags on all of these
    "x86_64": (56, 155),
    "aarch64": (220, 41),
    "riscv64": (220, 41),
    "loongarch64": (220, 41),
    "ppc64le": (120, 203),
}
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture

EXITED, SETUP_FAILED, EXEC_FAILED = "exited", "setup_failed", "exec_failed"

DEV_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_DEV_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "shm": "/run/shm",
}

# PyDLL keeps the GIL held over the call: clone() must return in the child with it still held.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_umount2 = _libc.umount2
_umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_prctl = _libc.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_unshare = _libc.unshare
_setns = _libc.setns
_clone_number, _pivot_number = _SYSCALLS.get(os.uname().machine, (None, None))


class SetupError(Exception):
    """A step of building the root failed; the text says which."""


class RootPlan:
    """What to build.

    With `upper` set the root is an overlay of the shared `skeleton` (empty mount points, so nothing is made per step)
    and `upper`, which receives all the step writes; without, `root` is a plain directory in which every mount point is
    made: several times dearer, for kernels without overlays in user namespaces.
    `binds` are (host path, path inside): read-only, directories or files, missing host paths are left out.
    `links` are (path inside, target), `dirs` are made inside, empty; both are already in a skeleton. `overlays` are
    (host directory, upper, work, path inside): directories of the host into which the step's own files must fall.
    `late_binds` come last: this step's own read-only inputs.
    """

    __slots__ = ("binds", "dev_dir", "dirs", "late_binds", "links", "overlays", "proc_dir", "root", "upper", "work")

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
        )


def _fail(what: str) -> SetupError:
    number = ctypes.get_errno()
    return SetupError(f"{what}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str | None = None) -> None:
    """mount(2).

    Raises:
        SetupError: the kernel refused.
    """
    if _mount(
        source.encode(errors="surrogateescape") if source else None,
        target.encode(errors="surrogateescape"),
        fstype.encode() if fstype else None,
        flags,
        data.encode(errors="surrogateescape") if data else None,
    ):
        raise _fail(f"mount {source or fstype} on {target}")


def _mount_setattr(path: str, recursive: bool, set_bits: int, clear_bits: int) -> bool:
    attr = struct.pack("<QQQQ", set_bits, clear_bits, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    return not (
        _syscall(
            ctypes.c_long(_SYS_MOUNT_SETATTR),
            ctypes.c_int(AT_FDCWD),
            path.encode(errors="surrogateescape"),
            ctypes.c_uint(flags),
            attr,
            ctypes.c_size_t(len(attr)),
        )
    )


def _remount_read_only(target: str) -> None:
    """For kernels before mount_setattr: the top mount only, keeping the flags a user namespace may not drop."""
    stat_flags = os.statvfs(target).f_flag
    keep = 0
    for mask, flag in ((2, MS_NOSUID), (4, MS_NODEV), (8, MS_NOEXEC), (1024, MS_NOATIME), (2048, MS_NODIRATIME)):
        if stat_flags & mask:
            keep |= flag
    if stat_flags & 4096:
        keep |= MS_RELATIME
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | keep)


def clone_supported() -> bool:
    return _clone_number is not None


def clone(flags: int) -> int:
    """fork(2) with new namespaces. Only for a process without threads; returns 0 in the child.

    Raises:
        SetupError: the kernel refused.
    """
    if _clone_number is None:
        raise SetupError(f"no clone number is known for machine {os.uname().machine!r}")
    zero = ctypes.c_ulong(0)
    pid = int(_syscall(ctypes.c_long(_clone_number), ctypes.c_ulong(flags | signal.SIGCHLD), zero, zero, zero, zero))
    if pid < 0:
        raise _fail("clone")
    return pid


def set_pdeathsig() -> None:
    if _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise _fail("prctl PDEATHSIG")


def set_subreaper() -> None:
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _write(path: str, text: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)


def _map_ids(uid: int, gid: int) -> None:
    """Inside, the step is who the agent is outside: no other id exists."""
    _write("/proc/self/setgroups", b"deny")
    _write("/proc/self/uid_map", b"%d %d 1" % (uid, uid))
    _write("/proc/self/gid_map", b"%d %d 1" % (gid, gid))


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
    if not _mount_setattr(root, True, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0) or not _mount_setattr(
        root, False, 0, MOUNT_ATTR_RDONLY
    ):
        for target in (*targets, dev, proc):
            _remount_read_only(target)
    for lower, upper, work, inside in plan.overlays:
        _overlay(lower, upper, work, root + inside)
        for path in _hidden:
            if path.startswith(lower + "/"):  # an overlay shows the directory without what is mounted on it
                mount("/dev/null", root + path, None, MS_BIND)
    for host, inside in plan.late_binds:
        bound = _bind(host, root, inside)
        if bound is None:
            raise SetupError(f"{host} is gone")
        if not _mount_setattr(bound, True, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0):
            _remount_read_only(bound)
    os.chdir(root)
    # pivot_root(".", ".") stacks the old root on the new one; detaching "." takes the old one away.
    if _syscall(ctypes.c_long(_pivot_number or 0), b".", b"."):
        raise _fail("pivot_root")
    if _umount2(b".", MNT_DETACH):
        raise _fail("umount of the old root")
    os.chdir("/")


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


def drop_privileges() -> None:
    """No capability after the next exec, for root too, and no setuid program gives any."""
    _prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0)  # refused without CAP_SETPCAP: then there is nothing to drop
    _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


class Command:
    """What to run. `stdout` and `stderr` are paths to append to, opened before the root changes."""

    __slots__ = ("argv", "cwd", "env", "make_cwd", "stderr", "stdout")

    def __init__(
        self, argv: list[str], env: dict[str, str], cwd: str, stdout: str, stderr: str, make_cwd: bool = False
    ) -> None:
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.stdout = stdout
        self.stderr = stderr
        self.make_cwd = make_cwd

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> Command:
        """Read what an agent sent; wrong shapes raise KeyError, TypeError or ValueError."""
        argv = [str(arg) for arg in request["argv"]]
        if not argv or not argv[0]:
            raise ValueError("the command is empty")
        if any("\0" in arg for arg in argv):
            raise ValueError("an argument holds a NUL byte, which no command can receive")
        env = {str(key): str(value) for key, value in request["env"].items()}
        for key, value in env.items():
            if not key or "=" in key or "\0" in key or "\0" in value:
                raise ValueError(f"environment variable {key!r} cannot be passed on")
        return cls(
            argv,
            env,
            str(request["cwd"]),
            str(request["stdout"]),
            str(request["stderr"]),
            bool(request.get("make_cwd")),
        )


def open_spool(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def candidates(argv: list[str], env: dict[str, str]) -> list[str]:
    name = argv[0]
    if "/" in name:
        return [name]
    return [f"{folder or '.'}/{name}" for folder in env.get("PATH", "/usr/bin:/bin").split(":")]


def not_runnable(argv: list[str], env: dict[str, str], problem: OSError | None) -> str:
    """Why no candidate could be executed, as one would say it to the step's author."""
    name = argv[0]
    if problem is None:
        where = "" if "/" in name else f" in PATH ({env.get('PATH', '')})"
        return f"no such command: {name!r} was not found{where}"
    return f"cannot run {name!r}: {problem.strerror}"


def enter_cwd(command: Command) -> None:
    if command.make_cwd:
        os.makedirs(command.cwd, exist_ok=True)
    os.chdir(command.cwd)


def exec_command(command: Command) -> str:
    """Become the command. Returns only on failure, with its text."""
    problem: OSError | None = None
    for path in candidates(command.argv, command.env):
        try:
            os.execve(path, command.argv, command.env)  # noqa: S606 - an argv, and no shell is the point
        except (FileNotFoundError, NotADirectoryError) as exc:
            if os.path.exists(path):
                problem = exc  # the file is there, its interpreter (the #! line, the loader) is not
        except OSError as exc:
            problem = exc
    return not_runnable(command.argv, command.env, problem)


_RESET_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGXFSZ,
)


def spawn_command(command: Command, stdout: int, stderr: int) -> int | str:
    """Start the command as a child in a session of its own (vfork inside: no copy of this process). The pid, or why not."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    problem: OSError | None = None
    for path in candidates(command.argv, command.env):
        if not os.path.exists(path):
            continue
        try:
            return os.posix_spawn(
                path,
                command.argv,
                command.env,
                file_actions=actions,
                setsid=True,
                setsigdef=_RESET_SIGNALS,
                setsigmask=(),
            )
        except OSError as exc:
            problem = exc
    return not_runnable(command.argv, command.env, problem)


class _Asked(Exception):
    """The keeper closed its end: nothing more to run."""


class Init:
    """Pid 1 of one namespace. Reads start requests from `channel`, one JSON line each; answers each end with one line."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.inbox = b""
        self.base = -1

    def serve(self, dev_dir: str, dev_nodes: list[str], proc_dir: str, use_userns: bool, uid: int, gid: int) -> None:
        """Never returns."""
        code = 0
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, _pass_on)
            _close_others({0, 1, 2, self.channel})
            os.set_inheritable(self.channel, False)
            if use_userns:
                _map_ids(uid, gid)
            set_pdeathsig()
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.umask(0o022)
            prepare_base(dev_dir, dev_nodes, proc_dir)
            drop_privileges()
            self.base = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            while True:
                self.answer(self.run(self.next_request()))
        except (_Asked, BrokenPipeError):
            pass
        except BaseException as exc:
            # Nothing is above us: an exception that escaped would run the keeper's loop a second time.
            code = 125
            try:
                self.answer(_failed(SETUP_FAILED, f"{type(exc).__name__}: {exc}"))
            except OSError:
                pass
        finally:
            os._exit(code)

    def next_request(self) -> dict[str, Any]:
        while b"\n" not in self.inbox:
            raw = os.read(self.channel, 1 << 18)
            if not raw:
                raise _Asked
            self.inbox += raw
        line, self.inbox = self.inbox.split(b"\n", 1)
        request: dict[str, Any] = json.loads(line)
        return request

    def answer(self, result: dict[str, Any]) -> None:
        raw = json.dumps(result).encode() + b"\n"
        while raw:
            raw = raw[os.write(self.channel, raw) :]

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """One command from start to end; afterwards the namespace is empty and we are in our base again."""
        stdout = stderr = -1
        try:
            command = Command.from_request(request)
            plan = RootPlan.from_request(request["root"])
            stdout, stderr = open_spool(command.stdout), open_spool(command.stderr)
            if _unshare(CLONE_NEWNS):
                raise _fail("unshare")
            build(plan)
        except (SetupError, OSError, KeyError, TypeError, ValueError) as exc:
            self._leave(stdout, stderr)
            return _failed(SETUP_FAILED, str(exc))
        child: int | str
        try:
            enter_cwd(command)
            child = spawn_command(command, stdout, stderr)
        except (OSError, ValueError) as exc:
            child = f"cannot start in {command.cwd!r}: {getattr(exc, 'strerror', None) or exc}"
        if isinstance(child, str):
            os.write(stderr, (child + "\n").encode("utf-8", "replace"))
        self._leave(stdout, stderr)
        if isinstance(child, str):
            return _failed(EXEC_FAILED, child)
        return self._wait(child)

    @staticmethod
    def _wait(child: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        cpu_s, peak_kb = 0.0, 0
        while True:
            try:
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            cpu_s += usage.ru_utime + usage.ru_stime
            peak_kb = max(peak_kb, usage.ru_maxrss)
            if pid == child:
                result = {"kind": EXITED, "status": status, "text": ""}
            if result:  # the command is over: so is everything it started
                try:
                    os.kill(-1, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        result["cpu_ms"] = int(cpu_s * 1000)
        result["peak_kb"] = peak_kb
        return result

    def _leave(self, stdout: int, stderr: int) -> None:
        """Back to the base namespace: the command's own goes with its last process."""
        for fd in (stdout, stderr):
            if fd >= 0:
                os.close(fd)
        if _setns(self.base, CLONE_NEWNS):
            raise _fail("setns to the base namespace")


def _pass_on(_number: int, _frame: object) -> None:
    try:
        os.kill(-1, signal.SIGTERM)
    except ProcessLookupError:
        pass


def _failed(kind: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "status": 127 << 8, "text": text[:1000], "cpu_ms": 0, "peak_kb": 0}


def start_init(dev_dir: str, dev_nodes: list[str], proc_dir: str, use_userns: bool) -> tuple[int, socket.socket]:
    """Make the namespaces and their init; (pid, our end of its channel).

    Raises:
        SetupError: the kernel refused the namespaces. What fails later arrives over the channel.
    """
    uid, gid = os.geteuid(), os.getegid()
    ours, theirs = socket.socketpair()
    pid = clone(clone_flags(use_userns))
    if pid == 0:
        Init(theirs.fileno()).serve(dev_dir, dev_nodes, proc_dir, use_userns, uid, gid)
    theirs.close()
    return pid, ours


def run_direct(command: Command, pipe: int, lifeline: int) -> None:
    """Without namespaces: become the command in a session of its own. Never returns.

    What goes wrong before the exec is written to `pipe`, as ``kind:text``; both descriptors close by the exec.
    """
    kind, text = SETUP_FAILED, "?"
    try:
        signal.set_wakeup_fd(-1)
        set_pdeathsig()
        if _hung_up(lifeline):
            os._exit(125)
        stdout, stderr = open_spool(command.stdout), open_spool(command.stderr)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        _close_others({0, 1, 2, pipe})
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in _RESET_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        kind = EXEC_FAILED
        enter_cwd(command)
        text = exec_command(command)
        os.write(2, (text + "\n").encode("utf-8", "replace"))
    except BaseException as exc:  # as in Init.serve
        text = f"cannot start in {command.cwd!r}: {exc}"
    finally:
        try:
            os.write(pipe, f"{kind}:{text}".encode("utf-8", "replace")[:1000])
        except OSError:
            pass
        os._exit(127)


def _close_others(keep: set[int]) -> None:
    low = 3
    for fd in sorted(fd for fd in keep if fd >= 3):
        if fd > low:
            os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 1024)


def _hung_up(lifeline: int) -> bool:
    poll = select.poll()
    poll.register(lifeline, select.POLLHUP)
    return any(event & select.POLLHUP for _fd, event in poll.poll(0))


#: Host directories a step sees, where they exist. Home directories, /var, /run and /mnt are private.
HOST_DIRS = ("/usr", "/etc", "/opt", "/sys", "/nix/store")
HOST_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
PRIVATE_DIRS = (
    "/tmp", "/run", "/run/shm", "/var", "/var/tmp", "/var/run", "/home", "/root", "/mnt", "/srv", "/argo", "/argo/staging",
)  # fmt: skip
SCRIPT_PATH = "/argo/staging/script"
STICKY_DIRS = frozenset({"/tmp", "/run/shm", "/var/tmp"})


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


def probe(scratch: str) -> dict[str, object]:
    """Try whole private roots under `scratch`, best kind first. Only in a process without threads.

    Returns:
        {"ok": bool, "why": str, "overlay": bool, "userns": bool}; `why` is the last refusal.
    """
    if not clone_supported():
        return {"ok": False, "why": f"machine {os.uname().machine!r} is not known", "overlay": False, "userns": False}
    why = ""
    for use_userns in (False, True) if os.geteuid() == 0 else (True,):
        for use_overlay in (True, False):
            problem = _probe_once(scratch, use_userns, use_overlay)
            if not problem:
                return {"ok": True, "why": why, "overlay": use_overlay, "userns": use_userns}
            why = problem
    return {"ok": False, "why": why, "overlay": False, "userns": False}


def _probe_once(scratch: str, use_userns: bool, use_overlay: bool) -> str:
    """ "" when a command runs in such a root and its file lands where it should, else why not."""
    base = os.path.join(scratch, f"probe-{os.getpid()}-{time.monotonic_ns()}")
    root, dev, proc, upper, work = (os.path.join(base, name) for name in ("root", "dev", "proc", "upper", "work"))
    for path in (root, proc, upper, work):
        os.makedirs(path)
    prepare_dev_dir(dev)
    binds, links = host_binds([])
    if use_overlay:
        prepare_skeleton(root, binds, links)
    channel = None
    try:
        pid, channel = start_init(dev, device_nodes([]), proc, use_userns)
        request = {
            "argv": ["touch", "/tmp/x"],
            "env": {"PATH": "/usr/bin:/bin"},
            "cwd": "/",
            "stdout": os.path.join(base, "stdout"),
            "stderr": os.path.join(base, "stderr"),
            "root": {
                "root": root,
                "binds": binds,
                "dev_dir": dev,
                "proc_dir": proc,
                "upper": upper if use_overlay else "",
                "work": work,
                "links": links,
                "dirs": PRIVATE_DIRS,
            },
        }
        channel.settimeout(10.0)
        channel.sendall(json.dumps(request).encode() + b"\n")
        raw = channel.recv(1 << 16)
        channel.close()
        os.waitpid(pid, 0)
        if not raw:
            return "the probe process died"
        result = json.loads(raw)
        if result["kind"] != EXITED or result["status"]:
            return result["text"] or f"the probe command ended with {result['status']}"
        landed = os.path.join(upper if use_overlay else root, "tmp", "x")
        return "" if os.path.exists(landed) else "the probe's file did not land in its private root"
    except (SetupError, OSError) as exc:
        return str(exc)
    finally:
        if channel is not None:
            channel.close()
        remove_tree(base)


def clone_flags(use_userns: bool) -> int:
    return CLONE_NEWNS | CLONE_NEWPID | (CLONE_NEWUSER if use_userns else 0)


def remove_tree(path: str) -> None:
    """Delete without following links; what cannot be deleted is left (the agent's cleaner tries again)."""
    try:
        entries = list(os.scandir(path))
    except PermissionError:  # the step took our right to list its own directory; we own it
        _quiet(lambda name: os.chmod(name, 0o700), path)
        try:
            entries = list(os.scandir(path))
        except OSError:
            return
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            try:
                os.unlink(entry.path)
            except PermissionError:
                _quiet(lambda name: os.chmod(name, 0o700), path)
                _quiet(os.unlink, entry.path)
            except OSError:
                pass
    _quiet(os.rmdir, path)


def _quiet(call: Callable[[str], object], path: str) -> None:
    try:
        call(path)
    except OSError:
        pass
