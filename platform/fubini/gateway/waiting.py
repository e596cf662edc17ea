"""Long polls that wake up: one bell a web process, one asyncio event an agent that waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from fubini.common.bell import Bell

_bells: dict[int, Bell] = {}
_waiters: dict[str, set[asyncio.Event]] = defaultdict(set)


def _listen(loop: asyncio.AbstractEventLoop) -> None:
    """Open this loop's bell once; a ring carries the agent's id, an empty one wakes all."""
    if id(loop) in _bells:
        return
    bell = Bell("agents")
    _bells[id(loop)] = bell
    loop.add_reader(bell.fileno(), _rung, bell)


def _rung(bell: Bell) -> None:
    for payload in bell.drain():
        agent_id = payload.decode(errors="replace")
        for name in [agent_id] if agent_id else list(_waiters):
            for event in _waiters.get(name, ()):
                event.set()


class Waiter:
    """Registered before the first look, so that a ring between look and wait is not missed."""

    def __init__(self, agent_id: str) -> None:
        self._agent_id = agent_id
        self._event = asyncio.Event()

    def __enter__(self) -> Waiter:
        _listen(asyncio.get_running_loop())
        _waiters[self._agent_id].add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        _waiters[self._agent_id].discard(self._event)
        if not _waiters[self._agent_id]:
            _waiters.pop(self._agent_id, None)

    async def wait(self, timeout_s: float) -> bool:
        """True if rung; the ring is taken."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return False
        self._event.clear()
        return True
