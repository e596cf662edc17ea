"""The door for large files, in the open protocol tus 1.0 (https://tus.io/protocols/resumable-upload): any client of it works.

Decides how requests are read and answered; what an upload is and where it stands is `uploads`' business. Extensions:
creation, checksum (sha256 and sha1), expiration, termination. What a protocol client cannot say otherwise is metadata:
``project`` (slug or id) and ``sha256`` (hex) are needed, ``filename`` is for people.

* ``POST /objects/uploads`` with an account's bearer token begins one or finds the one to go on with. REST's
  ``POST /api/v1/uploads`` does the same for browsers.
* ``HEAD|PATCH|DELETE /objects/uploads/<signed token>``: where it stands, more of it, discard it.

A request's bytes count as they come, in parts; a broken connection loses less than one chunk. With a checksum none of a
request counts before all of it is right, so such requests are bounded. The last one answers when the whole is verified.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import email.utils
import hashlib
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from fubini.accounts.authentication import principal_of_request
from fubini.common.errors import FubiniError, Invalid, NotFound, Unauthenticated
from fubini.common.saying import say
from fubini.datasets import exchanges, uploads
from fubini.datasets.errors import BlobMismatch, BlobTooLarge, ChecksumMismatch, UploadNotFound, UploadOffset
from fubini.datasets.exchanges import Exchange, Gone
from fubini.datasets.limits import limit
from fubini.datasets.models import Upload
from fubini.datasets.signing import UPLOADS_PATH, upload_link, upload_link_check
from fubini.datasets.store import Store, is_digest
from fubini.projects.authorize import project_get
from fubini.rest.errors import MethodNotAllowed, PreconditionFailed

if TYPE_CHECKING:
    from hashlib import _Hash

CREATE_PATH: Final = UPLOADS_PATH
VERSION: Final = "1.0.0"
PART_TYPE: Final = "application/offset+octet-stream"
NUMBER: Final = re.compile(r"[0-9]{1,18}")
METADATA_MAX: Final = 4096


class WrongPartType(FubiniError):
    code = "unsupported_media_type"
    http_status = 415
    title = "The body's type is not an upload's"


async def serve(exchange: Exchange, store: Store) -> None:
    """Answer one request to the door."""
    exchange.extra = (("tus-resumable", VERSION),)
    method, path = exchange.scope["method"], exchange.scope["path"]
    if method == "OPTIONS":
        await exchange.start(
            204,
            [
                ("tus-version", VERSION),
                ("tus-extension", "creation,checksum,expiration,termination"),
                ("tus-checksum-algorithm", "sha256,sha1"),
                ("tus-max-size", str(limit("BLOB_MAX_BYTES"))),
            ],
        )
        await exchange.body()
        return
    if (asked := exchange.header(b"tus-resumable")) != VERSION:
        raise PreconditionFailed(
            "This door speaks one version of the upload protocol.", found=asked[:20], allowed=VERSION,
            next_step=say("Send `Tus-Resumable: {version}`.", version=VERSION),
        )  # fmt: skip
    if path == CREATE_PATH:
        if method != "POST":
            raise MethodNotAllowed("An upload is begun with POST.", allowed=["POST", "OPTIONS"])
        await _begin(exchange, store)
        return
    token = path.removeprefix(CREATE_PATH + "/")
    if "/" in token:
        raise NotFound("Uploads are at /objects/uploads/<token>.")
    project_id, upload_id = upload_link_check(token)
    row = await exchanges.in_database(lambda: uploads.upload_find(project_id, upload_id))
    if method == "HEAD":
        if (
            row.state == "open" and row.offset_bytes == row.size_bytes
        ):  # a crash came between the last part and the whole
            row = await _finish(row, store)
        await _stands(exchange, row, 200)
    elif method == "PATCH":
        await _stands(exchange, await _take(exchange, row, store), 204)
    elif method == "DELETE":
        await exchanges.in_database(lambda: uploads.upload_discard(row=row, store=store))
        await exchange.start(204, [])
        await exchange.body()
    else:
        allowed = ["HEAD", "PATCH", "DELETE", "OPTIONS"]
        raise MethodNotAllowed("An upload is looked at, continued or discarded.", allowed=allowed)


async def _stands(exchange: Exchange, row: Upload, status: int) -> None:
    head = [
        ("upload-offset", str(row.offset_bytes)),
        ("upload-length", str(row.size_bytes)),
        ("upload-expires", email.utils.formatdate(uploads.expires_at_ms(row) / 1000, usegmt=True)),
        ("cache-control", "no-store"),
    ]
    await exchange.start(status, head)
    await exchange.body()


async def _finish(row: Upload, store: Store) -> Upload:
    """`uploads.upload_finish` in its two halves: hashing gigabytes must not hold the thread that writes to the database."""
    if row.state != "open":
        return row
    try:
        whole = await asyncio.to_thread(uploads.upload_assemble, row=row, store=store)
    except (BlobMismatch, BlobTooLarge):
        await exchanges.in_database(lambda: uploads.upload_discard(row=row, store=store))
        raise
    if whole:
        return await exchanges.in_database(lambda: uploads.upload_whole(row=row, store=store))
    return await exchanges.in_database(lambda: uploads.upload_find(row.project_id, row.pk))


# --- beginning ---


async def _begin(exchange: Exchange, store: Store) -> None:
    size = _number(exchange, b"upload-length", "how many bytes the file has")
    said = metadata_of(exchange.header(b"upload-metadata"))
    digest = said.get("sha256", "").lower()
    if not is_digest(digest) or not said.get("project"):
        raise Invalid(
            "The upload's metadata must name its project and its sha256.",
            found=sorted(said),
            allowed=["project", "sha256", "filename"],
            next_step="Send `Upload-Metadata: project <base64>,sha256 <base64 of 64 hex characters>`.",
        )

    def begin() -> Upload:
        principal = principal_of_request(SimpleNamespace(headers={"Authorization": exchange.header(b"authorization")}))
        if principal is None:
            raise Unauthenticated()
        project = project_get(principal, said["project"], "blob.write")
        return uploads.upload_begin(
            project_id=project.pk, digest=digest, size_bytes=size, actor=principal.actor, name=said.get("filename", ""), store=store
        )  # fmt: skip

    row = await exchanges.in_database(begin)
    if row.state == "whole":
        row = await exchanges.in_database(lambda: uploads.upload_remember(row=row))
    head = [
        ("location", upload_link(project_id=row.project_id, upload_id=row.pk, ttl_s=uploads.LINK_TTL_S)),
        ("upload-offset", str(row.offset_bytes)),
        ("content-length", "0"),
    ]
    await exchange.start(201, head)
    await exchange.body()


def metadata_of(header: str) -> dict[str, str]:
    """``Upload-Metadata``: pairs of a key and a base64 value, by commas.

    Raises:
        Invalid: it cannot be read.
    """
    found: dict[str, str] = {}
    for pair in header[: METADATA_MAX + 1].split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise Invalid(
                "The upload's metadata cannot be read.", found=pair[:80], next_step="Values are base64 of UTF-8 text."
            ) from None
    if len(header) > METADATA_MAX:
        raise Invalid("The upload's metadata is too long.", found=len(header), allowed=METADATA_MAX)
    return found


def _number(exchange: Exchange, name: bytes, meaning: str) -> int:
    text = exchange.header(name)
    if not NUMBER.fullmatch(text):
        raise Invalid(
            say(
                "The header {title} says {meaning}; it has {text!r}.",
                title=name.decode().title(),
                meaning=meaning,
                text=text[:40],
            ),
            next_step="Send a whole number.",
        )
    return int(text)


# --- more of it ---


async def _take(exchange: Exchange, row: Upload, store: Store) -> Upload:
    kind = exchange.header(b"content-type").partition(";")[0].strip().lower()
    if kind != PART_TYPE:
        raise WrongPartType(
            say(
                "Parts are sent as {part_type}.",
                part_type=PART_TYPE,
            ),
            found=kind[:80],
            allowed=PART_TYPE,
        )
    at = _number(exchange, b"upload-offset", "where these bytes begin")
    if at != row.offset_bytes:
        raise uploads.offset_error(row, at)
    left = row.size_bytes - at
    declared = exchange.header(b"content-length")
    if declared.isascii() and declared.isdigit() and int(declared) > left:
        raise BlobTooLarge(
            say(
                "{declared} bytes were announced; the upload lacks {left}.",
                declared=int(declared),
                left=left,
            ),
            max_bytes=left,
        )
    body = exchanges.pieces(exchange.receive)
    if asked := exchange.header(b"upload-checksum"):
        row = await _take_checked(row, store, body, asked, left)
    else:
        row = await _take_as_it_comes(row, store, body, left)
    return await _finish(row, store) if row.offset_bytes == row.size_bytes else row


async def _take_as_it_comes(row: Upload, store: Store, body: AsyncIterator[bytes], left: int) -> Upload:
    """Cut a request of any length into parts; what came before a break counts."""
    most = limit("UPLOAD_PART_BYTES")
    kept: list[bytes] = []

    async def keep() -> None:
        nonlocal row
        data, now = b"".join(kept), row
        kept.clear()
        await asyncio.to_thread(_write, store, now, data)
        row = await exchanges.in_database(
            lambda: uploads.upload_advance(row=now, at_bytes=now.offset_bytes, by_bytes=len(data))
        )

    try:
        async for piece in body:
            left -= len(piece)
            if left < 0:
                raise BlobTooLarge(
                    say(
                        "More came than the upload's {size_bytes} bytes.",
                        size_bytes=row.size_bytes,
                    ),
                    max_bytes=row.size_bytes,
                )
            kept.append(piece)
            if sum(map(len, kept)) >= most:
                await keep()
    except Gone:
        if kept:
            with contextlib.suppress(UploadNotFound, UploadOffset):  # nobody hears an answer now
                await keep()
        raise
    if kept:
        await keep()
    return row


async def _take_checked(row: Upload, store: Store, body: AsyncIterator[bytes], asked: str, left: int) -> Upload:
    """All of a request under a checksum, or nothing of it."""
    digest, want = checksum_of(asked)
    most = min(left, limit("UPLOAD_CHECKED_MAX_BYTES"))
    size = 0
    with await asyncio.to_thread(store.part_writer, row.pk, row.offset_bytes, max_bytes=most) as writer:
        async for piece in body:
            size += len(piece)
            digest.update(piece)
            await asyncio.to_thread(writer.write, piece)
        if digest.digest() != want:
            raise ChecksumMismatch(
                "The part's bytes do not have the checksum they were sent with; none of it was kept.",
                found=base64.b64encode(digest.digest()).decode(),
                next_step="Send the part again.",
            )
        if size == 0:
            return row
        await asyncio.to_thread(writer.commit)
    return await exchanges.in_database(
        lambda: uploads.upload_advance(row=row, at_bytes=row.offset_bytes, by_bytes=size)
    )


def _write(store: Store, row: Upload, data: bytes) -> None:
    with store.part_writer(row.pk, row.offset_bytes, max_bytes=len(data)) as writer:
        writer.write(data)
        writer.commit()


def checksum_of(header: str) -> tuple[_Hash, bytes]:
    """``Upload-Checksum``: an empty hash of the algorithm, and what it must come to.

    Raises:
        Invalid: another algorithm, or not base64 of the right length.
    """
    name, _, text = header.strip().partition(" ")
    try:
        want = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        want = b""
    if name in ("sha256", "sha1"):
        digest = hashlib.new(name, usedforsecurity=False)
        if len(want) == digest.digest_size:
            return digest, want
    raise Invalid(
        "The part's checksum cannot be read.", found=header[:120], allowed=["sha256 <base64>", "sha1 <base64>"],
        next_step="Leave the header out, or send one of the allowed forms.",
    )  # fmt: skip
