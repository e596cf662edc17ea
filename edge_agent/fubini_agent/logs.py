"""Ship what steps print: by offset, in the background, with a limit a stream; each container of a step has its own two.

The spool files are the buffer, so nothing is held in memory and a restart or an outage loses nothing: the platform's
reply says from which byte to go on. Past the limit a stream is closed with a mark that tells how many bytes were left
out; its spool is cut so that an endless printer cannot fill the disk. The values of secrets never leave (`masking`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fubini_agent.errors import AgentError, Permanent, Transient
from fubini_agent.masking import Masker
from fubini_agent.staging.layout import Layout
from fubini_agent.transport import Backoff, Transport
from fubini_protocol.v1.messages import LeaseOffer, LogChunk, LogsRequest, Stream

_log = logging.getLogger("fubini_agent.logs")
INTERVAL_S = 0.25
CHUNK_BYTES = 256 * 1024
REQUEST_BYTES = 2 * 1024 * 1024
SPOOL_SLACK_BYTES = 64 * 1024 * 1024
_STREAMS = (Stream.STDOUT, Stream.STDERR)


@dataclass
class _Spool:
    """One stream of one attempt. `cut_bytes` were removed from the file's middle to save the disk."""

    offer: LeaseOffer
    container: str
    stream: Stream
    path: Path
    limit: int
    offset: int = 0
    cut_bytes: int = 0
    ended: bool = False
    closed: bool = False


class LogShipper:
    """All streams of one agent."""

    def __init__(
        self, transport: Transport, agent_id: str, session_id: str, maskers: Mapping[str, Masker] | None = None
    ) -> None:
        self.transport = transport
        self.maskers = maskers if maskers is not None else {}
        self.agent_id = agent_id
        self.session_id = session_id
        self._spools: dict[tuple[str, str, Stream], _Spool] = {}  # by attempt, container, stream
        self._containers: dict[str, list[str]] = {}  # by attempt; "" stands for its principal
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def follow(self, offer: LeaseOffer, layout: Layout) -> None:
        """Ship the streams of all an attempt's containers from now on."""
        others = [part.name for part in offer.spec.containers if part.name != offer.spec.principal]
        self._containers[offer.attempt_id] = ["", *others]
        for container in self._containers[offer.attempt_id]:
            for stream, path in zip(_STREAMS, layout.spools(container)):
                key = (offer.attempt_id, container, stream)
                if key not in self._spools:
                    limit = max(0, offer.spec.log_max_bytes)
                    self._spools[key] = _Spool(offer, container, stream, path, limit)

    def _keys(self, attempt_id: str) -> list[tuple[str, str, Stream]]:
        names = self._containers.get(attempt_id, ())
        keys = [(attempt_id, name, stream) for name in names for stream in _STREAMS]
        return [key for key in keys if key in self._spools]

    def ended(self, attempt_id: str) -> None:
        """The command is over: what is there now is all there will be."""
        for key in self._keys(attempt_id):
            spool = self._spools[key]
            spool.ended = True
            if _size(spool.path) == 0:
                del self._spools[key]  # the common case: nothing was printed

    def forget(self, attempt_id: str) -> None:
        for key in self._keys(attempt_id):
            del self._spools[key]
        self._containers.pop(attempt_id, None)

    def is_done(self, attempt_id: str) -> bool:
        """Whether all its output was shipped, so that its files may go."""
        return not self._keys(attempt_id)

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff(first_s=0.5, cap_s=20.0)
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                while await self.ship():
                    backoff.reset()
            except Transient as exc:
                await asyncio.sleep(backoff.next_s(exc.retry_after_s))
            except AgentError as exc:
                _log.warning("logs are not accepted: %s", exc)
                await asyncio.sleep(backoff.next_s())
            except Exception:
                _log.exception("shipping logs failed")
                await asyncio.sleep(backoff.next_s())

    async def ship(self) -> bool:
        """Send one request's worth; whether there may be more.

        Raises:
            Transient, Permanent: from the platform.
        """
        chunks: list[LogChunk] = []
        size = 0
        for key, spool in list(self._spools.items()):
            chunk = self._next(spool)
            if chunk is None:
                if spool.ended and (spool.closed or spool.offset >= _size(spool.path)):
                    self._spools.pop(key, None)
                continue
            chunks.append(chunk)
            size += len(chunk.data)
            if size > REQUEST_BYTES:
                break
        if not chunks:
            return False
        request = LogsRequest(agent_id=self.agent_id, session_id=self.session_id, chunks=tuple(chunks))
        try:
            reply = await self.transport.logs(request)
        except Permanent as exc:
            if exc.status not in (400, 413, 422):
                raise
            # One chunk the platform cannot take must not stop the others: this batch is given up.
            _log.error("a batch of logs was refused and is dropped: %s", exc)
            for chunk in chunks:
                self._moved((chunk.attempt_id, chunk.container, chunk.stream), chunk.offset + len(chunk.content()))
            return True
        answered = {(item.attempt_id, item.container, item.stream): item for item in reply.next}
        progressed = False
        for chunk in chunks:
            key = (chunk.attempt_id, chunk.container, chunk.stream)
            item, target = answered.get(key), self._spools.get(key)
            if item is None or target is None:
                continue
            progressed = progressed or item.offset != target.offset or item.closed
            target.closed = target.closed or item.closed or chunk.truncated
            self._moved(key, item.offset)
        return progressed

    def _moved(self, key: tuple[str, str, Stream], offset: int) -> None:
        spool = self._spools.get(key)
        if spool is None:
            return
        spool.offset = max(0, offset)
        if spool.ended and (spool.closed or spool.offset >= _size(spool.path)):
            del self._spools[key]

    def _next(self, spool: _Spool) -> LogChunk | None:
        if spool.closed:
            self._cut(spool)
            return None
        size = _size(spool.path)
        end = min(size, spool.limit)
        if spool.offset < end:
            with contextlib.suppress(OSError), open(spool.path, "rb") as file:
                content = self._read(spool, file, end)
                content = _whole_characters(content, spool.ended and spool.offset + len(content) >= end)
                if content:
                    return self._chunk(spool, content, eof=spool.ended and spool.offset + len(content) == size)
            return None
        if size > spool.limit and spool.ended:
            skipped = size - spool.limit + spool.cut_bytes
            return self._chunk(spool, b"", truncated=True, skipped_bytes=skipped, eof=True)
        if size > spool.limit:
            self._cut(spool)
        return None

    def _read(self, spool: _Spool, file: BinaryIO, end: int) -> bytes:
        """The next bytes that may go out. Of a step with secrets none may before those are known; then a window that
        reaches a value's length beyond both ends is looked at, so that no value hides across a border."""
        if not spool.offer.spec.needs_secrets:
            file.seek(spool.offset)
            return file.read(min(CHUNK_BYTES, end - spool.offset))
        masker = self.maskers.get(spool.offer.attempt_id)
        if masker is None:
            return b""
        around = max(0, masker.longest - 1)
        begin = max(0, spool.offset - around)
        file.seek(begin)
        wanted = min(CHUNK_BYTES, end - spool.offset)
        window = file.read(spool.offset - begin + wanted + around)
        last = min(spool.offset - begin + wanted, len(window))
        # At the end of what there is, a value's beginning waits for the rest; at the limit's cut none will come.
        is_tail = begin + len(window) >= _size(spool.path) and not (spool.ended and not spool.cut_bytes)
        held = masker.held(window) if is_tail else 0
        masked = masker.mask(window)
        if held and (spool.ended or spool.cut_bytes):
            masked = masked[: len(masked) - held] + b"*" * held
        elif held:
            last = min(last, len(window) - held)
        return masked[spool.offset - begin : max(last, spool.offset - begin)]

    @staticmethod
    def _chunk(
        spool: _Spool, content: bytes, *, truncated: bool = False, skipped_bytes: int = 0, eof: bool = False
    ) -> LogChunk:
        return LogChunk.of(
            content,
            attempt_id=spool.offer.attempt_id,
            task_id=spool.offer.task_id,
            fence=spool.offer.fence,
            stream=spool.stream,
            offset=spool.offset,
            truncated=truncated,
            skipped_bytes=skipped_bytes,
            eof=eof,
            container=spool.container,
        )

    @staticmethod
    def _cut(spool: _Spool) -> None:
        """Give the disk back what nobody will read; the command appends, so it goes on behind the cut."""
        size = _size(spool.path)
        if size > spool.limit + SPOOL_SLACK_BYTES:
            with contextlib.suppress(OSError):
                os.truncate(spool.path, spool.limit)
                spool.cut_bytes += size - spool.limit


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _whole_characters(content: bytes, last: bool) -> bytes:
    """Not to split a UTF-8 character between two chunks, hold back an unfinished one (at most 3 bytes)."""
    if last:
        return content
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            return content
        if byte >= 0xC0:
            need = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return content[:-back] if back < need and len(content) > back else content
    return content
