"""Bells: wake-ups between processes that may be lost.

A bell is one loopback datagram to each listener of a topic; listeners register their port as a file in the state
folder. Whoever waits also polls, so a lost ring costs at most the poll interval and never work.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from django.conf import settings


def _folder(topic: str) -> Path:
    return Path(settings.FUBINI_HOME) / "bells" / topic


class Bell:
    """Listens for rings of one topic; a context manager. `wait()` blocks, `fileno()` serves event loops."""

    def __init__(self, topic: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        port: int = self._socket.getsockname()[1]
        folder = _folder(topic)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = folder / f"{port}"
        self._file.write_text(str(os.getpid()))

    def __enter__(self) -> Bell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.unlink(missing_ok=True)
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring; True if one came. Rings that piled up count as one."""
        import select

        ready, _, _ = select.select([self._socket], [], [], max(timeout_s, 0))
        return bool(ready) and bool(self.drain())

    def drain(self) -> list[bytes]:
        """Take all waiting rings; their payloads (at most 64 bytes each)."""
        got: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(self._socket.recv(64))
        return got


_sender: socket.socket | None = None


def ring(topic: str, payload: str = "") -> None:
    """Ring every listener of a topic; never raises, never blocks."""
    global _sender
    if _sender is None:
        _sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        _sender.setblocking(False)
    try:
        names = [path.name for path in _folder(topic).iterdir()]
    except FileNotFoundError:
        return
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            _sender.sendto(payload.encode()[:64], ("127.0.0.1", int(name)))
