"""The bytes' own door, `/objects/...`: signed downloads and uploads, streamed.

A small ASGI application beside Django, because Django reads a request's body whole before a view runs: here an upload
goes to disk as it comes, is hashed on the way, and stops at the size limit. Rights are in the URL or the bearer token
(see `signing`); nothing else is looked at, so a site needs no account to fetch the inputs of its own attempt.

* ``GET|HEAD /objects/<token>/<sha256>`` with Range; always an attachment of an opaque type, never rendered.
* ``PUT|HEAD /objects/upload/<sha256>``, ``Authorization: Bearer <token>``: 201 stored, as often as one likes.
* ``PUT /objects/<token>/<sha256>`` with a PUT link.
* ``/objects/uploads...``: large files in parts, that go on after a break (see `tus`).
* ``PUT /api/v1/blobs/<sha256>?project=`` with an account's bearer token is streamed here, too; Django has the same route
  for sessions, under its body limit.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Final
from urllib.parse import parse_qsl, quote

from fubini.accounts.authentication import principal_of_request
from fubini.common.errors import FubiniError, NotFound, Unauthenticated
from fubini.common.saying import say
from fubini.datasets import exchanges, tus
from fubini.datasets.errors import BlobNotFound, BlobTooLarge
from fubini.datasets.exchanges import App, Exchange, Gone, Receive, Scope, Send
from fubini.datasets.limits import limit
from fubini.datasets.selectors import blob_of
from fubini.datasets.services import blob_record
from fubini.datasets.signing import Link, link_check
from fubini.datasets.store import CHUNK_BYTES, Store, default_store, is_digest
from fubini.datasets.uploads import blob_admit
from fubini.projects.authorize import project_get
from fubini.rest.errors import Internal, MethodNotAllowed
from fubini.rest.request_id import CURRENT, request_id_of

BLOB_PATH: Final = re.compile(r"/api/v1/blobs/([0-9a-f]{64})")
RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
log = logging.getLogger("fubini.objects")


class RangeNotSatisfiable(FubiniError):
    code = "range_not_satisfiable"
    http_status = 416
    title = "The range lies outside the object"


class ObjectsApp:
    """The ASGI application: takes the requests for bytes, leaves all others to `rest`."""

    def __init__(self, rest: App) -> None:
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        CURRENT.set(request_id_of(exchange.header(b"x-request-id")))
        if scope["path"] == tus.CREATE_PATH or scope["path"].startswith(tus.CREATE_PATH + "/"):
            await _guarded(exchange, lambda: tus.serve(exchange, default_store()))
        elif scope["path"].startswith("/objects/"):
            await _guarded(exchange, lambda: _serve(exchange, default_store()))
        elif scope["method"] == "PUT" and (upload := _account_upload(exchange)) is not None:
            await _guarded(exchange, lambda: _put_by_account(exchange, *upload))
        else:
            await self._rest(scope, receive, send)


async def _guarded(exchange: Exchange, work: Callable[[], Awaitable[None]]) -> None:
    """Every error becomes an answer while there is still one to give."""
    try:
        await work()
    except Gone:
        return
    except FubiniError as error:
        if exchange.started:
            raise
        await exchange.refuse(error)
    except Exception:
        log.exception("objects: %s %s failed", exchange.scope["method"], exchange.scope["path"][-64:])
        if exchange.started:
            raise
        await exchange.refuse(Internal())


def _account_upload(exchange: Exchange) -> tuple[str, str] | None:
    """(digest, project) of a PUT to ``/api/v1/blobs`` by token; None: not one, or one Django should answer."""
    match = BLOB_PATH.fullmatch(exchange.scope["path"])
    if match is None or not exchange.header(b"authorization"):
        return None
    try:
        query = parse_qsl(exchange.scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=4)
    except ValueError:
        return None
    if [name for name, _ in query] != ["project"]:
        return None
    return match[1], query[0][1]


async def _put_by_account(exchange: Exchange, digest: str, project: str) -> None:
    def allowed() -> str:
        sender = SimpleNamespace(headers={"Authorization": exchange.header(b"authorization")})
        principal = principal_of_request(sender)
        if principal is None:
            raise Unauthenticated()
        return str(project_get(principal, project, "blob.write").pk)

    project_id = await exchanges.in_database(allowed)
    await _put(exchange, default_store(), project_id, digest)


async def _serve(exchange: Exchange, store: Store) -> None:
    method = exchange.scope["method"]
    parts = exchange.scope["path"].split("/")  # "", "objects", token | "upload", digest
    if len(parts) != 4 or not is_digest(parts[3]):
        raise NotFound("Objects are at /objects/<token>/<sha256>.")
    token, digest = parts[2], parts[3]
    if method not in ("GET", "HEAD", "PUT"):
        raise MethodNotAllowed("Objects are read with GET and HEAD, written with PUT.", allowed=["GET", "HEAD", "PUT"])
    if token == "upload":  # noqa: S105  a path segment
        kind, _, token = exchange.header(b"authorization").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Unauthenticated(
                "No upload token came.", next_step="Send `Authorization: Bearer <token>` as the lease gave it."
            )
    link = link_check(token.strip(), method=method, digest=digest)
    if method == "PUT":
        await _put(exchange, store, link.project_id, digest, bounded=not link.attempt_id)
    elif link.method == "PUT":
        await _has(exchange, store, link, digest)
    else:
        await _get(exchange, store, link, digest)


# --- reading ---


async def _has(exchange: Exchange, store: Store, link: Link, digest: str) -> None:
    """Does the project have this blob already? Asking renews it, so that what is not sent again is not collected."""

    def look() -> int | None:
        blob = blob_of(link.project_id, digest)
        if blob is None or store.size(digest) != blob.size_bytes:
            return None
        blob_record(project_id=link.project_id, digest=digest, size_bytes=blob.size_bytes)
        return blob.size_bytes

    size = await exchanges.in_database(look)
    if size is None:
        raise BlobNotFound()
    await exchange.start(200, [("content-length", str(size)), ("etag", f'"{digest}"')])
    await exchange.body()


async def _get(exchange: Exchange, store: Store, link: Link, digest: str) -> None:
    size = await asyncio.to_thread(store.size, digest)
    if size is None:
        raise BlobNotFound(next_step="It may have been removed; ask for the list of files again.")
    etag = f'"{digest}"'
    head = [
        ("etag", etag),
        ("accept-ranges", "bytes"),
        ("content-type", "application/octet-stream"),
        ("content-disposition", attachment(link.filename or digest)),
    ]
    if etag in [tag.strip().removeprefix("W/") for tag in exchange.header(b"if-none-match").split(",")]:
        await exchange.start(304, head)
        await exchange.body()
        return
    wanted = exchange.header(b"range")
    if exchange.header(b"if-range") not in ("", etag):
        wanted = ""
    try:
        start, stop = range_of(wanted, size) or (0, size)
    except RangeNotSatisfiable:
        await exchange.start(416, [("content-range", f"bytes */{size}"), ("content-length", "0")])
        await exchange.body()
        return
    partial = (start, stop) != (0, size)
    head.append(("content-length", str(stop - start)))
    if partial:
        head.append(("content-range", f"bytes {start}-{stop - 1}/{size}"))
    await exchange.start(206 if partial else 200, head)
    if exchange.scope["method"] == "HEAD" or start == stop:
        await exchange.body()
        return
    pieces = store.chunks(digest, start, stop - start)
    left = stop - start
    while left:
        piece = await asyncio.to_thread(next, pieces, b"")
        if not piece:  # truncated underneath us: end without the promised length, so the client sees a broken reply
            raise Gone
        left -= len(piece)
        await exchange.body(piece, more=left > 0)


def range_of(header: str, size: int) -> tuple[int, int] | None:
    """`Range` as [start, stop); None for no range or one we do not serve (several ranges are answered with all bytes).

    Raises:
        RangeNotSatisfiable: it starts behind the end.
    """
    match = RANGE.fullmatch(header.strip())
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = int(match[2])
        if length == 0:
            raise RangeNotSatisfiable()
        return max(0, size - length), size
    start = int(match[1])
    stop = min(size, int(match[2]) + 1) if match[2] else size
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable()
    return start, stop


def attachment(name: str) -> str:
    """A Content-Disposition that offers a file name without letting it end the header or pick a folder."""
    base = name.rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", base)[:120] or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(base, safe='', errors='replace')[:1000]}"


# --- writing ---


async def _put(exchange: Exchange, store: Store, project_id: str, digest: str, *, bounded: bool = True) -> None:
    """Take a body in under its digest.

    Args:
        bounded: the project's room is looked at. What a step left is taken in all the same, for it is paid for; a project
            that is over its room starts no more steps.
    """
    most = limit("BLOB_MAX_BYTES")
    header = exchange.header(b"content-length")
    declared = int(header) if header.isascii() and header.isdigit() else None
    if declared is not None and declared > most:
        raise BlobTooLarge(say("A blob may have {most} bytes; {declared} were announced.", most=most, declared=declared), max_bytes=most)

    async def admit(size_bytes: int) -> None:
        await exchanges.in_database(lambda: blob_admit(project_id=project_id, digest=digest, size_bytes=size_bytes))

    if bounded and declared is not None:
        await admit(declared)
    pieces = exchanges.pieces(exchange.receive)
    first = await anext(pieces, b"")
    second = await anext(pieces, b"") if len(first) >= CHUNK_BYTES else b""
    if not second:  # most files: one hop to a thread for all of it
        size = await asyncio.to_thread(_put_small, store, digest, first, most)
    else:
        size = await _put_large(store, digest, most, first + second, pieces)
    if bounded and declared is None:  # the bytes are no project's yet: the collector takes them if they are not let in
        await admit(size)
    await exchanges.in_database(lambda: blob_record(project_id=project_id, digest=digest, size_bytes=size))
    await exchange.json(201, {"digest": digest, "size_bytes": size})


def _put_small(store: Store, digest: str, data: bytes, most: int) -> int:
    with store.writer(digest, max_bytes=most) as writer:
        writer.write(data)
        return writer.commit()


async def _put_large(store: Store, digest: str, most: int, begin: bytes, pieces: AsyncIterator[bytes]) -> int:
    writer = await asyncio.to_thread(store.writer, digest, max_bytes=most)
    try:
        await asyncio.to_thread(writer.write, begin)
        async for piece in pieces:
            await asyncio.to_thread(writer.write, piece)
        return await asyncio.to_thread(writer.commit)
    finally:
        await asyncio.to_thread(writer.close)
