"""One request and its answer at the bytes' door: what `objects` and `tus` have in common.

Decides how a body is read (in pieces of about a chunk, as it comes), how the database is reached from an event loop,
and how a refusal looks (problem+json, as everywhere). Who may do what is decided by the callers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, connection

from fubini.common.errors import FubiniError
from fubini.datasets.store import CHUNK_BYTES
from fubini.rest.errors import CONTENT_TYPE, problem
from fubini.rest.request_id import CURRENT

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
T = TypeVar("T")


class Gone(Exception):
    """The client went away in the middle of its body."""


@dataclass(slots=True)
class Exchange:
    scope: Scope
    receive: Receive
    send: Send
    started: bool = False
    extra: tuple[tuple[str, str], ...] = ()  # headers of every answer, refusals too

    def header(self, name: bytes) -> str:
        for key, value in self.scope["headers"]:
            if key == name:
                return bytes(value).decode("latin-1")
        return ""

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.started = True
        always = [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "private, no-transform"),
            ("x-request-id", CURRENT.get()),
            *self.extra,
        ]
        mine = [*headers]
        named = {k for k, _ in mine}
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (k.encode("latin-1"), v.encode("latin-1"))
                    for k, v in [*mine, *(pair for pair in always if pair[0] not in named)]
                ],
            }
        )

    async def body(self, data: bytes = b"", *, more: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def json(self, status: int, value: dict[str, Any], kind: str = "application/json") -> None:
        data = json.dumps(value).encode()
        head = [("content-type", kind), ("content-length", str(len(data)))]
        if status >= 400:
            head.append(("connection", "close"))  # the rest of a refused body is not read
        await self.start(status, head)
        await self.body(b"" if self.scope["method"] == "HEAD" else data)

    async def refuse(self, error: FubiniError) -> None:
        await self.json(error.http_status, problem(error), CONTENT_TYPE)


# Threads with lasting connections, because a connection costs more than what is done with it here; on SQLite one, for
# there is one writer anyway.
_threads = ThreadPoolExecutor(
    max_workers=1 if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") else 4, thread_name_prefix="objects"
)


async def in_database(work: Callable[[], T]) -> T:
    def run() -> T:
        try:
            return work()
        except DatabaseError:
            connection.close()  # the next one begins with a fresh one
            raise

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """The body in pieces of about a chunk: few hops to the disk's thread, little memory."""
    kept: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        data = message.get("body", b"")
        if data:
            kept.append(data)
            size += len(data)
        more = message.get("more_body", False)
        if size >= CHUNK_BYTES or (size and not more):
            yield b"".join(kept)
            kept, size = [], 0
        if not more:
            return
