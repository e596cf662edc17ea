"""A command, and the two ways to start one: as a child of an init, or directly in place of a forked keeper."""

from __future__ import annotations

import os
import resource
import select
import signal

from fubini_agent.private_root.kernel import (
    set_pdeathsig,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from typing import Any

EXITED, SETUP_FAILED, EXEC_FAILED = "exited", "setup_failed", "exec_failed"


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
        close_others({0, 1, 2, pipe})
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


def close_others(keep: set[int]) -> None:
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
