"""The containers of one step: who starts when, who is run again, who is ended. No process is touched here.

``init`` containers run one after the other; then the ``sidecar`` ones start, and each ``main`` one as soon as all it
depends on ended with 0. When the main ones are over the sidecars are ended: SIGTERM, and SIGKILL after the grace. A main
container that waited for one that failed is not run and ends with 64, as Argo has it. After `stop` nothing starts.

Standard library only: it runs in a step's init.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from typing import Any

INIT, MAIN, SIDECAR = "init", "main", "sidecar"
NOT_RUN = 64
WAITING, RUNNING, PAUSED, ENDED = "waiting", "running", "paused", "ended"


class Container:
    """One container. `code` is None until it has ended, and for ever when it never had its turn."""

    __slots__ = ("after", "again_at", "code", "delay_s", "kind", "name", "pid", "request", "runs", "state", "text")

    def __init__(
        self,
        name: str,
        kind: str,
        after: tuple[str, ...] = (),
        runs: int = 1,
        delay_s: float = 0.0,
        request: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.after = after
        self.runs = max(1, runs)
        self.delay_s = delay_s
        self.request = request or {}
        self.state = WAITING
        self.pid = 0
        self.code: int | None = None
        self.again_at = 0.0
        self.text = ""

    @classmethod
    def from_request(cls, request: dict[str, Any]) -> Container:
        """Read what an agent sent; wrong shapes raise KeyError, TypeError or ValueError."""
        kind = str(request["kind"])
        if kind not in (INIT, MAIN, SIDECAR):
            raise ValueError(f"a container cannot be of kind {kind!r}")
        return cls(
            str(request["name"]),
            kind,
            tuple(str(name) for name in request.get("after", ())),
            int(request.get("runs", 1)),
            float(request.get("delay_s", 0.0)),
            request,
        )


class Containers:
    """All containers of a step. `grace_s` is between a sidecar's SIGTERM and its SIGKILL. Times are monotonic seconds.

    Raises:
        ValueError: there is no main one, a name is used twice, or one waits for a name that is not there.
    """

    def __init__(self, members: list[Container], grace_s: float) -> None:
        self.members = members
        self.grace_s = max(0.0, grace_s)
        self.by_name = {member.name: member for member in members}
        self.mains = [member for member in members if member.kind == MAIN]
        self.stopping = False
        self.kill_at: float | None = None
        if not self.mains:
            raise ValueError("a step needs a main container")
        if len(self.by_name) != len(members):
            raise ValueError("two containers have one name")
        for member in members:
            for name in member.after:
                if name not in self.by_name:
                    raise ValueError(f"container {member.name!r} waits for {name!r}, which there is not")

    # --- what happens -------------------------------------------------------------------------------------------

    def started(self, member: Container, pid: int) -> None:
        member.state, member.pid = RUNNING, pid
        member.runs -= 1

    def refused(self, member: Container, text: str) -> None:
        """Its command cannot be executed: no second run would help."""
        member.runs = 0
        self._end(member, NOT_RUN, text)

    def ended(self, pid: int, status: int, now: float) -> Container | None:
        """A process is gone (`status` as wait tells); the container it was, if it was one."""
        for member in self.members:
            if member.pid == pid and member.state == RUNNING:
                code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                if code and member.runs > 0 and not self.stopping:
                    member.state, member.pid, member.again_at = PAUSED, 0, now + member.delay_s
                    member.code = code  # of its latest run, should there be no other
                else:
                    self._end(member, code)
                return member
        return None

    def stop(self) -> None:
        """The step is being ended from outside: the signal was passed on, what does not run yet never will."""
        self.stopping = True
        for member in self.members:
            if member.state == PAUSED:
                self._end(member, member.code)
            elif member.state == WAITING:
                self._end(member, None)

    @staticmethod
    def _end(member: Container, code: int | None, text: str = "") -> None:
        member.state, member.pid, member.code, member.text = ENDED, 0, code, text

    # --- what follows -------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        return all(member.state == ENDED for member in self.members)

    def codes(self) -> dict[str, int]:
        """Exit codes of those that ended, or were left out because another failed."""
        return {m.name: m.code for m in self.members if m.state == ENDED and m.code is not None}

    def code(self) -> int:
        """What the step as a whole ends with: 0, or the first failure of its init and main containers (``main`` first)."""
        order = [m for m in self.members if m.kind == INIT] + sorted(self.mains, key=lambda m: m.name != "main")
        return next((m.code for m in order if m.code), 0)

    def to_start(self, now: float) -> list[Container]:
        """Whose turn it is, in order; what can never run any more ends here."""
        if self.stopping:
            return []
        for member in self.members:
            if member.kind != INIT:
                continue
            if member.state == WAITING:
                return [member]
            if member.state != ENDED:
                return []
            if member.code:
                self.stop()
                return []
        found = [m for m in self.members if m.kind == SIDECAR and m.state == WAITING]
        moved = True
        while moved:  # one that is left out may leave out others
            moved = False
            for member in self.mains:
                if member.state == WAITING and self._blocked(member):
                    moved = True
        found += [m for m in self.mains if m.state == WAITING and self._may_start(m)]
        found += [m for m in self.mains if m.state == PAUSED and now >= m.again_at]
        return found

    def _blocked(self, member: Container) -> bool:
        for name in member.after:
            other = self.by_name[name]
            if other.state != ENDED:
                return False
            if other.code:
                self._end(member, NOT_RUN, f"dependency {name!r} exited with non-zero code: {other.code}")
                return True
        return False

    def _may_start(self, member: Container) -> bool:
        return all(self.by_name[name].state == ENDED for name in member.after)

    def to_signal(self, now: float) -> list[tuple[Container, int]]:
        """The sidecars to end now, each with the signal."""
        if any(member.state != ENDED for member in self.mains):
            return []
        alive = [m for m in self.members if m.kind == SIDECAR and m.state == RUNNING]
        if self.kill_at is None:
            self.kill_at = now + self.grace_s
            return [(member, signal.SIGTERM) for member in alive]
        return [(member, signal.SIGKILL) for member in alive] if now >= self.kill_at else []

    def due_s(self, now: float) -> float | None:
        """How long nothing happens by itself; None = until a process ends."""
        times = [m.again_at for m in self.members if m.state == PAUSED]
        if self.kill_at is not None:
            times.append(self.kill_at)
        return max(0.0, min(times) - now) if times else None
