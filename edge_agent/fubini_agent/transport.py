"""HTTP to the platform: join, sync, logs, secrets, blobs. Outbound only; the one module that imports httpx.

Turns every outcome into an answer, `Transient` (try again, perhaps after `retry_after_s`) or `Permanent`. Retrying and
its pace are the callers'; a download resumes at the byte by itself. The credential is only ever a request header.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Optional, TypeVar
from urllib.parse import urljoin

import httpx
from pydantic import ValidationError

from fubini_agent.config import Identity
from fubini_agent.errors import Permanent, Transient, Unauthorized
from fubini_protocol.v1 import messages
from fubini_protocol.v1.errors import ErrorBody
from fubini_protocol.v1.messages import (
    BlobAccess,
    FilesAnswer,
    FilesTaken,
    JoinReply,
    JoinRequest,
    LogsReply,
    LogsRequest,
    SecretsReply,
    SecretsRequest,
    SyncReply,
    SyncRequest,
)

if TYPE_CHECKING:
    from fubini_protocol.v1.base import Message

_log = logging.getLogger("fubini_agent.transport")
_T = TypeVar("_T", bound="Message")
CONNECT_S = 10.0
ANSWER_S = 30.0
REPLY_MAX_BYTES = 64 * 1024 * 1024
UPLOAD_CHUNK = 256 * 1024
#: Blobs from this size on tell how wide the link is; smaller ones only how far away the platform is.
MEASURED_BYTES = 4 << 20
HEAD_FIRST_BYTES = 1 << 20  # above this size it is worth asking whether the platform has the blob already
_ATTEMPTS = 5


class Backoff:
    """Waits that double up to a cap, with jitter that survives the cap (half to whole)."""

    def __init__(self, first_s: float = 0.25, cap_s: float = 5.0) -> None:
        self.first_s = first_s
        self.cap_s = cap_s
        self.failures = 0

    def reset(self) -> None:
        self.failures = 0

    def next_s(self, retry_after_s: Optional[float] = None) -> float:
        self.failures += 1
        wait_s = min(self.cap_s, self.first_s * 2 ** min(self.failures - 1, 16))
        if retry_after_s is not None:
            wait_s = max(wait_s, min(retry_after_s, 300.0))
        low, high = (0.5, 1.0) if retry_after_s is None else (1.0, 1.25)  # never before the wished time
        return float(wait_s * random.uniform(low, high))  # noqa: S311 - spreads load, guards nothing


class LinkMeter:
    """How fast large blobs come in: their bytes, and the time during which at least one was on its way.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self.moved_bytes = 0
        self._busy_s = 0.0
        self._active = 0
        self._since = 0.0

    def begin(self, now: float) -> None:
        if not self._active:
            self._since = now
        self._active += 1

    def end(self, now: float) -> None:
        self._active -= 1
        if not self._active:
            self._busy_s += now - self._since

    def busy_ms(self, now: float) -> int:
        return int((self._busy_s + (now - self._since if self._active else 0.0)) * 1000)


class Transport:
    """One agent's connections. Blob addresses may be relative to the platform's URL."""

    def __init__(self, url: str, identity: Optional[Identity] = None) -> None:
        self.url = url.rstrip("/") + "/"
        self.identity = identity
        self.meter = LinkMeter()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=60.0),
            headers={"user-agent": "fubini-agent", "accept": "application/json"},
            follow_redirects=False,
            trust_env=True,
        )

    async def close(self) -> None:
        await self._client.aclose()

    # --- messages -------------------------------------------------------------------------------------------------

    async def join(self, request: JoinRequest) -> JoinReply:
        return await self._post(messages.JOIN_PATH, request, JoinReply, ANSWER_S, authorized=False)

    async def sync(self, request: SyncRequest) -> SyncReply:
        assert self.identity is not None
        return await self._post(self.identity.sync_path, request, SyncReply, ANSWER_S + request.wait_s)

    async def logs(self, request: LogsRequest) -> LogsReply:
        assert self.identity is not None
        return await self._post(self.identity.logs_path, request, LogsReply, ANSWER_S)

    async def secrets(self, request: SecretsRequest) -> SecretsReply:
        return await self._post(messages.SECRETS_PATH, request, SecretsReply, ANSWER_S)

    async def files(self, answer: FilesAnswer) -> FilesTaken:
        return await self._post(messages.FILES_PATH, answer, FilesTaken, ANSWER_S)

    def _authorization(self) -> dict[str, str]:
        assert self.identity is not None
        return {"authorization": f"Bearer {self.identity.credential}"}

    async def _post(self, path: str, body: Message, reply: type[_T], read_s: float, *, authorized: bool = True) -> _T:
        headers = {"content-type": "application/json"}
        if authorized:
            headers.update(self._authorization())
        try:
            response = await self._client.post(
                urljoin(self.url, path.lstrip("/")),
                content=body.to_json(),
                headers=headers,
                timeout=httpx.Timeout(read_s, connect=CONNECT_S),
            )
        except (httpx.HTTPError, OSError) as exc:
            raise Transient(f"{path}: {type(exc).__name__} {exc}".rstrip()) from exc
        _raise_for(response, path)
        if len(response.content) > REPLY_MAX_BYTES:
            raise Permanent(f"{path}: the reply has {len(response.content)} bytes, more than {REPLY_MAX_BYTES}")
        try:
            message, problems = reply.read(response.content)
            for problem in problems:
                _log.error("%s: a part of the reply is malformed and left out: %s", path, problem)
            return message
        except ValidationError as exc:
            # Only places and kinds of what is wrong: a reply may hold secrets.
            wrong = "; ".join(f"{error['loc']}: {error['type']}" for error in exc.errors(include_input=False)[:3])
            raise Transient(f"{path}: the reply is not a {reply.__name__}: {wrong[:300]}") from None

    # --- blobs ----------------------------------------------------------------------------------------------------

    async def download(
        self, digest: str, size: int, target: Path, *, url: str = "", access: Optional[BlobAccess] = None
    ) -> int:
        """Write a blob to `target`, resuming at the byte after a broken connection; the bytes moved.

        The hash is the caller's to check. No byte beyond `size` is written.

        Raises:
            Transient: it did not come after several tries. Permanent: it is not there or not ours.
        """
        headers = {"accept-encoding": "identity"}
        if url:
            address = urljoin(self.url, url)
        elif access is not None:
            address = f"{urljoin(self.url, access.url).rstrip('/')}/{digest}"
            headers["authorization"] = f"Bearer {access.token}"
        else:
            raise Permanent(f"blob {digest}: the lease gives no address for it")
        backoff = Backoff(cap_s=5.0)
        moved = 0
        file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while True:
                before = os.fstat(file).st_size
                try:
                    await self._download_rest(address, headers, size, file)
                    return moved + size - before
                except Transient as exc:
                    at = os.fstat(file).st_size
                    moved += max(0, at - before)
                    if backoff.failures >= _ATTEMPTS:
                        raise Transient(f"blob {digest}: {exc} (at byte {at} of {size})", exc.retry_after_s) from exc
                    await asyncio.sleep(backoff.next_s(exc.retry_after_s))
        finally:
            os.close(file)

    async def _download_rest(self, address: str, headers: dict[str, str], size: int, file: int) -> None:
        at = os.fstat(file).st_size
        if at:
            headers = {**headers, "range": f"bytes={at}-"}
        measured = size >= MEASURED_BYTES
        if measured:
            self.meter.begin(time.monotonic())
        try:
            async with self._client.stream("GET", address, headers=headers) as response:
                if response.status_code not in (200, 206):
                    await response.aread()
                    _raise_for(response, "blob")
                if at and response.status_code == 200:  # the range was ignored: from the start
                    os.ftruncate(file, 0)
                    at = 0
                os.lseek(file, at, os.SEEK_SET)
                async for chunk in response.aiter_raw(1 << 18):
                    if at + len(chunk) > size:
                        raise Permanent(f"blob at {address.split('?')[0]} is longer than its {size} bytes")
                    _write_all(file, chunk)
                    at += len(chunk)
                    if measured:
                        self.meter.moved_bytes += len(chunk)
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise Transient(f"{type(exc).__name__} {exc}".rstrip()) from exc
        finally:
            if measured:
                self.meter.end(time.monotonic())
        if at < size:  # a broken connection raises above: this is all there is
            raise Permanent(f"blob at {address.split('?')[0]} has {at} bytes, the lease says {size}")

    async def upload(self, digest: str, size: int, descriptor: int, access: BlobAccess) -> int:
        """Send a blob from an open file; the bytes moved (0 when the platform had it).

        Raises:
            Transient: it did not get through after several tries. Permanent: it is refused.
        """
        address = f"{urljoin(self.url, access.url).rstrip('/')}/{digest}"
        headers = {"authorization": f"Bearer {access.token}", "content-length": str(size)}
        if size >= HEAD_FIRST_BYTES:
            try:
                response = await self._client.head(address, headers={"authorization": headers["authorization"]})
                if response.status_code == 200:
                    return 0
            except (httpx.HTTPError, OSError):
                pass  # the upload itself will tell
        backoff = Backoff(cap_s=5.0)
        while True:
            try:
                try:
                    content: bytes | AsyncIterator[bytes]
                    if size <= UPLOAD_CHUNK:
                        content = os.pread(descriptor, size, 0)
                    else:
                        content = _chunks(descriptor, size)
                    timeout = httpx.Timeout(max(ANSWER_S, size / 1e5), connect=CONNECT_S)
                    response = await self._client.put(address, content=content, headers=headers, timeout=timeout)
                except (httpx.HTTPError, OSError) as exc:
                    raise Transient(f"{type(exc).__name__} {exc}".rstrip()) from exc
                _raise_for(response, "blob")
                return size
            except Transient as exc:
                if backoff.failures >= _ATTEMPTS:
                    raise Transient(f"upload of {digest}: {exc}", exc.retry_after_s) from exc
                await asyncio.sleep(backoff.next_s(exc.retry_after_s))


def _write_all(file: int, chunk: bytes) -> None:
    """A write may be short when the disk fills up; the rest then says so by itself."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]


async def _chunks(descriptor: int, size: int) -> AsyncIterator[bytes]:
    at = 0
    while at < size:
        chunk = os.pread(descriptor, min(UPLOAD_CHUNK, size - at), at)
        if not chunk:
            return
        yield chunk
        at += len(chunk)


def _raise_for(response: httpx.Response, what: str) -> None:
    status = response.status_code
    if 200 <= status < 300:
        return
    body = ErrorBody()
    with contextlib.suppress(ValueError):  # a proxy's page instead of a problem: the status must do
        body = ErrorBody.model_validate(json.loads(response.content))
    text = f"{what}: {status} {body.title or response.reason_phrase}{': ' + body.detail if body.detail else ''}"
    if status == 429 or status >= 500 or status in (408, 425):
        raise Transient(text, _retry_after_s(response, body))
    if status in (401, 403) and what != "blob":
        raise Unauthorized(text, str(body.code.value), status)
    raise Permanent(text, str(body.code.value), status)


def _retry_after_s(response: httpx.Response, body: ErrorBody) -> Optional[float]:
    header = response.headers.get("retry-after", "")
    if header.isdigit():
        return float(header)
    return body.retry_after_s
