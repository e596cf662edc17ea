"""Pid 1 of a pid namespace: runs one step after another, each in a root of its own.

A step is one command, or several containers in one root (`Crew`); of those the keeper is told by a line each when they
start and end, before the line that ends the step.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import time

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

    from fubini_agent.private_root.containers import Container, Containers


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
                request = self.next_request()
                self.answer(Crew(self, request).run() if request.get("containers") else self.run(request))
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


class Crew:
    """The containers of one step, in the namespace of `init`. See `containers.Containers` for who runs when."""

    def __init__(self, init: Init, request: dict[str, Any]) -> None:
        self.init = init
        self.request = request
        self.spools: dict[str, tuple[int, int]] = {}
        self.commands: dict[str, Command] = {}
        self.cpu_s, self.peak_kb = 0.0, 0
        self.told: set[str] = set()

    def run(self) -> dict[str, Any]:
        """All of them from start to end; afterwards the namespace is empty and we are in our base again."""
        # Before the root changes, and only where there are containers: every other step's init stays smaller.
        from fubini_agent.private_root.containers import Container, Containers

        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
        try:
            try:
                members = [Container.from_request(part) for part in self.request["containers"]]
                crew = Containers(members, float(self.request.get("grace_s", 10.0)))
                plan = RootPlan.from_request(self.request["root"])
                for part in self.request["containers"]:
                    command = Command.from_request(part)
                    self.commands[str(part["name"])] = command
                    self.spools[str(part["name"])] = (open_spool(command.stdout), open_spool(command.stderr))
                unshare_mounts()
                build(plan)
            except (SetupError, OSError, KeyError, TypeError, ValueError) as exc:
                return _failed(SETUP_FAILED, str(exc))
            self.work(crew)
            self.empty()
            return {
                "kind": EXITED,
                "status": crew.code() << 8,
                "text": next((member.text for member in members if member.text), "")[:1000],
                "cpu_ms": int(self.cpu_s * 1000),
                "peak_kb": self.peak_kb,
                "containers": crew.codes(),
            }
        finally:
            for pair in self.spools.values():
                for fd in pair:
                    os.close(fd)
            self.init._leave(-1, -1)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def work(self, crew: Containers) -> None:
        while True:
            now = time.monotonic()
            for member in crew.to_start(now):
                self.start(crew, member)
            for member, number in crew.to_signal(time.monotonic()):
                _signal_group(member.pid, number)
            for name, code in crew.codes().items():
                if name not in self.told:
                    self.told.add(name)
                    self.init.answer({"container": name, "code": code})
            if crew.over:
                return
            self.wait(crew)

    def start(self, crew: Containers, member: Container) -> None:
        command = self.commands[member.name]
        stdout, stderr = self.spools[member.name]
        child: int | str
        try:
            enter_cwd(command)
            child = spawn_command(command, stdout, stderr)
        except (OSError, ValueError) as exc:
            child = f"cannot start in {command.cwd!r}: {getattr(exc, 'strerror', None) or exc}"
        if isinstance(child, str):
            os.write(stderr, (child + "\n").encode("utf-8", "replace"))
            crew.refused(member, child)
        else:
            crew.started(member, child)
            self.init.answer({"container": member.name, "code": None})

    def wait(self, crew: Containers) -> None:
        """Until a process ends, the step is to be ended, or something is due."""
        due_s = crew.due_s(time.monotonic())
        found = signal.sigwaitinfo(_WAITED_FOR) if due_s is None else signal.sigtimedwait(_WAITED_FOR, due_s)
        if found is not None and found.si_signo == signal.SIGTERM:
            _pass_on(signal.SIGTERM, None)
            crew.stop()
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self.count(usage)
            if crew.ended(pid, status, time.monotonic()) is not None:
                _signal_group(pid, signal.SIGKILL)  # what the container left behind

    def count(self, usage: resource.struct_rusage) -> None:
        self.cpu_s += usage.ru_utime + usage.ru_stime
        self.peak_kb = max(self.peak_kb, usage.ru_maxrss)

    def empty(self) -> None:
        """Whatever is left in the namespace ends."""
        while True:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                self.count(os.wait4(-1, 0)[2])
            except ChildProcessError:
                return


_WAITED_FOR = {signal.SIGCHLD, signal.SIGTERM}


def _signal_group(pid: int, number: int) -> None:
    """A container and what it started in its own session's group."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


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
