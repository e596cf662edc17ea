"""The keeper's append-only file: what was started and how it ended, for an agent that was away."""

from __future__ import annotations

import json
import os

from fubini_agent.keeper.children import complain

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself is not imported: it would make the keeper larger
    from collections.abc import Callable
    from typing import Any

REWRITE_BYTES = 4 * 1024 * 1024


class Markers:
    """One file a keeper. `current` gives the records that still matter, for when the file is rewritten without the rest."""

    def __init__(self, path: str, current: Callable[[], list[dict[str, Any]]]) -> None:
        self.path = path
        self.current = current
        self.fd = _open(path)
        self.size = 0

    def add(self, *records: dict[str, Any]) -> None:
        raw = _lines(records)
        try:
            os.write(self.fd, raw)
            self.size += len(raw)
        except OSError as exc:
            # A full disk: the agent still hears it over the socket, and asks with `status` when it comes back.
            complain(f"keeper: marker not written: {exc}")
        if self.size > REWRITE_BYTES:
            self._rewrite()

    def sync(self) -> None:
        try:
            os.fdatasync(self.fd)
        except OSError as exc:
            complain(f"keeper: marker not synced: {exc}")

    def _rewrite(self) -> None:
        temporary = self.path + ".new"
        raw = _lines(self.current())
        try:
            fd = _open(temporary)
            os.ftruncate(fd, 0)
            os.write(fd, raw)
            os.fdatasync(fd)
            os.rename(temporary, self.path)
        except OSError as exc:
            complain(f"keeper: markers not rewritten: {exc}")
            self.size = 0
            return
        os.close(self.fd)
        self.fd, self.size = fd, len(raw)


def _lines(records: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
