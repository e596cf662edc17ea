"""Pid 1 of a pid namespace: runs one command after another, each in a root of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket

from fubini_agent.private_root.commands import (
    EXEC_FAILED,
    EXITED,
    SETUP_FAILED,
    Command,
    close_others,
    enter_cwd,
    open_spool,
    spawn_command,
)
from fubini_agent.private_root.kernel import (
    SetupError,
    clone,
    clone_flags,
    drop_privileges,
    enter_mounts,
    set_pdeathsig,
    unshare_mounts,
)
from fubini_agent.private_root.roots import (
    RootPlan,
    build,
    prepare_base,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from typing import Any


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
            close_others({0, 1, 2, self.channel})
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
            unshare_mounts()
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
        enter_mounts(self.base)


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
