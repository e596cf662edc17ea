"""What the keeper knows of one command and of one namespace, and what the kernel says of a process."""

from __future__ import annotations

import os
import time

from fubini_agent.limits import Group, Held
from fubini_agent.slots import Slots

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    import socket
    from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    """One command in our care. Times are monotonic seconds unless named `_ms` (wall clock)."""

    __slots__ = (
        "attempt_id", "containers", "ended_for", "fence", "grace_s", "held", "kill_at", "limit_at", "memory_bytes", "note", "peak_bytes",
        "pid", "private", "slots", "started", "started_ms", "starttime",
    )  # fmt: skip

    def __init__(self, attempt_id: str, fence: int, pid: int, private: bool) -> None:
        self.attempt_id = attempt_id
        self.fence = fence
        self.pid = pid
        self.private = private
        self.started = time.monotonic()
        self.started_ms = int(time.time() * 1000)
        self.starttime = process_start_ticks(pid)
        self.grace_s = 10.0
        self.limit_at: float | None = None
        self.kill_at: float | None = None
        self.memory_bytes = 0
        self.peak_bytes = 0
        self.ended_for = ""
        self.containers: dict[str, int | None] | None = None  # exit code by name, None while it runs
        self.held = Held()
        self.slots: tuple[Slots, tuple[int, ...]] | None = None  # of the machine, given back at its end
        self.note: Any = None  # the agent's own, given back with everything we say of this command

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.attempt_id,
            "fence": self.fence,
            "pid": self.pid,
            "starttime": self.starttime,
            "started_ms": self.started_ms,
            "note": self.note,
        }


class Runner:
    """One namespace with its init, and the command it runs now. See `private_root`."""

    __slots__ = ("channel", "child", "group", "inbox", "outbox", "pid", "starttime")

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.starttime = process_start_ticks(pid)
        self.child: Child | None = None
        self.group: Group | None = None
        self.inbox = b""
        self.outbox = b""


def process_start_ticks(pid: int) -> int:
    """Clock ticks since boot at which a process started: with the pid, it names the process for ever. 0 when gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def tree_memory_bytes(pid: int) -> int:
    """Resident bytes of a process and all its descendants (shared pages counted once each process)."""
    total, todo = 0, [pid]
    while todo:
        current = todo.pop()
        try:
            with open(f"/proc/{current}/statm", "rb") as file:
                fields = file.read().split()
            total += (int(fields[1]) - int(fields[2])) * _PAGE  # without shared pages: libraries are nobody's
            for thread in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{thread}/children", "rb") as file:
                    todo.extend(int(child) for child in file.read().split())
        except (OSError, ValueError, IndexError):
            continue
    return total


def complain(text: str) -> None:
    """To the keeper's log: nobody else may be there to hear it."""
    try:
        os.write(2, (text + "\n").encode("utf-8", "replace"))
    except OSError:
        pass
